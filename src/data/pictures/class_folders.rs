//! Class folders: a folder of pictures for each class, as torchvision's `ImageFolder` reads them.
//!
//! Either folders for training, validation and testing, in one of their usual spellings, hold the class folders, or the
//! folder itself does. The classes are numbered in the order of their names.

use std::path::{Path, PathBuf};

use super::folder::{pictures, subfolders};
use super::listing::{Listed, Listing};
use super::{HINT, monkey_names};
use crate::data::{Division, MAX_CLASSES};
use crate::error::{Error, Result};

/// A part of a data set, by the folder it lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Train,
    Validation,
    Test,
}

/// The names that the folders of parts go by, in any case.
const SPELLINGS: [(Part, &[&str]); 3] = [
    (Part::Train, &["train", "training"]),
    (Part::Validation, &["val", "valid", "validation"]),
    (Part::Test, &["test", "testing"]),
];

/// Folders that lie beside the parts of published data sets and belong to none of them: Fruits-360's and Bird-225's.
const SURPLUS: [&str; 5] = [
    "papers",
    "test-multiple_fruits",
    "consolidated",
    "images to test",
    "images to predict",
];

/// Without a split, every picture of a class whose index is a multiple of this is to test on.
const TEST_EVERY: usize = 5;

/// Whether the folder has folders in it.
pub(super) fn is_it(folder: &Path) -> bool {
    subfolders(folder).is_ok_and(|folders| !folders.is_empty())
}

/// Lists the pictures of a tree of class folders.
///
/// Where there is validation but no test split, validation is the test split. Without any split, every fifth picture of a
/// class is to test on.
///
/// # Errors
/// A tree of another form, a class without pictures or missing from a split, or more than 256 classes.
pub(super) fn list(folder: &Path) -> Result<Listing> {
    let mut listing = match find_parts(folder)? {
        Some(parts) => parts.list(folder)?,
        None => list_undivided(folder)?,
    };
    monkey_names::rename(folder, &mut listing.class_names)?;
    Ok(listing)
}

/// The folders of parts.
#[derive(Debug, Default)]
struct Parts {
    train: Option<PathBuf>,
    validation: Option<PathBuf>,
    test: Option<PathBuf>,
}

/// The part that a folder of this name holds.
fn part_of(name: &str) -> Option<Part> {
    let name = name.to_ascii_lowercase();
    let spelled = SPELLINGS.iter().find(|(_, names)| names.contains(&&*name));
    spelled.map(|&(part, _)| part)
}

/// The parts that a folder is divided into; none where its folders are classes.
fn find_parts(folder: &Path) -> Result<Option<Parts>> {
    let mut folders = subfolders(folder)?;
    let has = |part| folders.iter().any(|name| part_of(name) == Some(part));
    let is_divided = has(Part::Train) && (has(Part::Validation) || has(Part::Test));
    if is_divided {
        folders.retain(|name| !SURPLUS.contains(&&*name.to_ascii_lowercase()));
    }
    if let Some(other) = folders.iter().find(|name| part_of(name).is_none()) {
        if !is_divided {
            return Ok(None);
        }
        let what = "lies beside folders to train and test on, expected only such";
        return Err(Error::file(folder.join(other), what, HINT));
    }
    if folders.is_empty() {
        return Ok(None);
    }
    let mut parts = Parts::default();
    for name in &folders {
        let slot = match part_of(name).expect("all of them are parts") {
            Part::Train => &mut parts.train,
            Part::Validation => &mut parts.validation,
            Part::Test => &mut parts.test,
        };
        if let Some(first) = slot.replace(inner(folder.join(name), name)?) {
            let first = folders
                .iter()
                .find(|other| first.starts_with(folder.join(other)));
            let first = first.expect("it is one of them");
            let what = format!("has {first} and {name}, expected one of them");
            return Err(Error::file(folder, what, HINT));
        }
    }
    Ok(Some(parts))
}

/// A folder, or the one of the same name that is all it holds: 10-monkeys has `training/training`.
fn inner(folder: PathBuf, name: &str) -> Result<PathBuf> {
    match subfolders(&folder)?.as_slice() {
        [only] if only == name => Ok(folder.join(only)),
        _ => Ok(folder),
    }
}

