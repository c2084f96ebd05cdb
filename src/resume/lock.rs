//! One program at a time in a folder.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};

/// How long a process that was killed may take to be gone.
const PATIENCE: Duration = Duration::from_secs(2);

/// Keeps other processes out of a folder while it lives, also where the folder gets another name. A process that is killed
/// leaves nothing behind.
#[derive(Debug)]
pub struct Lock {
    // Where a system cannot lock folders, there are no locks to respect.
    _folder: Option<File>,
}

impl Lock {
    /// Locks a folder; nothing if another process has done so, and does not end at this moment.
    pub fn try_of(folder: &Path) -> Option<Self> {
        let Ok(file) = File::open(folder) else {
            return Some(Self { _folder: None });
        };
        let since = Instant::now();
        while let Err(TryLockError::WouldBlock) = file.try_lock() {
            if since.elapsed() > PATIENCE {
                return None;
            }
            thread::sleep(PATIENCE / 50);
        }
        Some(Self {
            _folder: Some(file),
        })
    }

    /// Locks a folder.
    ///
    /// # Errors
    /// `Error::File` if another process has done so.
    pub fn of(folder: &Path) -> Result<Self> {
        Self::try_of(folder).ok_or_else(|| busy(folder))
    }

    /// Locks a folder once those that have done so are through: for work of a moment.
    pub fn wait_for(folder: &Path) -> Self {
        let file = File::open(folder).ok();
        // As above.
        let _folder = file.filter(|file| file.lock().is_ok());
        Self { _folder }
    }
}

/// The refusal to work where another process does.
pub fn busy(folder: &Path) -> Error {
    Error::file(
        folder,
        "another process is working in it",
        "wait for its end, or choose another folder with --out",
    )
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_lock_holds_as_long_as_it_lives_whatever_the_folder_is_called() {
        let root = tempfile::tempdir().unwrap();
        let [first, second] = ["first", "second"].map(|name| root.path().join(name));
        std::fs::create_dir(&first).unwrap();
        let lock = Lock::of(&first).unwrap();
        let error = Lock::of(&first).unwrap_err().to_string();
        assert!(
            error.ends_with("another process is working in it"),
            "{error}"
        );
        std::fs::rename(&first, &second).unwrap();
        assert!(Lock::try_of(&second).is_none());
        let soon = thread::spawn(move || {
            thread::sleep(PATIENCE / 4);
            drop(lock);
        });
        drop(Lock::of(&second).unwrap());
        soon.join().unwrap();
        drop(Lock::wait_for(&second));
        Lock::of(&second).unwrap();
    }
}
