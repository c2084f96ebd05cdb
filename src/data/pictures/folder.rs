//! What lies in a folder.

use std::fs;
use std::path::{Path, PathBuf};

use super::HINT;
use crate::data::picture::is_named_like_a_picture;
use crate::error::{Error, Result};

/// Files that systems leave behind in any folder.
const LEFT_BEHIND: [&str; 3] = ["Thumbs.db", "desktop.ini", "__MACOSX"];

/// The files of a class folder, which holds nothing else, sorted.
pub(super) fn pictures(class: &Path) -> Result<Vec<PathBuf>> {
    let paths: Vec<PathBuf> = names(class)?
        .into_iter()
        .map(|name| class.join(name))
        .collect();
    if let Some(folder) = paths.iter().find(|path| path.is_dir()) {
        let what = "is a folder in a class folder, expected pictures";
        return Err(Error::file(folder, what, HINT));
    }
    if paths.is_empty() {
        let what = "has no pictures, expected at least one of the class";
        let hint = "add pictures of the class, or remove its folder from every split";
        return Err(Error::file(class, what, hint));
    }
    Ok(paths)
}

/// The names of the folders in a folder, sorted. A picture beside them would be lost, and is refused.
pub(super) fn subfolders(folder: &Path) -> Result<Vec<String>> {
    let (folders, files): (Vec<String>, Vec<String>) = names(folder)?
        .into_iter()
        .partition(|name| folder.join(name).is_dir());
    let is_picture = |name: &&String| is_named_like_a_picture(Path::new(name));
    match files.iter().find(is_picture) {
        Some(picture) if !folders.is_empty() => {
            let what = "lies beside class folders, expected in one of them";
            Err(Error::file(folder.join(picture), what, HINT))
        }
        _ => Ok(folders),
    }
}

/// The names in a folder, sorted, without those that begin with a dot or that systems leave behind.
fn names(folder: &Path) -> Result<Vec<String>> {
    let unreadable =
        |error: std::io::Error| Error::file(folder, format!("cannot be read: {error}"), HINT);
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name();
        let name = name.into_string().map_err(|name| {
            let what = "has a name that is not UTF-8";
            Error::file(folder.join(name), what, "rename it")
        })?;
        if !name.starts_with('.') && !LEFT_BEHIND.contains(&&*name) {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}
