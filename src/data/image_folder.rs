//! Folders of PNG or JPEG pictures, one folder per class, as torchvision's `ImageFolder` reads them.
//!
//! Either `train`, `test` and `val` (or `valid` or `validation`) hold the class folders, or the folder
//! itself does. The classes are numbered in the order of their names. Names that begin with a dot
//! are passed over.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Images, MAX_CLASSES, Splits, picture};
use crate::error::{Error, Result};

const TRAIN: &str = "train";
const TEST: &str = "test";
const VALIDATION: [&str; 3] = ["val", "valid", "validation"];

/// Without a split, every picture of a class whose index is a multiple of this is to test on.
const TEST_EVERY: usize = 5;

const HINT: &str = "give a folder of class folders with PNG or JPEG pictures, or one with such folders \
     named train, test and val";

/// Pictures on disk with their classes.
type Listing = Vec<(PathBuf, u8)>;

/// Whether the folder has folders in it.
pub(super) fn has_folders(folder: &Path) -> bool {
    subfolders(folder).is_ok_and(|folders| !folders.is_empty())
}

/// The names of the classes, in the order of their numbers.
///
/// # Errors
/// As [`read`], as far as the class folders' names tell.
pub(super) fn class_names(folder: &Path) -> Result<Vec<String>> {
    let folders = subfolders(folder)?;
    if is_split(&folders) {
        classes_of(&folder.join(TRAIN))
    } else {
        classes_of(folder)
    }
}

/// Reads the pictures as RGB, and how many at the end of the training images are the validation split.
///
/// With `image_size` a picture is scaled until its shorter side has that many pixels, and cut around
/// its centre; without, all pictures must be of one size. Where there is validation but no test split,
/// validation is the test split. Without any split, every fifth picture of a class is to test on.
///
/// # Errors
/// A tree of another form, a file that is no picture, a class without pictures or missing from a
/// split, more than 256 classes, or pictures of different size without `image_size`.
pub(super) fn read(folder: &Path, image_size: Option<u32>) -> Result<(Splits, usize)> {
    let classes = class_names(folder)?;
    let folders = subfolders(folder)?;
    let (mut train, held_out, test) = if is_split(&folders) {
        list_splits(folder, &folders, &classes)?
    } else {
        let (train, test) = divide(list(folder, &classes)?, folder, &classes)?;
        (train, Listing::new(), test)
    };
    let held_out_count = held_out.len();
    train.extend(held_out);
    let size = Size::choose(&train[0].0, image_size)?;
    let splits = Splits {
        train: decode(&train, size)?,
        test: decode(&test, size)?,
        classes: classes.len(),
    };
    Ok((splits, held_out_count))
}

/// Whether these are the folders of splits, and not of classes.
fn is_split(folders: &[String]) -> bool {
    let is_split_name =
        |name: &String| [TRAIN, TEST].contains(&&**name) || VALIDATION.contains(&&**name);
    !folders.is_empty() && folders.iter().all(is_split_name)
}

/// What to train on, what is held out of it, and what to test on.
fn list_splits(
    folder: &Path,
    folders: &[String],
    classes: &[String],
) -> Result<(Listing, Listing, Listing)> {
    let has = |name: &str| folders.iter().any(|folder| folder == name);
    let validation: Vec<&str> = VALIDATION.into_iter().filter(|name| has(name)).collect();
    if validation.len() > 1 {
        let what = format!("has {}, expected one of them", validation.join(" and "));
        return Err(Error::file(folder, what, HINT));
    }
    let split = |name: &str| list(&folder.join(name), classes);
    let train = split(TRAIN)?;
    match (validation.first(), has(TEST)) {
        (None, false) => Err(Error::file(
            folder,
            "has train, expected val or test beside it",
            HINT,
        )),
        (None, true) => Ok((train, Listing::new(), split(TEST)?)),
        (Some(validation), false) => Ok((train, Listing::new(), split(validation)?)),
        (Some(validation), true) => Ok((train, split(validation)?, split(TEST)?)),
    }
}

