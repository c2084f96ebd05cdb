//! Weights that others have trained: reading their files, finding a net's tensors in them, and where they are published.

mod architecture;
pub mod catalog;
mod float;
mod names;
mod refusal;
mod safetensors;
mod select;
mod torch;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};

use self::float::Float;
use self::refusal::Refusal;
use crate::checkpoint::{self, NamedTensor};
use crate::error::{Error, Result};
use crate::file;

pub use self::catalog::resolve;
pub use self::select::{Selection, select};

/// Bytes by which the formats are told from each other.
const HEAD_BYTES: u64 = 16;

/// All tensors of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorFile {
    /// The file.
    pub path: PathBuf,
    /// Its tensors of floating-point numbers. BatchNorm's counts of batches are left out.
    pub tensors: Vec<NamedTensor>,
    /// What there is to tell about how it was read, a line each.
    pub notes: Vec<String>,
}

/// What a format gave.
struct Contents {
    found: Vec<Found>,
    notes: Vec<String>,
}

/// A tensor, and how its numbers are stored.
struct Found {
    tensor: NamedTensor,
    stored: Float,
}

/// Reads the tensors of a file, which is safetensors or what PyTorch's `torch.save` made of a state dict, now or before 1.6. Its
/// contents tell, not its name. Nothing in it is run, and what is allocated is bounded by its length.
///
/// # Errors
/// `Error::File` if it cannot be read, is damaged, of another format, or holds more than tensors.
pub fn read(path: &Path) -> Result<TensorFile> {
    let refused = |refusal: Refusal| refusal.of(path);
    let contents = match format(path)? {
        Format::Safetensors => safetensors::read(path)?,
        Format::TorchArchive(file) => torch::read_archive(file).map_err(refused)?,
        Format::TorchLegacy(file) => torch::read_legacy(file).map_err(refused)?,
    };
    let mut notes = contents.notes;
    notes.extend(conversion_notes(&contents.found));
    let tensors = contents.found.into_iter().map(|found| found.tensor);
    Ok(TensorFile {
        path: path.to_path_buf(),
        tensors: tensors.collect(),
        notes,
    })
}

/// The entries of a file's metadata; none in a format that has no place for them.
///
/// # Errors
/// `Error::File` if it cannot be read or is damaged.
pub fn metadata(path: &Path) -> Result<BTreeMap<String, String>> {
    match format(path) {
        Ok(Format::TorchArchive(_) | Format::TorchLegacy(_)) => Ok(BTreeMap::new()),
        _ => checkpoint::metadata(path),
    }
}

/// Whether a file of weights was written by another program: ours say which model they are of.
///
/// # Errors
/// As [`metadata`].
pub fn is_of_others(path: &Path) -> Result<bool> {
    Ok(!metadata(path)?.contains_key("model"))
}

/// The formats that are read.
enum Format {
    Safetensors,
    TorchArchive(File),
    TorchLegacy(File),
}

/// Finds the format of a file by how it begins.
fn format(path: &Path) -> Result<Format> {
    const HINT: &str =
        "give the path of a .safetensors or .pth file, or a name of `spinal weights list`";
    let unreadable = |error: io::Error| Error::file(path, format!("cannot be read: {error}"), HINT);
    let (mut file, bytes) = file::open(path, HINT)?;
    let mut head = Vec::new();
    (&mut file)
        .take(HEAD_BYTES)
        .read_to_end(&mut head)
        .and_then(|_| file.rewind())
        .map_err(unreadable)?;
    if head.starts_with(torch::ARCHIVE_SIGNATURE) {
        Ok(Format::TorchArchive(file))
    } else if torch::is_legacy(&head) {
        Ok(Format::TorchLegacy(file))
    } else if safetensors::is_beginning(&head, bytes) {
        Ok(Format::Safetensors)
    } else {
        let what = "is neither safetensors nor a file of torch.save";
        Err(Refusal::foreign(what).of(path))
    }
}

/// A line for each other type that became f32.
fn conversion_notes(found: &[Found]) -> Vec<String> {
    let mut counts: BTreeMap<Float, usize> = BTreeMap::new();
    for Found { stored, .. } in found {
        *counts.entry(*stored).or_default() += 1;
    }
    counts.remove(&Float::F32);
    let line = |(float, count): (Float, usize)| {
        format!("{count} tensors of {} read as 32-bit floats", float.name())
    };
    counts.into_iter().map(line).collect()
}
