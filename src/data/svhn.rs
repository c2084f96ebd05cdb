//! SVHN's cropped digits: 32 x 32 RGB, ten classes, in `train_32x32.mat` and `test_32x32.mat`.
//!
//! `X` is `[height, width, 3, count]` and `y` `[count, 1]`, the first axis the fastest. The digit 0 is
//! labelled 10. The additional training images are not used.
//! Source: <http://ufldl.stanford.edu/housenumbers/>.

use std::path::Path;

use super::mat5::{self, Array};
use super::{BROKEN_HINT, Images, Splits};
use crate::error::{Error, Result};

const TRAIN: &str = "train_32x32.mat";
const TEST: &str = "test_32x32.mat";
const CLASSES: u8 = 10;

/// Whether the folder has files of SVHN.
pub(super) fn is_svhn_folder(folder: &Path) -> bool {
    [TRAIN, TEST].iter().any(|name| folder.join(name).exists())
}

/// Reads both splits.
///
/// # Errors
/// A file that cannot be read or is not of the format, counts or sizes that differ, or a label out
/// of range.
pub(super) fn read(folder: &Path) -> Result<Splits> {
    let train = read_split(&folder.join(TRAIN))?;
    let test = read_split(&folder.join(TEST))?;
    if (train.height, train.width) != (test.height, test.width) {
        let what = format!(
            "the test images are {} x {}, expected {} x {} like the training images",
            test.height, test.width, train.height, train.width
        );
        return Err(Error::file(folder, what, BROKEN_HINT));
    }
    Ok(Splits {
        train,
        test,
        classes: CLASSES.into(),
    })
}

fn read_split(path: &Path) -> Result<Images> {
    let refuse = |what: String| Error::file(path, what, BROKEN_HINT);
    let [x, y] = mat5::read::<u8, 2>(path, ["X", "y"])?;
    let &[height, width, 3, count] = x.dims.as_slice() else {
        let what = format!("X is {:?}, expected [height, width, 3, count]", x.dims);
        return Err(refuse(what));
    };
    if y.dims != [count, 1] {
        let what = format!("y is {:?}, expected [{count}, 1] as X tells", y.dims);
        return Err(refuse(what));
    }
    let is_wrong = |label: &u8| !(1..=CLASSES).contains(label);
    if let Some(index) = y.values.iter().position(is_wrong) {
        return Err(refuse(format!(
            "label {} at row {index} of y, expected a label from 1 to {CLASSES}",
            y.values[index]
        )));
    }
    Ok(Images {
        count,
        height,
        width,
        channels: 3,
        pixels: channels_last(&x).into(),
        labels: y.values.iter().map(|label| label % CLASSES).collect(),
    })
}

/// `[count, height, width, channels]`, the last axis the fastest, of the array with its axes in
/// MATLAB's order.
fn channels_last(x: &Array) -> Vec<u8> {
    let (height, width, channels) = (x.dims[0], x.dims[1], x.dims[2]);
    let mut pixels = Vec::with_capacity(x.values.len());
    for image in x.values.chunks_exact(height * width * channels) {
        for row in 0..height {
            for column in 0..width {
                let channel = |c| image[row + height * (column + width * c)];
                pixels.extend((0..channels).map(channel));
            }
        }
    }
    pixels
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;
    use crate::data::mat5::tests::{mat_file, matrix};

    /// A file of images of 2 x 3 with those labels.
    fn split(labels: &[u8]) -> Vec<u8> {
        let count = labels.len() as i32;
        let pixels: Vec<u8> = (0..18 * labels.len()).map(|i| i as u8).collect();
        mat_file(&[
            matrix("X", &[2, 3, 3, count], &pixels),
            matrix("y", &[count, 1], labels),
        ])
    }

    fn folder(train: &[u8]) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(TRAIN), train).unwrap();
        fs::write(folder.path().join(TEST), split(&[7])).unwrap();
        folder
    }

    fn refusal(train: &[u8]) -> String {
        let message = read(folder(train).path()).unwrap_err().to_string();
        assert!(message.contains(TRAIN), "{message}");
        message
    }

    #[test]
    fn axes_are_turned_and_ten_is_zero() {
        let folder = folder(&split(&[10, 1, 9]));
        assert!(is_svhn_folder(folder.path()));
        let splits = read(folder.path()).unwrap();
        assert_eq!(splits.classes, 10);
        assert_eq!(splits.train.labels, [0, 1, 9]);
        assert_eq!(splits.test.labels, [7]);
        let train = splits.train;
        assert_eq!((train.height, train.width, train.channels), (2, 3, 3));
        let second = [
            18, 24, 30, 20, 26, 32, 22, 28, 34, // the first row: every second value
            19, 25, 31, 21, 27, 33, 23, 29, 35,
        ];
        assert_eq!(train.pixels.in_memory()[18..36], second);
    }

    #[test]
    fn wrong_shapes_and_labels_are_refused() {
        for label in [0, 11] {
            let message = refusal(&split(&[1, label]));
            let expected = format!("label {label} at row 1 of y, expected a label from 1 to 10");
            assert!(message.contains(&expected), "{message}");
        }
        let x = matrix("X", &[2, 3, 3, 1], &[0; 18]);
        let message = refusal(&mat_file(&[x, matrix("y", &[2, 1], &[1, 2])]));
        assert!(
            message.contains("y is [2, 1], expected [1, 1]"),
            "{message}"
        );
        let x = matrix("X", &[2, 3, 2], &[0; 12]);
        let message = refusal(&mat_file(&[x, matrix("y", &[2, 1], &[1, 2])]));
        assert!(message.contains("X is [2, 3, 2]"), "{message}");
        let large = mat_file(&[
            matrix("X", &[3, 3, 3, 1], &[0; 27]),
            matrix("y", &[1, 1], &[1]),
        ]);
        let error = read(folder(&large).path()).unwrap_err().to_string();
        assert!(error.contains("2 x 3, expected 3 x 3"), "{error}");
    }
}