/// Divides the pictures of every class into those to train and to test on.
fn divide(all: Listing, folder: &Path, classes: &[String]) -> Result<(Listing, Listing)> {
    let (mut train, mut test) = (Listing::new(), Listing::new());
    for pictures in all.chunk_by(|(_, a), (_, b)| a == b) {
        if let [(_, class)] = pictures {
            return Err(Error::file(
                folder.join(&classes[usize::from(*class)]),
                "holds one file, expected a picture to train and one to test on",
                HINT,
            ));
        }
        for (index, picture) in pictures.iter().enumerate() {
            let half = if index % TEST_EVERY == 0 {
                &mut test
            } else {
                &mut train
            };
            half.push(picture.clone());
        }
    }
    Ok((train, test))
}

/// The names of the class folders of a split, sorted.
fn classes_of(folder: &Path) -> Result<Vec<String>> {
    let classes = subfolders(folder)?;
    match classes.len() {
        2..=MAX_CLASSES => Ok(classes),
        count => {
            let what =
                format!("has {count} class folders, expected from 2 to {MAX_CLASSES} classes");
            Err(Error::file(folder, what, HINT))
        }
    }
}

/// The pictures of a split, class by class.
fn list(folder: &Path, classes: &[String]) -> Result<Listing> {
    let found = subfolders(folder)?;
    if let Some(class) = found.iter().find(|class| !classes.contains(class)) {
        let what = "is a class that train does not have";
        return Err(Error::file(folder.join(class), what, HINT));
    }
    if let Some(class) = classes.iter().find(|class| !found.contains(class)) {
        let what = format!("has no class folder {class}, which train has");
        return Err(Error::file(folder, what, HINT));
    }
    let mut listing = Listing::new();
    for (class, name) in classes.iter().enumerate() {
        for path in pictures(&folder.join(name))? {
            listing.push((path, class as u8));
        }
    }
    Ok(listing)
}

