//! CIFAR-10 and CIFAR-100 in their binary version.
//!
//! A record is the label, one byte (CIFAR-100: the coarse label, then the fine one), and the image:
//! 32 x 32 red, then green, then blue, rows first.
//! Source: <https://www.cs.toronto.edu/~kriz/cifar.html>.

use std::path::Path;

use super::records::{Records, interleave};
use super::{Images, Splits};
use crate::error::Result;

/// Rows and columns of an image.
pub(super) const SIDE: usize = 32;
/// Bytes of an image.
pub(super) const IMAGE_BYTES: usize = 3 * SIDE * SIDE;

/// The labels at the start of a record, with the number of classes; the last one is the class.
type LabelBytes = &'static [(&'static str, usize)];

const CIFAR10_LABELS: LabelBytes = &[("label", 10)];
const CIFAR100_LABELS: LabelBytes = &[("coarse label", 20), ("fine label", 100)];

/// Whether the folder has files of CIFAR-10's binary version.
pub(super) fn is_cifar10_folder(folder: &Path) -> bool {
    has_any(folder, &["data_batch_1.bin", "test_batch.bin"])
}

/// Whether the folder has files of CIFAR-100's binary version.
pub(super) fn is_cifar100_folder(folder: &Path) -> bool {
    has_any(folder, &["train.bin", "test.bin"])
}

fn has_any(folder: &Path, names: &[&str]) -> bool {
    names.iter().any(|name| folder.join(name).exists())
}

/// Reads `data_batch_1.bin` to `data_batch_5.bin` and `test_batch.bin`.
///
/// # Errors
/// A file that cannot be read, is empty or cut, or holds a label out of range.
pub(super) fn read_cifar10(folder: &Path) -> Result<Splits> {
    let mut train = read_file(&folder.join("data_batch_1.bin"), CIFAR10_LABELS)?;
    for batch in 2..=5 {
        let path = folder.join(format!("data_batch_{batch}.bin"));
        train.append(read_file(&path, CIFAR10_LABELS)?);
    }
    Ok(Splits {
        train,
        test: read_file(&folder.join("test_batch.bin"), CIFAR10_LABELS)?,
        classes: 10,
    })
}

/// Reads `train.bin` and `test.bin`; the fine labels count.
///
/// # Errors
/// As [`read_cifar10`].
pub(super) fn read_cifar100(folder: &Path) -> Result<Splits> {
    Ok(Splits {
        train: read_file(&folder.join("train.bin"), CIFAR100_LABELS)?,
        test: read_file(&folder.join("test.bin"), CIFAR100_LABELS)?,
        classes: 100,
    })
}

