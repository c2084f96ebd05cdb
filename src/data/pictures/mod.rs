//! Data sets of PNG or JPEG pictures, by the layout that is found: class folders, or lists in files of MATLAB's.

mod caltech101;
mod class_folders;
mod decode;
mod folder;
mod listing;
mod monkey_names;
mod oxford102;
mod stanford_cars;
mod storage;

use std::path::Path;

use listing::{Listed, Listing};
use rayon::prelude::*;
pub(super) use storage::Storage;

use super::{Division, Splits, picture};
use crate::error::Result;

/// What is said about a tree that is of no layout known here.
const HINT: &str = "give a folder of class folders with PNG or JPEG pictures, or one with such folders \
     named train, test and val";

/// Rows and columns of the pictures that are kept; without them, what they have on disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sides {
    /// Of those to train on, and those held out.
    pub train: Option<u32>,
    /// Of those to test on.
    pub test: Option<u32>,
    /// Of those without, if the pictures on disk differ.
    pub mixed: Option<u32>,
}

/// What a tree of pictures holds.
#[derive(Debug, PartialEq)]
pub(super) struct Pictures {
    pub splits: Splits,
    pub class_names: Vec<String>,
    /// How many at the end of the training images are the validation split.
    pub held_out: usize,
    pub division: Division,
    /// What there is to tell, a line each.
    pub notes: Vec<String>,
}

/// A reader of the lists of a layout.
type Lister = fn(&Path) -> Result<Listing>;

/// Whether a folder is of a layout.
type Detector = fn(&Path) -> bool;

/// The layouts that a folder is tried for; the last is the common one.
const LAYOUTS: [(Detector, Lister); 4] = [
    (oxford102::is_it, oxford102::list),
    (stanford_cars::is_it, stanford_cars::list),
    (caltech101::is_it, caltech101::list),
    (class_folders::is_it, class_folders::list),
];

/// Whether the folder is of a layout of pictures.
pub(super) fn is_picture_folder(folder: &Path) -> bool {
    LAYOUTS.iter().any(|(is_it, _)| is_it(folder))
}

/// Reads the pictures as RGB, into memory or, where they are too many, into a file.
///
/// With a side a picture is scaled until its shorter side has that many pixels, and cut around its centre; without, all
/// pictures must be of one size. The pictures keep the order of their files.
///
/// # Errors
/// A tree of no layout, a file that is no picture (the first one, in the order of the files), a class without pictures or
/// missing from a split, more than 256 classes, pictures of different size without a side, or more of them than find a place.
pub(super) fn read(folder: &Path, sides: Sides, storage: &Storage) -> Result<Pictures> {
    let layout = LAYOUTS.iter().find(|(is_it, _)| is_it(folder));
    let (_, list) = layout.expect("the folder is of a layout of pictures");
    let listing = list(folder)?;
    let held_out = listing.held_out.len();
    let train = [listing.train, listing.held_out].concat();
    let parts = [&train, &listing.test];
    let mut notes = Vec::new();
    let mut of_parts = [sides.train, sides.test];
    if let Some(side) = sides
        .mixed
        .filter(|_| of_parts.contains(&None) && differ(parts))
    {
        of_parts = of_parts.map(|told| told.or(Some(side)));
        notes.push(format!(
            "pictures differ in size: scaled and cut to {side} x {side} pixels, or as --image-size says"
        ));
    }
    let ([train, test], of_decoding) = decode::decode(parts, of_parts, storage)?;
    notes.extend(of_decoding);
    Ok(Pictures {
        splits: Splits {
            train,
            test,
            classes: listing.class_names.len(),
        },
        class_names: listing.class_names,
        held_out,
        division: listing.division,
        notes,
    })
}

/// Whether a picture has another size than the first. Those that cannot be read are for decoding to tell of.
fn differ(parts: [&Listed; 2]) -> bool {
    let Ok(first) = picture::size(&parts[0][0].0) else {
        return false;
    };
    let all = parts[0].par_iter().chain(parts[1]);
    all.any(|(path, _)| picture::size(path).is_ok_and(|size| size != first))
}

#[cfg(test)]
mod trees {
    //! Small trees of pictures for tests.

    use std::fs;
    use std::path::Path;
    use std::time::Duration;

    use image::{Rgb, RgbImage};
    use tempfile::TempDir;

    use super::listing::Listed;
    use super::{Pictures, Sides, Storage};
    use crate::error::Result;

    /// Reads pictures into memory.
    pub fn read(folder: &Path, sides: Sides) -> Result<Pictures> {
        let storage = Storage {
            memory: u64::MAX,
            folder: None,
            kept_after: Duration::MAX,
        };
        super::read(folder, sides, &storage)
    }

    /// Adds a picture of one colour.
    pub fn add(root: &TempDir, name: &str, width: u32, height: u32, colour: u8) {
        let path = root.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let picture = RgbImage::from_pixel(width, height, Rgb([colour, 0, 0]));
        picture.save(path).unwrap();
    }

    /// The files of a listing without their root, and their classes.
    pub fn relative(root: &Path, listed: &Listed) -> Vec<(String, u8)> {
        let name = |(path, class): &(std::path::PathBuf, u8)| {
            let path = path.strip_prefix(root).unwrap();
            (path.to_str().unwrap().replace('\\', "/"), *class)
        };
        listed.iter().map(name).collect()
    }
}
