//! Files that are either whole or absent: written beside their place, then renamed into it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// What the name of an unfinished file ends with.
const PARTIAL: &str = ".partial";

/// Writes `bytes` to `path`, replacing a file that is there.
///
/// # Errors
/// `Error::File` if the folder or the file cannot be written; an old file is then left as it was.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let partial = partial_path(path);
    write_and_rename(&partial, path, bytes).map_err(|error| {
        // The cause is already on its way to the user; a file that was never created needs no removal.
        let _ = fs::remove_file(&partial);
        cannot_write(path, &error)
    })
}

/// Refuses a `path` that [`write`] could not write, before there is anything to write.
///
/// # Errors
/// `Error::File` if `path` is a folder, or the file cannot be created in its own.
pub(crate) fn check(path: &Path) -> Result<()> {
    let partial = partial_path(path);
    let created = if path.is_dir() {
        Err(io::Error::from(io::ErrorKind::IsADirectory))
    } else {
        File::create(&partial).and_then(|_| fs::remove_file(&partial))
    };
    created.map_err(|error| cannot_write(path, &error))
}

fn cannot_write(path: &Path, error: &io::Error) -> Error {
    Error::file(
        path,
        format!("cannot be written: {error}"),
        "check that the folder exists, may be written to and has space left",
    )
}

fn write_and_rename(partial: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(partial)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(partial, path)?;
    sync_folder(path)
}

/// Makes a rename outlive a power cut: the new name is in the folder, which is a file of its own.
#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// Elsewhere folders cannot be opened.
#[cfg(not(unix))]
fn sync_folder(_path: &Path) -> io::Result<()> {
    Ok(())
}

/// Removes what a program that was killed left unfinished in a folder. Nobody else may be writing there.
///
/// # Errors
/// `Error::File` if that is not possible.
pub(crate) fn remove_partials(folder: &Path) -> Result<()> {
    let removed = fs::read_dir(folder).and_then(|entries| {
        for entry in entries {
            let entry = entry?;
            if is_partial(&entry.file_name().to_string_lossy()) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    });
    removed.map_err(|error| cannot_write(folder, &error))
}

/// Whether a name is one of [`partial_path`].
fn is_partial(name: &str) -> bool {
    let stem = name
        .strip_prefix('.')
        .and_then(|name| name.strip_suffix(PARTIAL));
    let number = stem.and_then(|stem| stem.rsplit_once('.'));
    number.is_some_and(|(_, process)| process.parse::<u32>().is_ok())
}

/// A hidden name in the same folder, so that the rename never crosses a file system.
fn partial_path(path: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}{PARTIAL}", std::process::id()));
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(folder: &Path) -> usize {
        fs::read_dir(folder).unwrap().count()
    }

    #[test]
    fn replaces_the_old_file_and_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("curves.svg");
        write(&path, b"old").unwrap();
        write(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(entries(folder.path()), 1);
    }

    #[test]
    fn a_failed_write_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        assert!(write(&folder.path().join("missing/file"), b"x").is_err());
        assert_eq!(entries(folder.path()), 0);

        let occupied = folder.path().join("occupied");
        fs::create_dir(&occupied).unwrap();
        fs::write(occupied.join("child"), b"").unwrap();
        let error = write(&occupied, b"x").unwrap_err();
        assert!(
            error.to_string().contains("occupied: cannot be written"),
            "{error}"
        );
        assert_eq!(entries(folder.path()), 1);
    }

    #[test]
    fn what_a_killed_program_left_is_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["weights", ".x.partial", "a.7.partial", ".hidden"] {
            fs::write(folder.path().join(name), b"").unwrap();
        }
        fs::write(partial_path(&folder.path().join("weights")), b"half").unwrap();
        remove_partials(folder.path()).unwrap();
        assert_eq!(entries(folder.path()), 4);
    }
}
