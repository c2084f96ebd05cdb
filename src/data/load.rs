//! From a name or a folder to a data set.

use std::path::{Path, PathBuf};

use super::cache::Cache;
use super::catalog::{self, Entry, Format};
use super::elsewhere::{self, Elsewhere};
use super::idx_folder::{self, Expected};
use super::pictures::{Sides, Storage};
use super::{
    BROKEN_HINT, ImageSet, Splits, cifar, cifar_sheets, class_names, embedded, pictures, stl10,
    svhn,
};
use crate::error::{Error, Result};

/// Where Debian's package `dataset-fashion-mnist` puts its IDX files.
const FASHION_MNIST_FOLDER: &str = "/usr/share/datasets/fashion-mnist";

/// How a data set is to be read, where its format leaves a choice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadOptions {
    /// Rows and columns that pictures of a folder are scaled and cut to; without it they must be of one size.
    pub image_size: Option<u32>,
    /// The same of pictures to train and to test on, where augmentation makes other sizes of them; data sets that are stored
    /// in one size keep it.
    pub stored_sides: [Option<u32>; 2],
    /// The same without any of these, if the pictures of a folder differ in size.
    pub mixed_side: Option<u32>,
    /// Subtracted from the labels of IDX files; EMNIST's letters have 1 without it, others 0.
    pub label_offset: Option<u8>,
    /// Whether the rows and columns of every image change places; EMNIST is published lying on its side.
    pub transposed: bool,
    /// Classes that there are, where the labels of IDX files leave some out.
    pub classes: Option<usize>,
    /// Where fetched data sets lie, if not in the usual folder.
    pub cache: Option<PathBuf>,
}

/// Loads an image data set by its name or from a folder, as [`load_with`] without options.
///
/// # Errors
/// As [`load_with`].
pub fn load(name_or_dir: &str) -> Result<ImageSet> {
    load_with(name_or_dir, &LoadOptions::default())
}

/// Loads an image data set by its name or from a folder, of which the files tell the format.
///
/// A name wins over a folder of the same name; write `./mnist` for the folder.
///
/// # Errors
/// An unknown name (the message lists the valid ones), a data set that has not been fetched, files
/// that are missing or broken, or an option that its format does not have.
pub fn load_with(name_or_dir: &str, options: &LoadOptions) -> Result<ImageSet> {
    let mut set = if name_or_dir == "mnist" {
        refuse_options(options, &["--image-size", "--label-offset"])?;
        embedded::load()?
    } else if let Some(entry) = catalog::find(name_or_dir) {
        load_entry(entry, options)?
    } else {
        load_folder(name_or_dir, options)?
    };
    if options.transposed {
        if set.train.pixels.are_in_a_file() {
            return Err(Error::usage(
                format!("--transposed: the pictures of {name_or_dir} do not fit into memory"),
                "turn the files themselves, or give a smaller --image-size",
            ));
        }
        set.train.transpose();
        set.test.transpose();
    }
    Ok(set)
}

/// Whether that name is of a folder of pictures, which have the size that is asked for.
pub fn is_of_pictures(name_or_dir: &str) -> bool {
    let folder = Path::new(name_or_dir);
    let is_named = name_or_dir == "mnist" || catalog::find(name_or_dir).is_some();
    let has_records = || {
        idx_folder::is_idx_folder(folder)
            || COLOUR_FORMATS.iter().any(|(_, is_it, _)| is_it(folder))
    };
    !is_named && folder.is_dir() && !has_records() && pictures::is_picture_folder(folder)
}

/// Loads a data set that has been fetched.
fn load_entry(entry: &Entry, options: &LoadOptions) -> Result<ImageSet> {
    let folder = fetched_folder(entry, options)?;
    let set = match entry.format {
        Format::Idx { layout, classes } => {
            refuse_options(options, &["--image-size"])?;
            let expected = Expected {
                layout: Some(layout),
                classes: Some(classes),
                label_offset: options.label_offset,
                told_classes: None,
            };
            ImageSet::grey(entry.name, idx_folder::read(&folder, expected)?)
        }
        Format::Cifar10 => colour(entry.name, &folder, options, cifar::read_cifar10)?,
        Format::Cifar100 => colour(entry.name, &folder, options, cifar::read_cifar100)?,
        Format::Stl10 => colour(entry.name, &folder, options, stl10::read)?,
        Format::Svhn => colour(entry.name, &folder, options, svhn::read)?,
    };
    check_counts(entry, &folder, &set)?;
    Ok(set)
}