/// The files of a class folder, which holds nothing else, sorted.
fn pictures(class: &Path) -> Result<Vec<PathBuf>> {
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
fn subfolders(folder: &Path) -> Result<Vec<String>> {
    let (folders, files): (Vec<String>, Vec<String>) = names(folder)?
        .into_iter()
        .partition(|name| folder.join(name).is_dir());
    let is_picture = |name: &&String| {
        let name = name.to_ascii_lowercase();
        [".png", ".jpg", ".jpeg"]
            .iter()
            .any(|ending| name.ends_with(ending))
    };
    match files.iter().find(is_picture) {
        Some(picture) if !folders.is_empty() => {
            let what = "lies beside class folders, expected in one of them";
            Err(Error::file(folder.join(picture), what, HINT))
        }
        _ => Ok(folders),
    }
}

/// The names in a folder that do not begin with a dot, sorted.
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
        if !name.starts_with('.') {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// The size that every picture gets or has to have.
#[derive(Clone, Copy, Debug)]
struct Size {
    height: usize,
    width: usize,
    /// Whether pictures of another size are scaled and cut.
    fits: bool,
}

impl Size {
    fn choose(first: &Path, image_size: Option<u32>) -> Result<Self> {
        let (width, height) = match image_size {
            Some(side) => (side, side),
            None => picture::decode(first)?.dimensions(),
        };
        Ok(Self {
            height: height as usize,
            width: width as usize,
            fits: image_size.is_some(),
        })
    }

    fn bytes(self) -> usize {
        3 * self.height * self.width
    }

    fn load(self, path: &Path) -> Result<Vec<u8>> {
        if self.fits {
            return picture::load(path, self.height, self.width, 3);
        }
        let picture = picture::decode(path)?;
        let (width, height) = picture.dimensions();
        if (width as usize, height as usize) != (self.width, self.height) {
            return Err(Error::file(
                path,
                format!(
                    "is {width} x {height} pixels, expected {} x {} like the first picture",
                    self.width, self.height
                ),
                "add --image-size N to scale all pictures to one size",
            ));
        }
        Ok(picture.into_raw())
    }
}

/// Decodes the pictures on all cores.
fn decode(listing: &[(PathBuf, u8)], size: Size) -> Result<Images> {
    let mut pixels = vec![0; listing.len() * size.bytes()];
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let share = listing.len().div_ceil(cores).max(1);
    std::thread::scope(|scope| {
        let workers: Vec<_> = listing
            .chunks(share)
            .zip(pixels.chunks_mut(share * size.bytes()))
            .map(|(listing, pixels)| scope.spawn(move || decode_share(listing, size, pixels)))
            .collect();
        workers
            .into_iter()
            .try_for_each(|worker| worker.join().expect("a decoder returns its errors"))
    })?;
    Ok(Images {
        count: listing.len(),
        height: size.height,
        width: size.width,
        channels: 3,
        pixels,
        labels: listing.iter().map(|&(_, class)| class).collect(),
    })
}

fn decode_share(listing: &[(PathBuf, u8)], size: Size, pixels: &mut [u8]) -> Result<()> {
    for ((path, _), pixels) in listing.iter().zip(pixels.chunks_exact_mut(size.bytes())) {
        pixels.copy_from_slice(&size.load(path)?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use image::{Rgb, RgbImage};
    use tempfile::TempDir;

    use super::*;

    /// Adds a picture of one colour.
    fn add(root: &TempDir, name: &str, width: u32, height: u32, colour: u8) {
        let path = root.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let picture = RgbImage::from_pixel(width, height, Rgb([colour, 0, 0]));
        picture.save(path).unwrap();
    }

    /// Splits of one picture of class `a` and two of `b`.
    fn tree(splits: &[&str]) -> TempDir {
        let root = tempfile::tempdir().unwrap();
        for (index, split) in splits.iter().enumerate() {
            let colour = 10 * index as u8;
            add(&root, &format!("{split}/a/x.png"), 4, 3, colour);
            add(&root, &format!("{split}/b/y.jpg"), 4, 3, colour + 1);
            add(&root, &format!("{split}/b/z.png"), 4, 3, colour + 2);
        }
        root
    }

    fn refusal(root: &TempDir) -> String {
        let error = read(root.path(), None).unwrap_err();
        assert!(!error.hint().is_empty());
        error.to_string()
    }

    fn first_bytes(images: &Images) -> Vec<u8> {
        let bytes = images.pixels.chunks_exact(images.image_bytes());
        bytes.map(|image| image[0]).collect()
    }

    #[test]
    fn train_and_val_are_train_and_test() {
        for validation in ["val", "valid", "validation"] {
            let root = tree(&["train", validation]);
            let (splits, held_out) = read(root.path(), None).unwrap();
            assert_eq!((splits.classes, held_out), (2, 0));
            let train = &splits.train;
            assert_eq!((train.count, train.height, train.width), (3, 3, 4));
            assert_eq!(train.labels, [0, 1, 1]);
            assert_eq!(splits.test.labels, [0, 1, 1]);
            assert_eq!(first_bytes(&splits.test)[0], 10);
        }
    }

    #[test]
    fn val_beside_test_is_held_out_at_the_end_of_train() {
        let root = tree(&["train", "test", "valid"]);
        let (splits, held_out) = read(root.path(), None).unwrap();
        assert_eq!((splits.train.count, held_out, splits.test.count), (6, 3, 3));
        assert_eq!(splits.train.labels, [0, 1, 1, 0, 1, 1]);
        assert_eq!(first_bytes(&splits.train)[3], 20);
        assert_eq!(first_bytes(&splits.test)[0], 10);
    }

    #[test]
    fn train_and_test_hold_nothing_out() {
        let (splits, held_out) = read(tree(&["train", "test"]).path(), None).unwrap();
        assert_eq!((splits.train.count, held_out, splits.test.count), (3, 0, 3));
    }

    #[test]
    fn without_a_split_every_fifth_is_to_test_on() {
        let root = tempfile::tempdir().unwrap();
        for index in 0..7u8 {
            add(&root, &format!("train/{index}.png"), 2, 2, index);
        }
        add(&root, "plane/0.png", 2, 2, 100);
        add(&root, "plane/1.png", 2, 2, 101);
        let (splits, held_out) = read(root.path(), None).unwrap();
        assert_eq!(class_names(root.path()).unwrap(), ["plane", "train"]);
        assert_eq!(held_out, 0);
        assert_eq!(first_bytes(&splits.test), [100, 0, 5]);
        assert_eq!(splits.test.labels, [0, 1, 1]);
        assert_eq!(first_bytes(&splits.train), [101, 1, 2, 3, 4, 6]);
    }

    #[test]
    fn pictures_are_scaled_to_the_size_asked_for() {
        let root = tree(&["train", "val"]);
        add(&root, "train/a/wide.png", 40, 6, 99);
        let (splits, _) = read(root.path(), Some(6)).unwrap();
        let train = splits.train;
        assert_eq!((train.count, train.height, train.width), (4, 6, 6));
        let wide = &train.pixels[..train.image_bytes()];
        assert!(wide.chunks(3).all(|pixel| pixel == [99, 0, 0]), "{wide:?}");
        let message = refusal(&root);
        assert!(
            message.contains("is 4 x 3 pixels, expected 40 x 6"),
            "{message}"
        );
    }

    #[test]
    fn what_is_no_picture_is_refused_by_name() {
        let root = tree(&["train", "val"]);
        fs::write(root.path().join("val/b/notes.txt"), "not a picture").unwrap();
        let message = refusal(&root);
        assert!(message.contains("notes.txt: is not a picture"), "{message}");
        let root = tree(&["train", "val"]);
        let path = root.path().join("train/b/z.png");
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        assert!(refusal(&root).contains("z.png: cannot be decoded"));
        fs::write(&path, "").unwrap();
        assert!(refusal(&root).contains("z.png: is empty"));
    }

    #[test]
    fn hidden_files_and_readmes_beside_the_classes_are_passed_over() {
        let root = tree(&["train", "val"]);
        let expected = read(root.path(), None).unwrap();
        for name in ["README.txt", "train/LICENSE", "train/a/.DS_Store", ".cache"] {
            fs::write(root.path().join(name), "text").unwrap();
        }
        assert_eq!(read(root.path(), None).unwrap(), expected);
    }

    #[test]
    fn pictures_outside_the_classes_are_refused() {
        let root = tree(&["train", "val"]);
        add(&root, "train/lost.png", 4, 3, 0);
        let message = refusal(&root);
        assert!(
            message.contains("lost.png: lies beside class folders"),
            "{message}"
        );
        let root = tree(&["train", "val"]);
        add(&root, "train/a/deeper/lost.png", 4, 3, 0);
        assert!(refusal(&root).contains("deeper: is a folder in a class folder"));
    }

    #[test]
    fn classes_must_have_pictures_and_be_in_every_split() {
        let root = tree(&["train", "val"]);
        fs::create_dir(root.path().join("val/c")).unwrap();
        assert!(refusal(&root).contains("c: is a class that train does not have"));
        fs::create_dir(root.path().join("train/c")).unwrap();
        assert!(refusal(&root).contains("c: has no pictures"));
        let root = tree(&["train", "val"]);
        fs::remove_dir_all(root.path().join("val/a")).unwrap();
        assert!(refusal(&root).contains("has no class folder a, which train has"));
        let root = tree(&["a"]);
        add(&root, "one/x.png", 4, 3, 0);
        assert!(refusal(&root).contains("is a folder in a class folder"));
        let root = tempfile::tempdir().unwrap();
        add(&root, "one/x.png", 4, 3, 0);
        assert!(refusal(&root).contains("has 1 class folders"));
        add(&root, "two/x.png", 4, 3, 0);
        assert!(refusal(&root).contains("one: holds one file"));
    }

    #[test]
    fn too_many_classes_are_refused() {
        let root = tempfile::tempdir().unwrap();
        for class in 0..257 {
            fs::create_dir(root.path().join(class.to_string())).unwrap();
        }
        assert!(refusal(&root).contains("has 257 class folders, expected from 2 to 256"));
    }

    #[test]
    fn incomplete_or_doubled_splits_are_refused() {
        assert!(refusal(&tree(&["train"])).contains("expected val or test"));
        assert!(refusal(&tree(&["val", "test"])).contains("train: cannot be read"));
        let message = refusal(&tree(&["train", "val", "valid"]));
        assert!(
            message.contains("has val and valid, expected one"),
            "{message}"
        );
    }
}
