//! Oxford-102, flowers: `jpg/image_00001.jpg`, their classes in `imagelabels.mat`, the official split in `setid.mat`.
//!
//! Labels and numbers of pictures begin with 1. `trnid` (1,020 pictures) is to train on, `valid` (1,020) is held out and
//! `tstid` (6,149) is to test on, as torchvision takes them.
//! Source: <https://www.robots.ox.ac.uk/~vgg/data/flowers/102/>.

use std::path::Path;

use super::listing::{Listed, Listing};
use crate::data::mat5;
use crate::data::{BROKEN_HINT, Division, class_names};
use crate::error::{Error, Result};

const LABELS: &str = "imagelabels.mat";
const SETS: &str = "setid.mat";

/// Whether the folder has the lists of Oxford-102.
pub(super) fn is_it(folder: &Path) -> bool {
    [LABELS, SETS].iter().all(|name| folder.join(name).exists())
}

/// Lists the pictures.
///
/// # Errors
/// A list that cannot be read, a label or number out of range, or a picture that is not there.
pub(super) fn list(folder: &Path) -> Result<Listing> {
    let labels = labels(folder)?;
    let sets = mat5::read::<u32, 3>(&folder.join(SETS), ["trnid", "valid", "tstid"])?;
    let [train, held_out, test] = sets.map(|set| list_set(folder, &labels, &set.values));
    Ok(Listing {
        class_names: class_names::owned(&class_names::OXFORD_102),
        train: train?,
        held_out: held_out?,
        test: test?,
        division: Division::Published,
    })
}

/// The class of every picture, from 0.
fn labels(folder: &Path) -> Result<Vec<u8>> {
    let path = folder.join(LABELS);
    let [labels] = mat5::read::<u8, 1>(&path, ["labels"])?;
    let most = class_names::OXFORD_102.len();
    let class = |(index, &label): (usize, &u8)| match usize::from(label) {
        1.. if usize::from(label) <= most => Ok(label - 1),
        _ => {
            let what = format!("label {label} at index {index}, expected a label from 1 to {most}");
            Err(Error::file(&path, what, BROKEN_HINT))
        }
    };
    labels.values.iter().enumerate().map(class).collect()
}

fn list_set(folder: &Path, labels: &[u8], numbers: &[u32]) -> Result<Listed> {
    let picture = |&number: &u32| {
        let label = (number as usize)
            .checked_sub(1)
            .and_then(|index| labels.get(index));
        let label = label.ok_or_else(|| {
            let what = format!(
                "names picture {number}, expected one from 1 to {}",
                labels.len()
            );
            Error::file(folder.join(SETS), what, BROKEN_HINT)
        })?;
        Ok((folder.join(format!("jpg/image_{number:05}.jpg")), *label))
    };
    numbers.iter().map(picture).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::super::Sides;
    use super::super::trees::{add, read, relative};
    use super::*;
    use crate::data::mat5::tests::{mat_file, matrix};

    fn tree(labels: &[u8], train: &[u8]) -> TempDir {
        let root = tempfile::tempdir().unwrap();
        for number in 1..=4u8 {
            add(&root, &format!("jpg/image_{number:05}.jpg"), 3, 2, number);
        }
        let row = |name: &str, values: &[u8]| matrix(name, &[1, values.len() as i32], values);
        let write = |name: &str, matrices: &[Vec<u8>]| {
            fs::write(root.path().join(name), mat_file(matrices)).unwrap();
        };
        write(LABELS, &[row("labels", labels)]);
        write(
            SETS,
            &[row("tstid", &[2]), row("trnid", train), row("valid", &[1])],
        );
        root
    }

    #[test]
    fn the_lists_tell_classes_and_parts() {
        let root = tree(&[77, 1, 102, 16], &[4, 3]);
        let listing = list(root.path()).unwrap();
        let train = relative(root.path(), &listing.train);
        let expected = [
            ("jpg/image_00004.jpg".to_owned(), 15),
            ("jpg/image_00003.jpg".to_owned(), 101),
        ];
        assert_eq!(train, expected);
        assert_eq!((listing.held_out[0].1, listing.test[0].1), (76, 0));
        assert_eq!(
            (listing.class_names.len(), &*listing.class_names[76]),
            (102, "passion flower")
        );
        let found = read(root.path(), Sides::default()).unwrap();
        assert_eq!((found.splits.train.count, found.held_out), (3, 1));
    }

    #[test]
    fn lists_that_contradict_are_refused() {
        let refusal =
            |labels: &[u8], train: &[u8]| list(tree(labels, train).path()).unwrap_err().to_string();
        assert!(refusal(&[1, 2, 103, 4], &[1]).contains("label 103 at index 2"));
        assert!(refusal(&[1, 0, 3, 4], &[1]).contains("label 0 at index 1"));
        assert!(refusal(&[1, 2, 3, 4], &[5]).contains("names picture 5, expected one from 1 to 4"));
        assert!(refusal(&[1, 2, 3, 4], &[0]).contains("names picture 0"));
        let root = tree(&[1, 2, 3, 4], &[3]);
        fs::remove_file(root.path().join("jpg/image_00003.jpg")).unwrap();
        let message = read(root.path(), Sides::default()).unwrap_err().to_string();
        assert!(
            message.contains("image_00003.jpg: cannot be read"),
            "{message}"
        );
    }
}
