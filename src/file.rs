//! Opening files that others wrote: regular ones only, so that no pipe is waited for and no device read without end.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use crate::error::{Error, Result};
use crate::host_memory;

/// The largest file of text that is meant: settings, labels, reports, and the steps of a long training.
pub(crate) const MAX_TEXT_BYTES: u64 = 1 << 30;

/// A regular file, open for reading, and its length in bytes.
///
/// # Errors
/// A file that cannot be opened, or is a folder, a pipe, a device or a link to one. The error carries `hint`.
pub(crate) fn open(path: &Path, hint: &str) -> Result<(File, u64)> {
    let unreadable = |error: io::Error| Error::file(path, format!("cannot be read: {error}"), hint);
    // Looked at before it is opened: opening a pipe waits for its writer.
    check_kind(path, &fs::metadata(path).map_err(unreadable)?, hint)?;
    let file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    check_kind(path, &metadata, hint)?;
    Ok((file, metadata.len()))
}

/// The bytes of a regular file of at most `most_bytes`.
///
/// # Errors
/// As [`open`], and a file that is larger, or larger than the memory that is free.
pub(crate) fn read(path: &Path, most_bytes: u64, hint: &str) -> Result<Vec<u8>> {
    let refuse = |what: String| Error::file(path, what, hint);
    let (file, length) = open(path, hint)?;
    if length > most_bytes {
        return Err(refuse(format!(
            "is {length} bytes, expected at most {most_bytes}"
        )));
    }
    host_memory::check(path, length)?;
    let mut bytes = Vec::with_capacity(length as usize);
    file.take(most_bytes)
        .read_to_end(&mut bytes)
        .map_err(|error| refuse(format!("cannot be read: {error}")))?;
    Ok(bytes)
}

/// The text of a regular file of at most [`MAX_TEXT_BYTES`].
///
/// # Errors
/// As [`read`], and a file that is not UTF-8.
pub(crate) fn read_text(path: &Path, hint: &str) -> Result<String> {
    String::from_utf8(read(path, MAX_TEXT_BYTES, hint)?).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Error::file(path, format!("is no text: byte {at} is not UTF-8"), hint)
    })
}

fn check_kind(path: &Path, metadata: &fs::Metadata, hint: &str) -> Result<()> {
    match metadata {
        _ if metadata.is_file() => Ok(()),
        _ if metadata.is_dir() => Err(Error::file(path, "is a folder, expected a file", hint)),
        _ => Err(Error::file(path, "is not a regular file", hint)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(path: &Path) -> String {
        let error = read(path, 4, "hint").unwrap_err();
        assert_eq!(error.hint(), "hint");
        error.to_string()
    }

    #[test]
    fn a_file_is_read_up_to_its_bound() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "four").unwrap();
        assert_eq!(read(&path, 4, "").unwrap(), b"four");
        fs::write(&path, "fives").unwrap();
        assert!(message(&path).ends_with("file: is 5 bytes, expected at most 4"));
        assert!(message(&folder.path().join("none")).contains("cannot be read"));
        assert!(message(folder.path()).ends_with("is a folder, expected a file"));
    }

    #[test]
    fn text_is_utf_8() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, b"ab\xff").unwrap();
        let message = read_text(&path, "").unwrap_err().to_string();
        assert!(message.ends_with("is no text: byte 2 is not UTF-8"));
    }

    #[cfg(unix)]
    #[test]
    fn links_to_devices_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("link");
        std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
        assert!(message(&path).ends_with("link: is not a regular file"));
    }
}
