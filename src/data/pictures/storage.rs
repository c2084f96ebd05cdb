//! Where decoded pictures are kept: how much memory they may take, and the files of those that take more, or longer to decode.

#![expect(
    clippy::disallowed_types,
    reason = "which file was used last: a clock that jumps costs a decoding at most"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};

use super::listing::Listed;
use crate::data::digest::hex;
use crate::data::stored::{Key, PARTIAL};
use crate::error::{Error, Result};
use crate::host_memory;

/// The environment variable that says how many bytes of memory decoded pictures may take.
const MEMORY_VARIABLE: &str = "SPINAL_MEMORY";

/// Of the machine's memory, decoded pictures take one part in so many, as a CPU adapter holds a copy of them, the upload
/// another, and the training wants some, too. It is the memory there is, not what is free: the same training is the same then.
const MEMORY_SHARE: u64 = 4;

/// The memory that decoded pictures take where the system does not tell what it has.
const UNTOLD_MEMORY: u64 = 2 << 30;

/// Pictures that fit into memory are kept in a file if decoding them took longer. Two cores decode 400 pictures of half a
/// megapixel in half a second, and write 1.2 GB in four.
const KEPT_AFTER: Duration = Duration::from_secs(10);

/// A file is removed before another is written, if those used later have more bytes together.
const KEPT_BYTES: u64 = 16 << 30;

/// Nobody is still writing to an unfinished file that is so old.
const ABANDONED: Duration = Duration::from_secs(24 * 3600);

/// Changes with the layout of the files and with what decoding makes of a picture.
const FORMAT: u32 = 1;

/// What decoded pictures may take, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::data) struct Storage {
    /// Bytes of memory.
    pub memory: u64,
    /// The folder of their files; without it there are none.
    pub folder: Option<PathBuf>,
    /// How long those that fit into memory may take to decode without being kept in a file.
    pub kept_after: Duration,
}

impl Storage {
    /// As the environment and the machine say.
    ///
    /// # Errors
    /// `Error::Usage` if the environment says something else than a number.
    pub fn choose(folder: Option<PathBuf>) -> Result<Self> {
        let memory = match std::env::var(MEMORY_VARIABLE) {
            Ok(text) => told(&text)?,
            Err(_) => host_memory::total().map_or(UNTOLD_MEMORY, |bytes| bytes / MEMORY_SHARE),
        };
        Ok(Self {
            memory,
            folder,
            kept_after: KEPT_AFTER,
        })
    }

    /// The file of that key.
    pub fn file(folder: &Path, key: &Key) -> PathBuf {
        folder.join(format!("{}.bytes", hex(&key[..16])))
    }
}

fn told(text: &str) -> Result<u64> {
    text.trim().parse().map_err(|_| {
        Error::usage(
            format!("{MEMORY_VARIABLE}={text}: expected a number of bytes"),
            "give as many bytes as decoded pictures may take of memory, or unset it",
        )
    })
}

/// Tells decoded pictures from others: their files with sizes and times of change, and the size that they get, or have to have.
///
/// # Errors
/// `Error::File` if one of the files is not there.
pub(super) fn key(listed: &Listed, [height, width]: [usize; 2], fits: bool) -> Result<Key> {
    let mut digest = Sha256::new();
    digest.update(FORMAT.to_le_bytes());
    for number in [height, width, usize::from(fits), listed.len()] {
        digest.update((number as u64).to_le_bytes());
    }
    for (path, _) in listed {
        let unreadable = |error: std::io::Error| {
            Error::file(path, format!("cannot be read: {error}"), super::HINT)
        };
        let metadata = fs::metadata(path).map_err(unreadable)?;
        let absolute = std::path::absolute(path).map_err(unreadable)?;
        let name = absolute.as_os_str().as_encoded_bytes();
        let changed = metadata.modified().unwrap_or(UNIX_EPOCH);
        let age = changed.duration_since(UNIX_EPOCH).unwrap_or_default();
        digest.update((name.len() as u64).to_le_bytes());
        digest.update(name);
        digest.update(metadata.len().to_le_bytes());
        digest.update(age.as_nanos().to_le_bytes());
    }
    Ok(digest.finalize().into())
}

/// Removes files that were abandoned unfinished, and those used longest ago. What cannot be removed stays.
pub(super) fn sweep(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    let mut files: Vec<(SystemTime, u64, PathBuf)> = entries
        .filter_map(|entry| {
            let (path, metadata) = entry
                .and_then(|entry| Ok((entry.path(), entry.metadata()?)))
                .ok()?;
            Some((metadata.modified().ok()?, metadata.len(), path))
        })
        .collect();
    files.sort_by(|a, b| b.cmp(a));
    let mut bytes = 0;
    for (changed, length, path) in files {
        let is_surplus = match path.extension() {
            Some(ending) if ending == "bytes" => {
                let later = bytes;
                bytes += length;
                later > KEPT_BYTES
            }
            Some(ending) if ending == &PARTIAL[1..] => {
                changed.elapsed().is_ok_and(|age| age > ABANDONED)
            }
            _ => false,
        };
        if is_surplus {
            let _ = fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{File, FileTimes};

    use super::*;

    #[test]
    fn memory_is_told_in_bytes() {
        assert_eq!(told(" 1000 ").unwrap(), 1000);
        let error = told("1G").unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(
            error.to_string().starts_with("SPINAL_MEMORY=1G: "),
            "{error}"
        );
    }

    #[test]
    fn a_key_is_of_files_and_sizes() {
        let folder = tempfile::tempdir().unwrap();
        let paths = ["a", "b"].map(|name| folder.path().join(name));
        paths.iter().for_each(|path| fs::write(path, "x").unwrap());
        let listed: Listed = paths.iter().map(|path| (path.clone(), 0)).collect();
        let found = key(&listed, [2, 3], true).unwrap();
        assert_eq!(key(&listed, [2, 3], true).unwrap(), found);
        assert_ne!(key(&listed, [3, 2], true).unwrap(), found);
        assert_ne!(key(&listed, [2, 3], false).unwrap(), found);
        assert_ne!(key(&listed[..1].to_vec(), [2, 3], true).unwrap(), found);
        let later = FileTimes::new().set_modified(SystemTime::now() + Duration::from_secs(9));
        File::options()
            .write(true)
            .open(&paths[1])
            .unwrap()
            .set_times(later)
            .unwrap();
        assert_ne!(key(&listed, [2, 3], true).unwrap(), found);
        fs::remove_file(&paths[1]).unwrap();
        let message = key(&listed, [2, 3], true).unwrap_err().to_string();
        assert!(message.contains("b: cannot be read"), "{message}");
    }

    #[test]
    fn files_used_longest_ago_are_removed_and_strangers_left() {
        let folder = tempfile::tempdir().unwrap();
        let hour = Duration::from_secs(3600);
        // The lengths are claimed, not written.
        for (name, gib, hours) in [
            ("new.bytes", 15, 1),
            ("used.bytes", 6, 2),
            ("old.bytes", 2, 3),
            (".young.partial", 0, 4),
            (".abandoned.partial", 0, 30),
            ("notes.txt", 0, 40),
        ] {
            let file = File::create(folder.path().join(name)).unwrap();
            file.set_len(gib << 30).unwrap();
            let then = SystemTime::now() - hours * hour;
            file.set_times(FileTimes::new().set_modified(then)).unwrap();
        }
        sweep(folder.path());
        let mut left: Vec<String> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        assert_eq!(
            left,
            [".young.partial", "new.bytes", "notes.txt", "used.bytes"]
        );
    }
}
