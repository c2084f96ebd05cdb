//! STL-10's binary files: 96 x 96 RGB, ten classes.
//!
//! `train_X.bin` and `test_X.bin` hold images: the red, green and blue plane, each column by column.
//! `train_y.bin` and `test_y.bin` hold one byte per image, 1 to 10. The unlabelled images and the ten
//! folds of the training set are not used. Source: <https://cs.stanford.edu/~acoates/stl10/>.

use std::path::Path;

use super::records::{Records, interleave};
use super::{BROKEN_HINT, Images, Splits};
use crate::error::{Error, Result};

/// Rows and columns of an image.
const SIDE: usize = 96;
const IMAGE_BYTES: usize = 3 * SIDE * SIDE;
const CLASSES: u8 = 10;

/// Whether the folder has files of STL-10.
pub(super) fn is_stl10_folder(folder: &Path) -> bool {
    let names = ["train_X.bin", "test_X.bin"];
    names.iter().any(|name| folder.join(name).exists())
}

/// Reads both labelled splits.
///
/// # Errors
/// A file that cannot be read, is empty or cut, counts that differ, or a label out of range.
pub(super) fn read(folder: &Path) -> Result<Splits> {
    Ok(Splits {
        train: read_split(folder, "train")?,
        test: read_split(folder, "test")?,
        classes: CLASSES.into(),
    })
}

fn read_split(folder: &Path, split: &str) -> Result<Images> {
    let labels_path = folder.join(format!("{split}_y.bin"));
    let published = Records::read(&labels_path, 1)?;
    let mut labels = Vec::with_capacity(published.count);
    for (index, label) in published.bytes.iter().enumerate() {
        if !(1..=CLASSES).contains(label) {
            let expected = format!("a label from 1 to {CLASSES}");
            return Err(published.refuse_byte(index, "label", &expected));
        }
        labels.push(label - 1);
    }
    let images_path = folder.join(format!("{split}_X.bin"));
    let records = Records::read(&images_path, IMAGE_BYTES)?;
    if labels.len() != records.count {
        let what = format!(
            "holds {} labels, expected {} as in {}",
            labels.len(),
            records.count,
            images_path.display()
        );
        return Err(Error::file(labels_path, what, BROKEN_HINT));
    }
    let mut pixels = Vec::with_capacity(records.bytes.len());
    for image in records.bytes.chunks_exact(IMAGE_BYTES) {
        interleave(image, 3, &mut pixels);
    }
    let mut images = Images {
        count: records.count,
        height: SIDE,
        width: SIDE,
        channels: 3,
        pixels: pixels.into(),
        labels,
    };
    images.transpose();
    Ok(images)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    /// An image whose bytes depend on their place.
    fn image(shift: usize) -> Vec<u8> {
        (0..IMAGE_BYTES)
            .map(|at| ((at + shift) % 251) as u8)
            .collect()
    }

    fn folder() -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
        write("train_X.bin", &[image(0), image(5)].concat());
        write("train_y.bin", &[10, 1]);
        write("test_X.bin", &image(9));
        write("test_y.bin", &[3]);
        folder
    }

    fn refusal(name: &str, bytes: &[u8]) -> String {
        let folder = folder();
        fs::write(folder.path().join(name), bytes).unwrap();
        let message = read(folder.path()).unwrap_err().to_string();
        assert!(message.contains(name), "{message}");
        message
    }

    #[test]
    fn images_are_turned_from_columns_to_rows() {
        assert!(is_stl10_folder(folder().path()));
        let splits = read(folder().path()).unwrap();
        assert_eq!((splits.classes, splits.train.labels), (10, vec![9, 0]));
        assert_eq!(splits.test.labels, [2]);
        for (row, column, channel) in [(0, 0, 0), (0, 1, 0), (1, 0, 2), (95, 94, 1)] {
            let stored = channel * 9216 + column * 96 + row;
            let at = ((96 + row) * 96 + column) * 3 + channel;
            assert_eq!(
                splits.train.pixels.in_memory()[at],
                ((stored + 5) % 251) as u8
            );
        }
    }

    #[test]
    fn labels_out_of_range_are_refused_with_their_offset() {
        for label in [0, 11] {
            let message = refusal("train_y.bin", &[4, label]);
            let expected = format!("label {label} at byte 1, expected a label from 1 to 10");
            assert!(message.ends_with(&expected), "{message}");
        }
    }

    #[test]
    fn cut_long_and_empty_files_are_refused() {
        let cut = refusal("test_X.bin", &image(0)[1..]);
        assert!(cut.contains("ends at byte 27647"), "{cut}");
        assert!(refusal("test_X.bin", &[0; IMAGE_BYTES + 1]).contains("begins at byte 27648"));
        assert!(refusal("test_X.bin", &[]).contains("is empty"));
        assert!(refusal("train_y.bin", &[]).contains("is empty"));
        assert!(refusal("train_y.bin", &[1]).contains("holds 1 labels, expected 2"));
    }
}