impl Parts {
    fn list(self, folder: &Path) -> Result<Listing> {
        let refuse = |what: &str| Err(Error::file(folder, what, HINT));
        let Some(train) = self.train else {
            return refuse("has no train folder, expected one beside val or test");
        };
        let class_names = classes_of(&train)?;
        let listed = |part: &Path| list_classes(part, &class_names);
        let train = listed(&train)?;
        let (held_out, test) = match (self.validation, self.test) {
            (None, None) => return refuse("has train, expected val or test beside it"),
            (None, Some(test)) | (Some(test), None) => (Listed::new(), listed(&test)?),
            (Some(validation), Some(test)) => (listed(&validation)?, listed(&test)?),
        };
        Ok(Listing {
            train,
            held_out,
            test,
            class_names,
            division: Division::Published,
        })
    }
}

/// Divides the pictures of every class into those to train and to test on.
fn list_undivided(folder: &Path) -> Result<Listing> {
    let class_names = classes_of(folder)?;
    let (mut train, mut test) = (Listed::new(), Listed::new());
    for pictures in list_classes(folder, &class_names)?.chunk_by(|(_, a), (_, b)| a == b) {
        if let [(_, class)] = pictures {
            return Err(Error::file(
                folder.join(&class_names[usize::from(*class)]),
                "holds one file, expected a picture to train and one to test on",
                HINT,
            ));
        }
        for (index, picture) in pictures.iter().enumerate() {
            let part = match index.is_multiple_of(TEST_EVERY) {
                true => &mut test,
                false => &mut train,
            };
            part.push(picture.clone());
        }
    }
    Ok(Listing {
        class_names,
        train,
        held_out: Listed::new(),
        test,
        division: Division::Every(TEST_EVERY),
    })
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

/// The pictures of a split, which has folders of these classes and no others.
fn list_classes(folder: &Path, classes: &[String]) -> Result<Listed> {
    let found = subfolders(folder)?;
    if let Some(class) = found.iter().find(|class| !classes.contains(class)) {
        let what = "is a class that train does not have";
        return Err(Error::file(folder.join(class), what, HINT));
    }
    if let Some(class) = classes.iter().find(|class| !found.contains(class)) {
        let what = format!("has no class folder {class}, which train has");
        return Err(Error::file(folder, what, HINT));
    }
    list_folders(folder, classes)
}

/// The pictures of the folders of these classes, class by class.
pub(super) fn list_folders(folder: &Path, classes: &[String]) -> Result<Listed> {
    let mut listed = Listed::new();
    for (class, name) in classes.iter().enumerate() {
        for path in pictures(&folder.join(name))? {
            listed.push((path, class as u8));
        }
    }
    Ok(listed)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::super::trees::{add, read, relative};
    use super::super::{Pictures, Sides};
    use super::*;
    use crate::data::Images;

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

    fn read_whole(root: &TempDir) -> Result<Pictures> {
        read(root.path(), Sides::default())
    }

    fn refusal(root: &TempDir) -> String {
        let error = read_whole(root).unwrap_err();
        assert!(!error.hint().is_empty());
        error.to_string()
    }

    fn first_bytes(images: &Images) -> Vec<u8> {
        let bytes = images.pixels.in_memory().chunks_exact(images.image_bytes());
        bytes.map(|image| image[0]).collect()
    }

    #[test]
    fn train_and_val_are_train_and_test() {
        for [train, validation] in [
            ["train", "val"],
            ["Training", "valid"],
            ["TRAIN", "Validation"],
        ] {
            let root = tree(&[train, validation]);
            let found = read_whole(&root).unwrap();
            let splits = &found.splits;
            assert_eq!((splits.classes, found.held_out), (2, 0));
            assert_eq!(
                (found.class_names, found.division),
                (vec!["a".into(), "b".into()], Division::Published)
            );
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
        let found = read_whole(&root).unwrap();
        let splits = &found.splits;
        assert_eq!(
            (splits.train.count, found.held_out, splits.test.count),
            (6, 3, 3)
        );
        assert_eq!(splits.train.labels, [0, 1, 1, 0, 1, 1]);
        assert_eq!(first_bytes(&splits.train)[3], 20);
        assert_eq!(first_bytes(&splits.test)[0], 10);
    }

    #[test]
    fn train_and_test_hold_nothing_out() {
        let found = read_whole(&tree(&["train", "test"])).unwrap();
        let splits = &found.splits;
        assert_eq!(
            (splits.train.count, found.held_out, splits.test.count),
            (3, 0, 3)
        );
    }

    #[test]
    fn without_a_split_every_fifth_is_to_test_on() {
        let root = tempfile::tempdir().unwrap();
        for index in 0..7u8 {
            add(&root, &format!("train/{index}.png"), 2, 2, index);
        }
        add(&root, "plane/0.png", 2, 2, 100);
        add(&root, "plane/1.png", 2, 2, 101);
        let found = read_whole(&root).unwrap();
        let splits = &found.splits;
        assert_eq!(found.class_names, ["plane", "train"]);
        assert_eq!((found.held_out, found.division), (0, Division::Every(5)));
        assert_eq!(first_bytes(&splits.test), [100, 0, 5]);
        assert_eq!(splits.test.labels, [0, 1, 1]);
        assert_eq!(first_bytes(&splits.train), [101, 1, 2, 3, 4, 6]);
    }

    #[test]
    fn pictures_are_scaled_to_the_size_asked_for() {
        let root = tree(&["train", "val"]);
        add(&root, "train/a/wide.png", 40, 6, 99);
        let sides = Sides {
            train: Some(6),
            test: Some(5),
            mixed: None,
        };
        let splits = read(root.path(), sides).unwrap().splits;
        let (train, test) = (splits.train, splits.test);
        assert_eq!((test.height, test.width), (5, 5));
        assert_eq!((train.count, train.height, train.width), (4, 6, 6));
        let wide = &train.pixels.in_memory()[..train.image_bytes()];
        assert!(wide.chunks(3).all(|pixel| pixel == [99, 0, 0]), "{wide:?}");
        let message = refusal(&root);
        assert!(
            message.contains("is 4 x 3 pixels, expected 40 x 6"),
            "{message}"
        );
    }

    #[test]
    fn a_side_for_pictures_that_differ_leaves_alone_those_that_do_not() {
        let root = tree(&["train", "val"]);
        let sides = Sides {
            mixed: Some(6),
            ..Sides::default()
        };
        let size = |sides| {
            let found = read(root.path(), sides).unwrap();
            let test = found.splits.test;
            (test.height, test.width, found.notes)
        };
        assert_eq!(size(sides), (3, 4, Vec::new()));
        add(&root, "train/b/wide.png", 4, 4, 99);
        let note =
            "pictures differ in size: scaled and cut to 6 x 6 pixels, or as --image-size says";
        assert_eq!(size(sides), (6, 6, vec![note.to_owned()]));
        let told = Sides {
            train: Some(2),
            test: Some(5),
            ..sides
        };
        assert_eq!(size(told), (5, 5, Vec::new()));
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
        let expected = read_whole(&root).unwrap();
        for name in [
            "README.txt",
            "train/LICENSE",
            "train/a/.DS_Store",
            ".cache",
            "val/b/Thumbs.db",
        ] {
            fs::write(root.path().join(name), "text").unwrap();
        }
        assert_eq!(read_whole(&root).unwrap(), expected);
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
        assert!(refusal(&tree(&["val", "test"])).contains("has no train folder"));
        let message = refusal(&tree(&["train", "val", "valid"]));
        assert!(
            message.contains("has val and valid, expected one"),
            "{message}"
        );
    }

    #[test]
    fn published_spellings_are_known() {
        let monkeys = tree(&["training/training", "validation/validation"]);
        let listing = list(monkeys.path()).unwrap();
        let train = relative(monkeys.path(), &listing.train);
        assert_eq!(train[0], ("training/training/a/x.png".to_owned(), 0));
        let names = "Label, Common Name\nb, bald_uakari\n";
        fs::write(monkeys.path().join("monkey_labels.txt"), names).unwrap();
        assert_eq!(
            list(monkeys.path()).unwrap().class_names,
            ["a", "bald uakari"]
        );
        assert_eq!(
            relative(monkeys.path(), &listing.test)[2].0,
            "validation/validation/b/z.png"
        );
        let fruits = tree(&["Training", "Test", "papers"]);
        fs::create_dir(fruits.path().join("test-multiple_fruits")).unwrap();
        assert_eq!(list(fruits.path()).unwrap().test.len(), 3);
        let message = refusal(&tree(&["train", "test", "extra"]));
        assert!(
            message.contains("extra: lies beside folders to train"),
            "{message}"
        );
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed() {
        let root = tree(&["train", "elsewhere"]);
        let link = |from: &str, to: &str| {
            std::os::unix::fs::symlink(root.path().join(from), root.path().join(to)).unwrap();
        };
        link("train/a/x.png", "train/b/linked.png");
        let apart = tempfile::tempdir().unwrap();
        fs::rename(root.path().join("elsewhere"), apart.path().join("val")).unwrap();
        std::os::unix::fs::symlink(apart.path().join("val"), root.path().join("val")).unwrap();
        let splits = read_whole(&root).unwrap().splits;
        assert_eq!((splits.train.count, splits.test.count), (4, 3));
        link("nowhere", "train/b/lost.png");
        assert!(refusal(&root).contains("lost.png: cannot be read"));
    }
}
