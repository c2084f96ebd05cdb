//! Images of one size in a file: written once, then read one by one.
//!
//! Their bytes stand one after another, behind them the CRC-32 of each, and at the end a key that tells what they were made of.
//! The file gets its name when all of that is written.

#![expect(
    clippy::disallowed_types,
    reason = "when a file was used last: a clock that jumps costs a decoding at most"
)]

use std::fs::{File, FileTimes};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use flate2::Crc;
use tempfile::NamedTempFile;

use crate::error::{Error, Result};

/// What tells one file from another.
pub(super) type Key = [u8; 32];

/// The ending of a file that is not whole yet.
pub(super) const PARTIAL: &str = ".partial";

/// Images in a file.
#[derive(Clone, Debug)]
pub struct Stored {
    whole: Arc<Whole>,
    /// The images that there are, by their places in the file.
    places: Vec<u32>,
}

/// A file with all images that were written.
#[derive(Debug)]
struct Whole {
    path: PathBuf,
    file: Mutex<File>,
    image_bytes: usize,
    checksums: Vec<u32>,
}

/// The same images of the same open file.
impl PartialEq for Stored {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.whole, &other.whole) && self.places == other.places
    }
}

impl Eq for Stored {}

impl Stored {
    /// The images of a file; none if it is not there, or not whole, or of another key.
    pub(super) fn open(path: &Path, key: &Key, count: usize, image_bytes: usize) -> Option<Self> {
        let writable = File::options().read(true).write(true).open(path);
        let mut file = writable.or_else(|_| File::open(path)).ok()?;
        let pixels = count as u64 * image_bytes as u64;
        let ending = 4 * count + key.len();
        if file.metadata().ok()?.len() != pixels + ending as u64 {
            return None;
        }
        let mut bytes = vec![0; ending];
        file.seek(SeekFrom::Start(pixels)).ok()?;
        file.read_exact(&mut bytes).ok()?;
        let (checksums, found) = bytes.split_at(4 * count);
        if found != key {
            return None;
        }
        // When it was used last decides which files are removed first; a file system that keeps no times is no obstacle.
        let _ = file.set_times(FileTimes::new().set_modified(SystemTime::now()));
        let (checksums, _) = checksums.as_chunks();
        Some(Self {
            whole: Arc::new(Whole {
                path: path.to_path_buf(),
                file: Mutex::new(file),
                image_bytes,
                checksums: checksums
                    .iter()
                    .map(|&word| u32::from_le_bytes(word))
                    .collect(),
            }),
            places: (0..count as u32).collect(),
        })
    }

    /// The bytes of one image.
    ///
    /// # Errors
    /// `Error::File` if the file cannot be read, or the image is not as it was written: then the file is removed, so that the
    /// next start makes another.
    pub(super) fn read(&self, index: usize) -> Result<Vec<u8>> {
        self.whole.read(self.places[index])
    }

    /// The bytes of all images.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub(super) fn read_all(&self) -> Result<Vec<u8>> {
        let mut all = Vec::with_capacity(self.places.len() * self.whole.image_bytes);
        for index in 0..self.places.len() {
            all.extend(self.read(index)?);
        }
        Ok(all)
    }

    /// Leaves the images at these places out of those that there are.
    pub(super) fn keep(&mut self, places: &[usize]) {
        self.places = places.iter().map(|&place| self.places[place]).collect();
    }
}

impl Whole {
    fn read(&self, place: u32) -> Result<Vec<u8>> {
        let mut bytes = vec![0; self.image_bytes];
        let what = match self.read_bytes(place, &mut bytes) {
            Ok(()) if checksum(&bytes) == self.checksums[place as usize] => return Ok(bytes),
            Ok(()) => format!("is damaged: picture {place} is not as it was written"),
            Err(error) => format!("cannot be read: {error}"),
        };
        // What cannot be removed is found damaged again.
        let _ = std::fs::remove_file(&self.path);
        let hint = "start again: the file is removed, and the pictures are decoded anew";
        Err(Error::file(&self.path, what, hint))
    }

    fn read_bytes(&self, place: u32, bytes: &mut [u8]) -> io::Result<()> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(u64::from(place) * self.image_bytes as u64))?;
        file.read_exact(bytes)
    }
}

/// A file that images are being written to; gone with this value, if it is not finished.
pub(super) struct Writer {
    file: NamedTempFile,
    checksums: Vec<u8>,
}

impl Writer {
    /// Begins a file in a folder, which is made where it is missing.
    pub fn begin(folder: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        Ok(Self {
            file: tempfile::Builder::new()
                .prefix(".")
                .suffix(PARTIAL)
                .tempfile_in(folder)?,
            checksums: Vec::new(),
        })
    }

    /// Adds images of so many bytes each.
    pub fn add(&mut self, images: &[u8], image_bytes: usize) -> io::Result<()> {
        for image in images.chunks_exact(image_bytes) {
            self.checksums.extend(checksum(image).to_le_bytes());
        }
        self.file.write_all(images)
    }

    /// Ends the file, and gives it its name. Nobody waits for the disk: what a power cut leaves of it is found damaged.
    pub fn finish(mut self, path: &Path, key: &Key) -> io::Result<()> {
        self.file.write_all(&self.checksums)?;
        self.file.write_all(key)?;
        self.file.persist(path).map_err(|error| error.error)?;
        Ok(())
    }
}

fn checksum(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    const KEY: Key = [7; 32];

    /// Three images of two bytes.
    fn written() -> (TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deeper/three.bytes");
        let mut writer = Writer::begin(path.parent().unwrap()).unwrap();
        writer.add(&[1, 2, 3, 4], 2).unwrap();
        writer.add(&[5, 6], 2).unwrap();
        assert!(!path.exists());
        writer.finish(&path, &KEY).unwrap();
        (folder, path)
    }

    fn open(path: &Path) -> Option<Stored> {
        Stored::open(path, &KEY, 3, 2)
    }

    #[test]
    fn images_are_read_as_they_were_written() {
        let (_folder, path) = written();
        let mut stored = open(&path).unwrap();
        assert_eq!(stored.read(2).unwrap(), [5, 6]);
        assert_eq!(stored.read(0).unwrap(), [1, 2]);
        stored.keep(&[1, 2]);
        stored.keep(&[1]);
        assert_eq!(stored.read(0).unwrap(), [5, 6]);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_not_whole_or_of_other_images_is_not_opened() {
        let (_folder, path) = written();
        assert!(Stored::open(&path, &[8; 32], 3, 2).is_none());
        assert!(Stored::open(&path, &KEY, 2, 2).is_none());
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        assert!(open(&path).is_none());
        fs::write(&path, vec![0; bytes.len()]).unwrap();
        assert!(open(&path).is_none());
        fs::remove_file(&path).unwrap();
        assert!(open(&path).is_none());
    }

    #[test]
    fn a_damaged_image_is_named_and_its_file_removed() {
        let (_folder, path) = written();
        let mut bytes = fs::read(&path).unwrap();
        bytes[3] ^= 1;
        fs::write(&path, bytes).unwrap();
        let stored = open(&path).unwrap();
        assert_eq!(stored.read(2).unwrap(), [5, 6]);
        let error = stored.read(1).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("three.bytes: is damaged: picture 1"),
            "{error}"
        );
        assert!(!path.exists());
        assert!(error.hint().contains("start again"));
    }

    #[test]
    fn an_unfinished_file_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = Writer::begin(folder.path()).unwrap();
        writer.add(&[1, 2], 2).unwrap();
        drop(writer);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
