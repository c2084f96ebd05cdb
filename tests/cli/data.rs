//! Small data folders made of MNIST's test images.

use std::sync::OnceLock;

use spinalnet::data::{Images, embedded};

use super::spinal::Place;

/// The names of a data folder's files.
pub const FILES: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];

/// MNIST's test images.
pub fn digits() -> &'static Images {
    static DIGITS: OnceLock<Images> = OnceLock::new();
    DIGITS.get_or_init(|| embedded::test_images().unwrap())
}

/// The bytes of an IDX file.
pub fn idx(dims: &[u32], body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, dims.len() as u8];
    bytes.extend(dims.iter().flat_map(|dim| dim.to_be_bytes()));
    bytes.extend_from_slice(body);
    bytes
}

/// Writes a folder of images of `side` x `side` with these labels, the same ones to train and to test on.
pub fn write_patterns(place: &Place, folder: &str, side: u32, labels: &[u8]) {
    let count = labels.len() as u32;
    let pixels: Vec<u8> = (0..count * side * side).map(|i| (7 * i) as u8).collect();
    for split in 0..2 {
        let images = idx(&[count, side, side], &pixels);
        place.write(&format!("{folder}/{}", FILES[2 * split]), images);
        place.write(
            &format!("{folder}/{}", FILES[2 * split + 1]),
            idx(&[count], labels),
        );
    }
}

/// Writes a folder of `train` + `test` digits, consecutive in MNIST's test set.
pub fn write_digits(place: &Place, folder: &str, train: usize, test: usize) {
    let digits = digits();
    for (split, range) in [0..train, train..train + test].into_iter().enumerate() {
        let count = range.len() as u32;
        let pixels = &digits.pixels.in_memory()[784 * range.start..784 * range.end];
        let images = idx(&[count, 28, 28], pixels);
        place.write(&format!("{folder}/{}", FILES[2 * split]), images);
        let labels = idx(&[count], &digits.labels[range]);
        place.write(&format!("{folder}/{}", FILES[2 * split + 1]), labels);
    }
}

/// Writes a folder of `count` images of no meaning to train on, and ten to test on.
pub fn write_noise(place: &Place, folder: &str, count: u32) {
    for (split, count) in [count, 10].into_iter().enumerate() {
        let pixels: Vec<u8> = (0..784 * count).map(|i| (i % 251) as u8).collect();
        let images = idx(&[count, 28, 28], &pixels);
        place.write(&format!("{folder}/{}", FILES[2 * split]), images);
        let labels: Vec<u8> = (0..count).map(|i| (i % 10) as u8).collect();
        place.write(
            &format!("{folder}/{}", FILES[2 * split + 1]),
            idx(&[count], &labels),
        );
    }
}
