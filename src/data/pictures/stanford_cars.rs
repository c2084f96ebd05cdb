//! Stanford Cars: `cars_train/` and `cars_test/`, their annotations in `devkit/cars_train_annos.mat` and
//! `cars_test_annos_withlabels.mat`, and the names of the classes in `devkit/cars_meta.mat`.
//!
//! The whole pictures are used, as in the paper, and not the boxes around the cars. Classes begin with 1.
//! Source: Krause et al., "3D Object Representations for Fine-Grained Categorization", 3dRR 2013.

use std::path::{Path, PathBuf};

use super::listing::{Listed, Listing};
use crate::data::{BROKEN_HINT, Division, mat5};
use crate::error::{Error, Result};

const TRAIN_ANNOTATIONS: &str = "cars_train_annos.mat";
const TEST_ANNOTATIONS: &str = "cars_test_annos_withlabels.mat";
const META: &str = "cars_meta.mat";

/// Whether the folder has the folders of Stanford Cars.
pub(super) fn is_it(folder: &Path) -> bool {
    ["cars_train", "cars_test"]
        .iter()
        .all(|name| folder.join(name).is_dir())
}

/// Lists the pictures.
///
/// # Errors
/// Annotations that are missing or cannot be read, a class out of range, or a name that is not one of a file.
pub(super) fn list(folder: &Path) -> Result<Listing> {
    let class_names = mat5::read_texts(&find(folder, META)?, "class_names")?;
    let part = |part: &str, annotations: &str| {
        list_part(
            &pictures_of(folder, part),
            &find(folder, annotations)?,
            class_names.len(),
        )
    };
    Ok(Listing {
        train: part("cars_train", TRAIN_ANNOTATIONS)?,
        held_out: Listed::new(),
        test: part("cars_test", TEST_ANNOTATIONS)?,
        class_names,
        division: Division::Published,
    })
}

/// A file of annotations: in `devkit` or beside it.
fn find(folder: &Path, name: &str) -> Result<PathBuf> {
    let places = [folder.join("devkit").join(name), folder.join(name)];
    let found = places.iter().find(|path| path.exists());
    found.cloned().ok_or_else(|| {
        let what = "is missing, expected here or in the folder above";
        Error::file(
            &places[0],
            what,
            "unpack car_devkit.tgz in the folder, and put the test annotations beside it",
        )
    })
}

/// The folder of a part's pictures: copies of the data set hold it twice, one in the other.
fn pictures_of(folder: &Path, part: &str) -> PathBuf {
    let outer = folder.join(part);
    match outer.join(part) {
        inner if inner.is_dir() => inner,
        _ => outer,
    }
}

fn list_part(pictures: &Path, annotations: &Path, classes: usize) -> Result<Listed> {
    let refuse = |index: usize, what: String| {
        Error::file(
            annotations,
            format!("in struct {index}: {what}"),
            BROKEN_HINT,
        )
    };
    let structs = mat5::read_structs(annotations, "annotations", ["fname", "class"])?;
    let picture = |(index, [name, class]): (usize, &[mat5::Field; 2])| {
        let name = name
            .text()
            .filter(|name| !name.contains(['/', '\\']) && !name.starts_with('.'));
        let name =
            name.ok_or_else(|| refuse(index, "fname is not the name of a file".to_owned()))?;
        let class = class
            .number()
            .filter(|&class| (1..=classes as u64).contains(&class.into()));
        let class = class
            .ok_or_else(|| refuse(index, format!("class is not a number from 1 to {classes}")))?;
        Ok((pictures.join(name), (class - 1) as u8))
    };
    structs.iter().enumerate().map(picture).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::super::Sides;
    use super::super::trees::{add, read, relative};
    use super::*;
    use crate::data::mat5::struct_tests::{annotations, cells};
    use crate::data::mat5::tests::mat_file;

    fn tree(train: &[(u32, &str)]) -> TempDir {
        let root = tempfile::tempdir().unwrap();
        for (part, count) in [("cars_train", 2), ("cars_test/cars_test", 1)] {
            for number in 1..=count {
                add(
                    &root,
                    &format!("{part}/{number:05}.jpg"),
                    4,
                    3,
                    number as u8,
                );
            }
        }
        fs::create_dir(root.path().join("devkit")).unwrap();
        let write = |name: &str, matrix: Vec<u8>| {
            fs::write(root.path().join(name), mat_file(&[matrix])).unwrap();
        };
        write(
            "devkit/cars_meta.mat",
            cells(
                "class_names",
                &[
                    "AM General Hummer SUV 2000",
                    "smart fortwo Convertible 2012",
                ],
            ),
        );
        write("devkit/cars_train_annos.mat", annotations(train));
        write(
            "cars_test_annos_withlabels.mat",
            annotations(&[(1, "00001.jpg")]),
        );
        root
    }

    #[test]
    fn annotations_tell_files_and_classes() {
        let root = tree(&[(2, "00002.jpg"), (1, "00001.jpg")]);
        let listing = list(root.path()).unwrap();
        let train = relative(root.path(), &listing.train);
        assert_eq!(train[0], ("cars_train/00002.jpg".to_owned(), 1));
        assert_eq!(
            relative(root.path(), &listing.test)[0].0,
            "cars_test/cars_test/00001.jpg"
        );
        assert_eq!(listing.class_names[1], "smart fortwo Convertible 2012");
        let found = read(root.path(), Sides::default()).unwrap();
        assert_eq!(
            (found.splits.train.labels, found.splits.test.count),
            (vec![1, 0], 1)
        );
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        let refusal = |train: &[(u32, &str)]| list(tree(train).path()).unwrap_err().to_string();
        assert!(
            refusal(&[(1, "00001.jpg"), (3, "00002.jpg")])
                .contains("in struct 1: class is not a number from 1 to 2")
        );
        assert!(refusal(&[(0, "00001.jpg")]).contains("in struct 0: class is not"));
        assert!(refusal(&[(1, "../secret.jpg")]).contains("fname is not the name of a file"));
        let root = tree(&[(1, "00001.jpg")]);
        fs::remove_file(root.path().join("cars_test_annos_withlabels.mat")).unwrap();
        let message = list(root.path()).unwrap_err().to_string();
        assert!(
            message.contains("cars_test_annos_withlabels.mat: is missing"),
            "{message}"
        );
    }
}
