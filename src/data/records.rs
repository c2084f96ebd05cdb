//! Files of records of one size without a header, as CIFAR and STL-10 are published.

use std::path::{Path, PathBuf};

use super::BROKEN_HINT;
use crate::error::{Error, Result};
use crate::file;

/// The contents of a file of at least one record.
#[derive(Debug)]
pub(super) struct Records {
    /// All of them, one behind the other.
    pub bytes: Vec<u8>,
    pub count: usize,
    path: PathBuf,
}

impl Records {
    /// Reads a file whose records have `record_bytes`.
    ///
    /// # Errors
    /// A file that cannot be read, is empty or ends inside a record.
    pub(super) fn read(path: &Path, record_bytes: usize) -> Result<Self> {
        let refuse = |what: String| Error::file(path, what, BROKEN_HINT);
        let bytes = file::read(path, u64::MAX, BROKEN_HINT)?;
        if bytes.is_empty() {
            let what = format!("is empty, expected records of {record_bytes} bytes");
            return Err(refuse(what));
        }
        let (count, rest) = (bytes.len() / record_bytes, bytes.len() % record_bytes);
        if rest != 0 {
            return Err(refuse(format!(
                "ends at byte {} inside the record that begins at byte {}, expected a multiple of {record_bytes} bytes",
                bytes.len(),
                bytes.len() - rest
            )));
        }
        Ok(Self {
            bytes,
            count,
            path: path.to_path_buf(),
        })
    }

    /// Refuses the file for a byte in it.
    pub(super) fn refuse_byte(&self, at: usize, what: &str, expected: &str) -> Error {
        let what = format!(
            "{what} {} at byte {at}, expected {expected}",
            self.bytes[at]
        );
        Error::file(&self.path, what, BROKEN_HINT)
    }
}

/// Appends an image to `pixels`, channels last, given as one plane per channel.
pub(super) fn interleave(planes: &[u8], channels: usize, pixels: &mut Vec<u8>) {
    let plane = planes.len() / channels;
    for at in 0..plane {
        pixels.extend((0..channels).map(|channel| planes[channel * plane + at]));
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn read(bytes: &[u8]) -> Result<Records> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), bytes).unwrap();
        Records::read(file.path(), 3)
    }

    #[test]
    fn whole_records_are_read() {
        let records = read(&[1, 2, 3, 4, 5, 6]).unwrap();
        assert_eq!(records.count, 2);
        assert_eq!(records.bytes, [1, 2, 3, 4, 5, 6]);
        let error = records.refuse_byte(4, "label", "less").to_string();
        assert!(error.ends_with("label 5 at byte 4, expected less"));
    }

    #[test]
    fn empty_cut_and_missing_files_are_refused() {
        let message = read(&[]).unwrap_err().to_string();
        assert!(message.contains("is empty, expected records of 3"));
        for bytes in [4, 5] {
            let message = read(&[0; 5][..bytes]).unwrap_err().to_string();
            let expected = format!("ends at byte {bytes} inside the record that begins at byte 3");
            assert!(message.contains(&expected), "{message}");
        }
        assert!(Records::read(Path::new("no/such/file"), 3).is_err());
    }

    #[test]
    fn planes_become_pixels() {
        let mut pixels = vec![9];
        interleave(&[1, 2, 3, 4, 5, 6], 3, &mut pixels);
        assert_eq!(pixels, [9, 1, 3, 5, 2, 4, 6]);
    }
}
