//! Resizing pictures on the host as Pillow does, to the byte: what torchvision's `Resize` makes of a file.
//!
//! The weight of a pixel falls linearly with its distance from the place of the result; where pixels become fewer, the slope is
//! less and the average goes over more of them. Rows come first and are rounded to bytes, then columns.
//! Source: Pillow's `Resample.c`. (The `image` crate weighs in f32 and rounds once.)

use std::ops::Range;

use image::RgbImage;

const CHANNELS: usize = 3;

/// Bits of a coefficient behind the point.
const PRECISION_BITS: u32 = 22;

/// A part of what a resize would make, in pixels.
#[derive(Clone, Debug)]
pub(super) struct Window {
    /// Columns of it.
    pub columns: Range<u32>,
    /// Rows of it.
    pub rows: Range<u32>,
}

/// The part `window` of the picture in `width` x `height` pixels, none of them 0. No more is computed, however long the picture.
pub(super) fn resize(picture: &RgbImage, width: u32, height: u32, window: Window) -> RgbImage {
    let across = all_taps(picture.width(), width, window.columns.clone());
    let down = all_taps(picture.height(), height, window.rows.clone());
    let first = down.first().map_or(0, |taps| taps.first);
    let end = down
        .last()
        .map_or(0, |taps| taps.first + taps.coefficients.len());
    let stride = across.len() * CHANNELS;
    let mut wide = Vec::with_capacity(stride * (end - first));
    let rows = picture
        .as_raw()
        .chunks_exact(picture.width() as usize * CHANNELS);
    for row in rows.take(end).skip(first) {
        for taps in &across {
            wide.extend(average(taps, |tap| &row[tap * CHANNELS..][..CHANNELS]));
        }
    }
    let mut result = Vec::with_capacity(stride * down.len());
    let mut sums = vec![0; stride];
    for taps in &down {
        sums.fill(ROUNDING);
        for (tap, coefficient) in taps.coefficients.iter().enumerate() {
            let row = &wide[(taps.first - first + tap) * stride..][..stride];
            for (sum, &byte) in sums.iter_mut().zip(row) {
                *sum += u32::from(byte) * coefficient;
            }
        }
        result.extend(sums.iter().map(|&sum| to_byte(sum)));
    }
    let (columns, rows) = (across.len() as u32, down.len() as u32);
    RgbImage::from_raw(columns, rows, result).expect("there is a byte for every value")
}

/// The pixels that one of the result is made of.
struct Taps {
    first: usize,
    /// In 2^-22.
    coefficients: Vec<u32>,
}

/// The taps of some pixels along a side of `before` pixels that becomes `after`.
fn all_taps(before: u32, after: u32, of: Range<u32>) -> Vec<Taps> {
    let scale = f64::from(before) / f64::from(after);
    let support = scale.max(1.0);
    let taps = |index: u32| {
        let center = (f64::from(index) + 0.5) * scale;
        let first = (center - support + 0.5).max(0.0) as usize;
        let end = ((center + support + 0.5) as usize).min(before as usize);
        let weight = |tap: usize| (1.0 - ((tap as f64 - center + 0.5) / support).abs()).max(0.0);
        let total: f64 = (first..end).map(weight).sum();
        let fixed = |tap| (0.5 + weight(tap) / total * f64::from(1 << PRECISION_BITS)) as u32;
        Taps {
            first,
            coefficients: (first..end).map(fixed).collect(),
        }
    };
    of.map(taps).collect()
}

/// One half of the last bit that is kept.
const ROUNDING: u32 = 1 << (PRECISION_BITS - 1);

fn average<'a>(taps: &Taps, pixel: impl Fn(usize) -> &'a [u8]) -> [u8; CHANNELS] {
    let mut sums = [ROUNDING; CHANNELS];
    for (tap, coefficient) in taps.coefficients.iter().enumerate() {
        for (sum, &byte) in sums.iter_mut().zip(pixel(taps.first + tap)) {
            *sum += u32::from(byte) * coefficient;
        }
    }
    sums.map(to_byte)
}

fn to_byte(sum: u32) -> u8 {
    (sum >> PRECISION_BITS).min(255) as u8
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use safetensors::SafeTensors;

    use super::*;

    fn whole(picture: &RgbImage, width: u32, height: u32) -> RgbImage {
        let window = Window {
            columns: 0..width,
            rows: 0..height,
        };
        resize(picture, width, height, window)
    }

    /// The fixture of `tests/augmentation.rs`.
    #[test]
    fn photographs_are_torchvision_s_to_the_byte() {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/photographs.safetensors");
        let file = std::fs::read(path).unwrap();
        let tensors = SafeTensors::deserialize(&file).unwrap();
        let picture = |name: &str| {
            let tensor = tensors.tensor(name).unwrap();
            let &[1, height, width, 3] = tensor.shape() else {
                panic!("{name} is one picture in colour")
            };
            RgbImage::from_raw(width as u32, height as u32, tensor.data().to_vec()).unwrap()
        };
        let expected = picture("fruits.evaluation.result");
        assert!(whole(&picture("fruits.images"), 128, 128) == expected);
    }

    #[test]
    fn the_same_size_is_the_same_picture() {
        let picture = RgbImage::from_fn(7, 5, |x, y| image::Rgb([x as u8, y as u8, 255]));
        assert!(whole(&picture, 7, 5) == picture);
        assert_eq!(whole(&picture, 1, 1).as_raw().len(), 3);
        assert!(
            whole(&picture, 20, 30)
                .pixels()
                .all(|pixel| pixel.0[2] == 255)
        );
    }

    #[test]
    fn a_part_is_that_of_the_whole() {
        let picture = RgbImage::from_fn(50, 40, |x, y| {
            image::Rgb([5 * x as u8, 6 * y as u8, (x * y) as u8])
        });
        for (width, height) in [(20, 33), (90, 41)] {
            let window = Window {
                columns: 3..17,
                rows: 8..9,
            };
            let part =
                image::imageops::crop_imm(&whole(&picture, width, height), 3, 8, 14, 1).to_image();
            assert!(resize(&picture, width, height, window) == part);
        }
        let sliver = RgbImage::new(1, 16_384);
        let middle = Window {
            columns: 0..224,
            rows: 1_835_000..1_835_224,
        };
        assert_eq!(
            resize(&sliver, 224, 224 * 16_384, middle).dimensions(),
            (224, 224)
        );
    }
}