fn fetched_folder(entry: &Entry, options: &LoadOptions) -> Result<PathBuf> {
    let folder = Cache::choose(options.cache.as_deref())?.package(entry.package.name);
    let debian = Path::new(FASHION_MNIST_FOLDER);
    if folder.is_dir() {
        Ok(folder)
    } else if entry.name == "fashion-mnist" && debian.is_dir() {
        Ok(debian.to_path_buf())
    } else {
        Err(not_fetched(entry, &folder))
    }
}

fn not_fetched(entry: &Entry, folder: &Path) -> Error {
    let or_else = match entry.name {
        name if Path::new(name).is_dir() => format!("write ./{name} for the folder"),
        "fashion-mnist" => "install Debian's package dataset-fashion-mnist".to_owned(),
        _ => "give a folder with its files".to_owned(),
    };
    Error::file(
        folder,
        format!("{} has not been fetched", entry.name),
        format!("run `spinal data fetch {}`, or {or_else}", entry.name),
    )
}

fn check_counts(entry: &Entry, folder: &Path, set: &ImageSet) -> Result<()> {
    for (split, found, expected) in [
        ("training", set.train.count, entry.train_count),
        ("test", set.test.count, entry.test_count),
    ] {
        if found != expected {
            let what = format!("holds {found} {split} images, expected {expected}");
            let hint = "remove the folder and fetch it again, or give a folder by its path";
            return Err(Error::file(folder, what, hint));
        }
    }
    Ok(())
}

/// A reader of a colour data set whose format leaves no choice.
type Reader = fn(&Path) -> Result<Splits>;

/// Whether a folder has files of a format.
type Detector = fn(&Path) -> bool;

/// The colour formats that folders are tried for, by the data sets that have them.
const COLOUR_FORMATS: [(&str, Detector, Reader); 5] = [
    ("cifar10", cifar::is_cifar10_folder, cifar::read_cifar10),
    ("cifar100", cifar::is_cifar100_folder, cifar::read_cifar100),
    ("cifar10", cifar_sheets::is_sheet_folder, cifar_sheets::read),
    ("stl10", stl10::is_stl10_folder, stl10::read),
    ("svhn", svhn::is_svhn_folder, svhn::read),
];

fn load_folder(name: &str, options: &LoadOptions) -> Result<ImageSet> {
    let folder = Path::new(name);
    if !folder.is_dir() {
        return Err(no_folder(name));
    }
    if idx_folder::is_idx_folder(folder) {
        refuse_options(options, &["--image-size"])?;
        let expected = Expected {
            label_offset: options.label_offset,
            told_classes: options.classes,
            ..Expected::default()
        };
        return Ok(ImageSet::grey(name, idx_folder::read(folder, expected)?));
    }
    let format = COLOUR_FORMATS.iter().find(|(_, is_it, _)| is_it(folder));
    if let Some((data_set, _, reader)) = format {
        return Ok(ImageSet {
            class_names: class_names::of(data_set),
            ..colour(name, folder, options, *reader)?
        });
    }
    if pictures::is_picture_folder(folder) {
        return load_pictures(name, folder, options);
    }
    Err(Error::file(
        folder,
        "holds no data known here: no train-images-idx3-ubyte, data_batch_1.bin or .png, train.bin, \
         train_X.bin or train_32x32.mat, and no folders of pictures",
        BROKEN_HINT,
    ))
}

fn load_pictures(name: &str, folder: &Path, options: &LoadOptions) -> Result<ImageSet> {
    refuse_options(options, &["--label-offset"])?;
    let sides = Sides {
        train: options.stored_sides[0].or(options.image_size),
        test: options.stored_sides[1].or(options.image_size),
        mixed: options.mixed_side,
    };
    // Without a cache there are no files, but where pictures fit into memory none are needed.
    let cache = Cache::choose(options.cache.as_deref()).ok();
    let storage = Storage::choose(cache.map(|cache| cache.decoded_pictures()))?;
    let found = pictures::read(folder, sides, &storage)?;
    Ok(ImageSet {
        class_names: found.class_names,
        held_out: found.held_out,
        division: found.division,
        notes: found.notes,
        ..ImageSet::colour(name, found.splits)
    })
}

fn colour(name: &str, folder: &Path, options: &LoadOptions, read: Reader) -> Result<ImageSet> {
    refuse_options(options, &["--image-size", "--label-offset"])?;
    Ok(ImageSet::colour(name, read(folder)?))
}

/// Refuses options that the format does not have.
fn refuse_options(options: &LoadOptions, without: &[&str]) -> Result<()> {
    let given = [
        (
            "--image-size",
            options.image_size.is_some(),
            "folders of pictures",
        ),
        (
            "--label-offset",
            options.label_offset.is_some(),
            "IDX files",
        ),
    ];
    for (flag, is_given, format) in given {
        if is_given && without.contains(&flag) {
            return Err(Error::usage(
                format!("{flag}: it is for {format}"),
                "leave it out, or choose another data set",
            ));
        }
    }
    Ok(())
}

