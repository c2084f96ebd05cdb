//! The data set that travels inside the program: MNIST, all 60,000 + 10,000 images in file order.
//!
//! The sheets in `assets/mnist` were made from the four original IDX files by
//! `spinal data pack FOLDER assets/mnist`; `sheet.rs` describes them.

use super::sheet::{self, Png};
use super::{ImageSet, Images, Splits};
use crate::error::Result;

macro_rules! png {
    ($name:literal) => {
        Png {
            name: concat!("assets/mnist/", $name),
            bytes: include_bytes!(concat!("../../assets/mnist/", $name)),
        }
    };
}

const TRAIN_SHEETS: [Png; 6] = [
    png!("train-0.png"),
    png!("train-1.png"),
    png!("train-2.png"),
    png!("train-3.png"),
    png!("train-4.png"),
    png!("train-5.png"),
];
const TRAIN_LABELS: Png = png!("train-labels.png");
const TEST_SHEETS: [Png; 1] = [png!("test-0.png")];
const TEST_LABELS: Png = png!("test-labels.png");

/// Decodes MNIST: 28 x 28 grey, ten classes.
///
/// # Errors
/// Only where the program was built from damaged sheets.
pub fn load() -> Result<ImageSet> {
    let splits = Splits {
        train: sheet::unpack(&TRAIN_SHEETS, TRAIN_LABELS, 28, 28)?,
        test: test_images()?,
        classes: 10,
    };
    Ok(ImageSet::grey("mnist", splits))
}

/// MNIST's 10,000 test images alone.
///
/// # Errors
/// As [`load`].
pub fn test_images() -> Result<Images> {
    sheet::unpack(&TEST_SHEETS, TEST_LABELS, 28, 28)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FNV-1a over the pixels, then the labels.
    fn digest(images: &Images) -> u64 {
        let bytes = images.pixels.in_memory().iter().chain(&images.labels);
        bytes.fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        })
    }

    #[test]
    fn the_first_labels_are_mnists() {
        let mnist = load().unwrap();
        assert_eq!((mnist.train.count, mnist.test.count), (60_000, 10_000));
        assert_eq!(mnist.train.labels[..5], [5, 0, 4, 1, 9]);
        assert_eq!(mnist.test.labels[..5], [7, 2, 1, 0, 4]);
        assert_eq!((mnist.classes, mnist.name.as_str()), (10, "mnist"));
        for images in [&mnist.train, &mnist.test] {
            assert_eq!((images.height, images.width, images.channels), (28, 28, 1));
            assert_eq!(images.pixels.in_memory().len(), images.count * 784);
            assert_eq!(images.labels.len(), images.count);
        }
    }

    /// The constants were computed by a separate program from the original files (raw IDX, MD5
    /// 6bbc9ace, a25bea73, 2646ac64, 27ae3e4e): FNV-1a 64 over the images file from byte 16 on,
    /// continued over the labels file from byte 8 on.
    #[test]
    fn every_byte_is_the_originals() {
        let mnist = load().unwrap();
        assert_eq!(digest(&mnist.train), 0x3ce3_f21f_37b3_cd22);
        assert_eq!(digest(&mnist.test), 0x3fa8_a372_41f4_00b5);
    }

    #[test]
    fn the_training_pixels_have_the_mean_and_deviation_they_are_normalised_by() {
        let mnist = load().unwrap();
        let pixels = mnist.train.pixels.in_memory();
        let average = |f: &dyn Fn(f64) -> f64| {
            let sum: f64 = pixels.iter().map(|&x| f(f64::from(x) / 255.0)).sum();
            sum / pixels.len() as f64
        };
        let mean = average(&|x| x);
        let std = average(&|x| (x - mean) * (x - mean)).sqrt();
        assert!((mean - f64::from(mnist.mean[0])).abs() < 5e-5, "{mean}");
        assert!((std - f64::from(mnist.std[0])).abs() < 5e-5, "{std}");
    }
}
