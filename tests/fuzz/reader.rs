//! One reader against many changed files.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use spinalnet::error::Result;
use tempfile::TempDir;

use super::allocation::peak_of;
use super::mutation::{Mutation, mutations};
use super::watchdog;

/// Files by their names.
pub type Files = Vec<(String, Vec<u8>)>;

/// Inputs of a round; without `SPINAL_FUZZ_SECONDS` there is one.
const INPUTS: u32 = 256;
/// Bytes that reading may hold whatever the file: buffers, tables of decoders, the sound files beside the changed one.
const ALWAYS: usize = 4 << 20;
/// What takes longer hangs: each input is done in milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// A reader, and a folder of sound files for it.
pub struct Reader<F> {
    name: String,
    files: Files,
    read: F,
    bytes_per_byte: usize,
    folder: TempDir,
}

impl<F: Fn(&Path) -> Result<()>> Reader<F> {
    pub fn new(name: impl Into<String>, files: Files, read: F) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in &files {
            put(&folder.path().join(name), bytes);
        }
        Self {
            name: name.into(),
            files,
            read,
            bytes_per_byte: 1,
            folder,
        }
    }

    /// Lets the reader hold so many bytes for each that the changed file has.
    pub fn bytes_per_byte(self, bytes_per_byte: usize) -> Self {
        Self {
            bytes_per_byte,
            ..self
        }
    }

    /// Changes one file at a time, lets `wrap` make it look sound, and reads the folder.
    pub fn fuzz(self, wrap: fn(Vec<u8>) -> Vec<u8>) {
        let _alone = alone();
        self.restore(&self.sound(wrap));
        (self.read)(self.folder.path())
            .unwrap_or_else(|error| panic!("{}: the sound files: {error}", self.name));
        let seconds = std::env::var("SPINAL_FUZZ_SECONDS").ok();
        let seconds = seconds.map_or(0, |seconds| seconds.parse().expect("SPINAL_FUZZ_SECONDS"));
        let started = Instant::now();
        let (mut round, mut sound) = (0, 0);
        loop {
            sound += self.round(round, wrap);
            round += 1;
            if started.elapsed() > Duration::from_secs(seconds) {
                break;
            }
        }
        eprintln!(
            "{}: {} inputs, {sound} of them readable, {:.1} s",
            self.name,
            round * u64::from(INPUTS),
            started.elapsed().as_secs_f64()
        );
    }

    fn sound(&self, wrap: fn(Vec<u8>) -> Vec<u8>) -> Files {
        let files = self.files.iter();
        files
            .map(|(name, bytes)| (name.clone(), wrap(bytes.clone())))
            .collect()
    }

    fn restore(&self, files: &Files) {
        for (name, bytes) in files {
            put(&self.folder.path().join(name), bytes);
        }
    }

    /// The same inputs for the same number; returns how many could be read.
    fn round(&self, round: u64, wrap: fn(Vec<u8>) -> Vec<u8>) -> u32 {
        let config = Config {
            cases: INPUTS,
            failure_persistence: None,
            max_shrink_iters: 4096,
            ..Config::default()
        };
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&round.to_le_bytes());
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
        let mut runner = TestRunner::new_with_rng(config, rng);
        let sound = self.sound(wrap);
        let readable = std::cell::Cell::new(0);
        let result = runner.run(&(any::<Index>(), mutations()), |(victim, mutations)| {
            let victim = victim.index(self.files.len());
            let file = changed(&self.files[victim].1, &mutations, wrap);
            let outcome = self.check(&sound[victim].0, &file);
            put(&self.folder.path().join(&sound[victim].0), &sound[victim].1);
            readable.set(readable.get() + u32::from(outcome?));
            Ok(())
        });
        if let Err(proptest::test_runner::TestError::Fail(reason, (victim, mutations))) = result {
            let (name, bytes) = &self.files[victim.index(self.files.len())];
            let path = self.keep(name, &changed(bytes, &mutations, wrap));
            panic!("{}: {reason}; the input is {}", self.name, path.display());
        }
        readable.get()
    }

    /// Reads the folder with one changed file, and tells whether that could be read.
    fn check(&self, name: &str, file: &[u8]) -> std::result::Result<bool, TestCaseError> {
        put(&self.folder.path().join(name), file);
        let started = Instant::now();
        watchdog::watch(self.folder.path());
        let (result, peak) = peak_of(|| (self.read)(self.folder.path()));
        watchdog::rest();
        let took = started.elapsed();
        prop_assert!(took < PATIENCE, "took {took:?}");
        let most = ALWAYS + self.bytes_per_byte * file.len();
        prop_assert!(
            peak <= most,
            "held {peak} bytes for a file of {}",
            file.len()
        );
        let Err(error) = result else {
            return Ok(true);
        };
        let message = error.to_string();
        prop_assert!(
            !message.contains(char::is_control),
            "{message:?} is not one line"
        );
        prop_assert!(message.len() < 1000, "{message} is long");
        prop_assert!(!error.hint().is_empty(), "{message}: no hint");
        Ok(false)
    }

    /// Writes an input where it can be found.
    fn keep(&self, name: &str, file: &[u8]) -> PathBuf {
        let name = name.replace('/', "-");
        let path = std::env::temp_dir().join(format!(
            "spinal-fuzz-{}-{name}",
            self.name.replace(' ', "-")
        ));
        fs::write(&path, file).unwrap();
        path
    }
}

/// Writes a file anew: file systems wait for the disk where one is emptied and written again.
fn put(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let _ = fs::remove_file(path);
    fs::write(path, bytes).unwrap();
}

fn changed(sound: &[u8], mutations: &[Mutation], wrap: fn(Vec<u8>) -> Vec<u8>) -> Vec<u8> {
    let mut file = sound.to_vec();
    mutations
        .iter()
        .for_each(|mutation| mutation.apply(&mut file));
    wrap(file)
}

/// One reader at a time, so that the bytes counted are its own.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}
