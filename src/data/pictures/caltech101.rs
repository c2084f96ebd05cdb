//! Caltech-101: `101_ObjectCategories/CLASS/image_0001.jpg`, without an official split.
//!
//! The background pictures are no class, as in torchvision and in the paper. Of every class a tenth, drawn by a fixed seed, is
//! held out for validation and a tenth is to test on, which holds out the 820 pictures of the paper's notebook.
//! Source: <https://data.caltech.edu/records/mzrjq-6wc02>.

use std::path::{Path, PathBuf};

use super::class_folders::list_folders;
use super::folder::subfolders;
use super::listing::{Listed, Listing};
use crate::data::order::shuffled;
use crate::data::{Division, MAX_CLASSES};
use crate::error::{Error, Result};

const CATEGORIES: &str = "101_ObjectCategories";
const BACKGROUND: &str = "BACKGROUND_Google";

/// Of every class one picture in so many is held out, and one is to test on.
const SHARE: usize = 10;

/// Determines the split.
const SEED: u64 = 0;

/// First of the ChaCha streams used here, so that another use of the same seed draws other bits.
const STREAM: u64 = u64::from_be_bytes(*b"caltech\0");

const HINT: &str = "give the folder that 101_ObjectCategories.tar.gz was unpacked in";

/// Whether the folder is that of the categories or holds it.
pub(super) fn is_it(folder: &Path) -> bool {
    folder.join(CATEGORIES).is_dir() || folder.join(BACKGROUND).is_dir()
}

/// Lists the pictures.
///
/// # Errors
/// Other folders than those of classes, too few or too many classes, or a class of fewer than three pictures.
pub(super) fn list(folder: &Path) -> Result<Listing> {
    let categories = categories(folder);
    let mut class_names = subfolders(&categories)?;
    class_names.retain(|name| name != BACKGROUND);
    if !(2..=MAX_CLASSES).contains(&class_names.len()) {
        let what = format!("has {} class folders, expected 101", class_names.len());
        return Err(Error::file(categories, what, HINT));
    }
    let mut listing = Listing {
        division: Division::Drawn {
            held_out: SHARE,
            test: SHARE,
            seed: SEED,
        },
        ..Listing::default()
    };
    let listed = list_folders(&categories, &class_names)?;
    for (class, pictures) in listed.chunk_by(|(_, a), (_, b)| a == b).enumerate() {
        if pictures.len() < 3 {
            let what = "holds fewer than three pictures, expected some to train, to validate and to test on";
            return Err(Error::file(
                categories.join(&class_names[class]),
                what,
                HINT,
            ));
        }
        divide(pictures, class as u64, &mut listing);
    }
    listing.class_names = class_names;
    Ok(listing)
}

fn categories(folder: &Path) -> PathBuf {
    match folder.join(CATEGORIES) {
        inner if inner.is_dir() => inner,
        _ => folder.to_path_buf(),
    }
}

/// Adds the pictures of a class to their parts.
fn divide(pictures: &[(PathBuf, u8)], class: u64, listing: &mut Listing) {
    let share = (pictures.len() / SHARE).max(1);
    let order = shuffled(pictures.len(), SEED, STREAM.wrapping_add(class));
    let parts: [&mut Listed; 3] = [&mut listing.held_out, &mut listing.test, &mut listing.train];
    let ends = [share, 2 * share, pictures.len()];
    let mut begin = 0;
    for (part, end) in parts.into_iter().zip(ends) {
        let mut places = order[begin..end].to_vec();
        places.sort_unstable();
        part.extend(
            places
                .into_iter()
                .map(|place| pictures[place as usize].clone()),
        );
        begin = end;
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::super::trees::{add, relative};
    use super::*;

    fn tree(counts: [usize; 2]) -> TempDir {
        let root = tempfile::tempdir().unwrap();
        for (class, count) in [
            ("accordion", counts[0]),
            ("yin_yang", counts[1]),
            (BACKGROUND, 2),
        ] {
            for index in 1..=count {
                let name = format!("{CATEGORIES}/{class}/image_{index:04}.png");
                add(&root, &name, 2, 2, index as u8);
            }
        }
        root
    }

    #[test]
    fn every_class_is_divided_by_tenths_and_the_background_is_left_out() {
        let root = tree([31, 5]);
        assert!(is_it(root.path()) && is_it(&root.path().join(CATEGORIES)));
        let listing = list(root.path()).unwrap();
        assert_eq!(listing.class_names, ["accordion", "yin_yang"]);
        let counts = |listed: &Listed| {
            [0, 1].map(|class| listed.iter().filter(|(_, found)| *found == class).count())
        };
        assert_eq!(counts(&listing.held_out), [3, 1]);
        assert_eq!(counts(&listing.test), [3, 1]);
        assert_eq!(counts(&listing.train), [25, 3]);
        let mut all = [&listing.train, &listing.held_out, &listing.test]
            .map(|listed| relative(root.path(), listed))
            .concat();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 36);
        assert_eq!(list(&root.path().join(CATEGORIES)).unwrap(), listing);
        assert!(listing.division.to_string().contains("seed 0"));
    }

    #[test]
    fn classes_too_small_to_divide_are_refused() {
        let message = list(tree([12, 2]).path()).unwrap_err().to_string();
        assert!(
            message.contains("yin_yang: holds fewer than three"),
            "{message}"
        );
    }
}