fn read_file(path: &Path, label_bytes: LabelBytes) -> Result<Images> {
    let record_bytes = label_bytes.len() + IMAGE_BYTES;
    let records = Records::read(path, record_bytes)?;
    let mut pixels = Vec::with_capacity(records.count * IMAGE_BYTES);
    let mut labels = Vec::with_capacity(records.count);
    for (index, record) in records.bytes.chunks_exact(record_bytes).enumerate() {
        let (found, image) = record.split_at(label_bytes.len());
        for (at, (&label, &(name, classes))) in found.iter().zip(label_bytes).enumerate() {
            if usize::from(label) >= classes {
                let expected = format!("a label below {classes}");
                return Err(records.refuse_byte(index * record_bytes + at, name, &expected));
            }
        }
        labels.push(found[found.len() - 1]);
        interleave(image, 3, &mut pixels);
    }
    Ok(Images {
        count: records.count,
        height: SIDE,
        width: SIDE,
        channels: 3,
        pixels: pixels.into(),
        labels,
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    /// A record of those labels; every byte of the image depends on its place and on `shift`.
    fn record(labels: &[u8], shift: usize) -> Vec<u8> {
        let image = (0..IMAGE_BYTES).map(|at| ((at + shift) % 251) as u8);
        labels.iter().copied().chain(image).collect()
    }

    fn cifar10() -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        for batch in 1..=5 {
            let bytes = [record(&[batch], batch.into()), record(&[0], 7)].concat();
            fs::write(folder.path().join(format!("data_batch_{batch}.bin")), bytes).unwrap();
        }
        fs::write(folder.path().join("test_batch.bin"), record(&[9], 9)).unwrap();
        folder
    }

    fn cifar100(train: &[u8]) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("train.bin"), train).unwrap();
        fs::write(folder.path().join("test.bin"), record(&[19, 99], 3)).unwrap();
        folder
    }

    /// Where channel, row and column of [`record`]'s image lie in it.
    fn value(shift: usize, channel: usize, row: usize, column: usize) -> u8 {
        ((channel * 1024 + row * 32 + column + shift) % 251) as u8
    }

    #[test]
    fn the_five_batches_follow_each_other_channels_last() {
        let folder = cifar10();
        assert!(is_cifar10_folder(folder.path()));
        let splits = read_cifar10(folder.path()).unwrap();
        assert_eq!(splits.classes, 10);
        assert_eq!(splits.train.labels, [1, 0, 2, 0, 3, 0, 4, 0, 5, 0]);
        assert_eq!((splits.test.count, splits.test.labels), (1, vec![9]));
        let images = splits.train;
        assert_eq!((images.count, images.height, images.width), (10, 32, 32));
        for (image, shift) in [(0, 1), (4, 3), (9, 7)] {
            for (channel, row, column) in [(0, 0, 0), (1, 0, 31), (2, 31, 0), (1, 17, 5)] {
                let at = ((image * 32 + row) * 32 + column) * 3 + channel;
                assert_eq!(
                    images.pixels.in_memory()[at],
                    value(shift, channel, row, column)
                );
            }
        }
    }

    #[test]
    fn cifar100_is_classed_by_its_fine_labels() {
        let folder = cifar100(&[record(&[3, 42], 0), record(&[0, 99], 1)].concat());
        assert!(is_cifar100_folder(folder.path()));
        assert!(!is_cifar10_folder(folder.path()));
        let splits = read_cifar100(folder.path()).unwrap();
        assert_eq!(splits.classes, 100);
        assert_eq!(splits.train.labels, [42, 99]);
        assert_eq!(
            splits.train.pixels.in_memory()[3072..3075],
            [1, value(1, 1, 0, 0), value(1, 2, 0, 0)]
        );
    }

    #[test]
    fn labels_out_of_range_are_refused_with_their_offset() {
        let refusal = |label: &[u8]| {
            let folder = cifar100(&[record(&[0, 0], 0), record(label, 0)].concat());
            read_cifar100(folder.path()).unwrap_err().to_string()
        };
        let coarse = refusal(&[20, 0]);
        let expected = "train.bin: coarse label 20 at byte 3074, expected a label below 20";
        assert!(coarse.ends_with(expected), "{coarse}");
        let fine = refusal(&[0, 100]);
        assert!(fine.contains("fine label 100 at byte 3075"), "{fine}");
        let folder = cifar10();
        fs::write(folder.path().join("data_batch_4.bin"), record(&[10], 0)).unwrap();
        let message = read_cifar10(folder.path()).unwrap_err().to_string();
        let expected = "data_batch_4.bin: label 10 at byte 0, expected a label below 10";
        assert!(message.ends_with(expected), "{message}");
    }

    #[test]
    fn cut_long_empty_and_missing_files_are_refused_by_name() {
        let refusal = |bytes: Option<&[u8]>| {
            let folder = cifar10();
            let path = folder.path().join("data_batch_3.bin");
            match bytes {
                Some(bytes) => fs::write(path, bytes).unwrap(),
                None => fs::remove_file(path).unwrap(),
            }
            let message = read_cifar10(folder.path()).unwrap_err().to_string();
            assert!(message.contains("data_batch_3.bin"), "{message}");
            message
        };
        let sound = record(&[1], 0);
        assert!(refusal(Some(&sound[..3072])).contains("ends at byte 3072"));
        let long = refusal(Some(&[&sound[..], &[0]].concat()));
        assert!(
            long.contains("inside the record that begins at byte 3073"),
            "{long}"
        );
        assert!(refusal(Some(&[])).contains("is empty"));
        assert!(refusal(None).contains("cannot be read"));
    }
}