fn no_folder(name: &str) -> Error {
    let hint = format!(
        "give mnist, {}, or a folder with the files of one of them or with class folders of pictures",
        catalog::names().join(", ")
    );
    if Path::new(name).exists() {
        let what = "is a file, but a data set is a name or a folder";
        return Error::file(name, what, hint);
    }
    let hint = elsewhere::find(name).map_or(hint, Elsewhere::hint);
    let what = format!("there is no data set and no folder named '{name}'");
    Error::usage(what, hint)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    fn refusal(name: &str, options: &LoadOptions) -> Error {
        load_with(name, options).unwrap_err()
    }

    /// Options with an empty cache, and the folder of it.
    fn empty_cache() -> (TempDir, LoadOptions) {
        let cache = tempfile::tempdir().unwrap();
        let options = LoadOptions {
            cache: Some(cache.path().to_path_buf()),
            ..LoadOptions::default()
        };
        (cache, options)
    }

    #[test]
    fn an_unknown_name_lists_the_valid_ones() {
        let error = load("mnits").unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("'mnits'"));
        assert!(error.hint().contains("mnist, fashion-mnist, kmnist,"));
        assert!(error.hint().contains("svhn, or a folder"));
        assert!(load("").is_err());
    }

    #[test]
    fn what_is_published_elsewhere_says_where_and_what_it_looks_like() {
        let hint = load("caltech101").unwrap_err().hint().to_owned();
        assert!(hint.contains("data.caltech.edu"), "{hint}");
        assert!(hint.contains("101_ObjectCategories/CLASS"), "{hint}");
    }

    #[test]
    fn a_file_in_place_of_a_folder_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = load(file.path().to_str().unwrap()).unwrap_err();
        assert!(error.to_string().contains("is a file"), "{error}");
    }

    #[test]
    fn an_empty_folder_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let error = load(folder.path().to_str().unwrap()).unwrap_err();
        assert!(error.to_string().contains("no train-images"), "{error}");
    }

    #[test]
    fn what_has_not_been_fetched_names_the_command() {
        let (_cache, options) = empty_cache();
        for name in catalog::names() {
            if name == "fashion-mnist" {
                continue;
            }
            let error = refusal(name, &options);
            assert!(
                error.to_string().contains("has not been fetched"),
                "{error}"
            );
            assert!(error.hint().contains(&format!("spinal data fetch {name}")));
        }
        let fashion = catalog::find("fashion-mnist").unwrap();
        let error = not_fetched(fashion, Path::new("cache"));
        assert!(error.hint().contains("dataset-fashion-mnist"));
    }

    #[test]
    fn a_named_set_must_have_the_published_counts() {
        let (cache, options) = empty_cache();
        let folder = cache.path().join("cifar100");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("train.bin"), [1; 3074]).unwrap();
        fs::write(folder.join("test.bin"), [2; 2 * 3074]).unwrap();
        let message = refusal("cifar100", &options).to_string();
        let expected = "cifar100: holds 1 training images, expected 50000";
        assert!(message.ends_with(expected), "{message}");
        let set = load_with(folder.to_str().unwrap(), &options).unwrap();
        assert_eq!((set.train.count, set.test.count, set.held_out), (1, 2, 0));
        assert_eq!((set.classes, set.mean.len(), set.std.len()), (100, 3, 3));
    }

    #[test]
    fn options_that_the_format_lacks_are_refused() {
        let (cache, options) = empty_cache();
        let sized = LoadOptions {
            image_size: Some(8),
            ..options.clone()
        };
        let shifted = LoadOptions {
            label_offset: Some(1),
            ..options
        };
        let folder = cache.path().join("cifar100");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("train.bin"), [1; 3074]).unwrap();
        let cifar = folder.to_str().unwrap();
        for (name, options, flag) in [
            ("mnist", &sized, "--image-size"),
            ("mnist", &shifted, "--label-offset"),
            (cifar, &sized, "--image-size"),
            (cifar, &shifted, "--label-offset"),
        ] {
            let error = refusal(name, options);
            assert_eq!(error.exit_code(), 2);
            assert!(error.to_string().starts_with(flag), "{error}");
        }
    }

    #[test]
    fn mnist_can_be_transposed() {
        let options = LoadOptions {
            transposed: true,
            ..LoadOptions::default()
        };
        let mut set = load_with("mnist", &options).unwrap();
        set.train.transpose();
        set.test.transpose();
        assert_eq!(set, load("mnist").unwrap());
    }
}
