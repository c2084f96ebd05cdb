//! The net of tests/fixtures/weights.py, and files in a folder of their own.

use std::fs;
use std::path::{Path, PathBuf};

use spinalnet::checkpoint::NamedTensor;
use spinalnet::error::Result;
use spinalnet::pretrained::{TensorFile, read};
use tempfile::TempDir;

use super::allocation::peak_of;

/// Bytes that reading holds for each that the file has, and those that it holds for any file: buffers, and for each opcode of a
/// pickle at most a list, its place in a stack and in a memo.
const PER_BYTE: usize = 256;
const ALWAYS: usize = 1 << 20;

/// The path of a file that PyTorch wrote.
pub fn path(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/weights");
    folder.join(format!("{name}.pth"))
}

/// Its bytes.
pub fn bytes(name: &str) -> Vec<u8> {
    fs::read(path(name)).unwrap()
}

/// The tensors of the net: eighths, counted through them all.
pub fn net() -> Vec<NamedTensor> {
    let shapes: [(&str, &[usize]); 7] = [
        ("conv1.weight", &[3, 2, 3, 2]),
        ("bn1.weight", &[3]),
        ("bn1.bias", &[3]),
        ("bn1.running_mean", &[3]),
        ("bn1.running_var", &[3]),
        ("fc.weight", &[4, 3]),
        ("fc.bias", &[4]),
    ];
    let mut next = 0..;
    let tensor = |(name, shape): (&str, &[usize])| NamedTensor {
        name: name.to_owned(),
        shape: shape.to_vec(),
        values: next
            .by_ref()
            .take(shape.iter().product())
            .map(|i: u16| f32::from(i) / 8.0)
            .collect(),
    };
    shapes.into_iter().map(tensor).collect()
}

/// A place for files that are read once.
pub struct Place {
    folder: TempDir,
}

impl Place {
    pub fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// Reads a file of these bytes, and asserts that this took no more memory than it may.
    pub fn read(&self, bytes: &[u8]) -> Result<TensorFile> {
        let path = self.folder.path().join("file.pth");
        // Some file systems wait for the disk where a file is overwritten.
        let _ = fs::remove_file(&path);
        fs::write(&path, bytes).unwrap();
        let (result, peak) = peak_of(|| read(&path));
        let bound = ALWAYS + PER_BYTE * bytes.len();
        assert!(
            peak <= bound,
            "{peak} bytes held for a file of {}",
            bytes.len()
        );
        result
    }

    /// Why a file of these bytes is refused.
    pub fn refusal(&self, bytes: &[u8]) -> String {
        let error = match self.read(bytes) {
            Err(error) => error,
            Ok(file) => panic!("read: {:?}", file.notes),
        };
        let message = error.to_string();
        assert!(!message.contains('\n') && message.len() < 400, "{message}");
        assert!(!error.hint().is_empty() && error.exit_code() == 1);
        let (_, what) = message.split_once("file.pth: ").unwrap();
        what.to_owned()
    }

    /// Asserts that a file of these bytes is refused, naming `what`.
    pub fn assert_refused(&self, bytes: &[u8], what: &str) {
        let refusal = self.refusal(bytes);
        assert!(refusal.contains(what), "no `{what}` in {refusal}");
    }
}
