//! Data on the host: labelled images and regression tables, by name or from a folder.
//!
//! To add a data set: a reader here, an entry in `catalog.rs` and a line in `load.rs`.
//! Pixels stay bytes, channels last, until the GPU gathers and normalises a batch.

pub mod augment;
mod cache;
pub mod catalog;
mod cifar;
mod cifar_sheets;
mod class_names;
pub mod contact_sheet;
pub(crate) mod digest;
mod digit;
mod division;
pub mod elsewhere;
pub mod embedded;
pub mod fetch;
mod idx;
mod idx_folder;
pub mod imagenet;
mod jpeg;
mod limit;
mod load;
mod mat5;
mod order;
pub mod picture;
mod pictures;
mod pixels;
mod png;
mod records;
pub mod regression;
mod resize;
pub mod sheet;
pub mod statistics;
mod stl10;
mod stored;
mod svhn;

pub use cache::Cache;
pub use division::Division;
pub use limit::{Limit, Rule};
pub use load::{LoadOptions, is_of_pictures, load, load_with};
pub use order::shuffled_order;
pub use pixels::Pixels;

/// The mean of MNIST's pixels, of 1.
pub const MNIST_MEAN: f32 = 0.1307;

/// The standard deviation of MNIST's pixels, of 1.
pub const MNIST_STD: f32 = 0.3081;

/// The means of CIFAR-100's red, green and blue, of 1.
pub const CIFAR_MEAN: [f32; 3] = [0.507, 0.487, 0.441];

/// The standard deviations of CIFAR-100's red, green and blue, of 1.
pub const CIFAR_STD: [f32; 3] = [0.267, 0.256, 0.276];

/// What to do about a file that is not what it should be.
const BROKEN_HINT: &str = "download the file again, or check that it is the file its name says";

/// The classes that grey images have at least: MNIST's ten digits, whichever of them a part holds.
pub const GREY_CLASSES: usize = 10;

/// Deflate never shrinks by more than this factor, which bounds what a compressed file can hold.
const DEFLATE_MAX_RATIO: u64 = 1032;

/// The most classes that a label of one byte tells apart.
const MAX_CLASSES: usize = 256;

/// Labelled images of one size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Images {
    /// Number of images.
    pub count: usize,
    /// Rows of one image.
    pub height: usize,
    /// Columns of one image.
    pub width: usize,
    /// Values per pixel: 1 for grey, 3 for RGB.
    pub channels: usize,
    /// `[count, height, width, channels]`, 0 to 255.
    pub pixels: Pixels,
    /// `[count]`, the class of each image, from 0.
    pub labels: Vec<u8>,
}

impl Images {
    /// Keeps the first `n` images in file order; all of them where there are no more than `n`.
    pub fn truncate(&mut self, n: usize) {
        if n < self.count {
            self.keep(&(0..n).collect::<Vec<usize>>());
        }
    }

    /// Bytes of one image.
    pub fn image_bytes(&self) -> usize {
        self.height * self.width * self.channels
    }

    /// Takes the images of `other`, of the same size, in behind its own.
    fn append(&mut self, other: Self) {
        let shape = |images: &Self| (images.height, images.width, images.channels);
        assert_eq!(
            shape(self),
            shape(&other),
            "images of one set are of one size"
        );
        self.count += other.count;
        self.pixels.in_memory_mut().extend(other.pixels.in_memory());
        self.labels.extend(other.labels);
    }

    /// Makes grey images coloured ones, as torchvision's `Grayscale(3)` does.
    pub fn to_rgb(&mut self) {
        if self.channels == 1 {
            let grey = self.pixels.in_memory().iter();
            self.pixels = grey.flat_map(|&grey| [grey; 3]).collect::<Vec<u8>>().into();
            self.channels = 3;
        }
    }

    /// Swaps the rows and columns of every image.
    fn transpose(&mut self) {
        let (height, width, channels) = (self.height, self.width, self.channels);
        let mut upright = Vec::with_capacity(height * width * channels);
        let pixels = self.pixels.in_memory_mut();
        for image in pixels.chunks_exact_mut(height * width * channels) {
            upright.clear();
            for x in 0..width {
                for y in 0..height {
                    let pixel = (y * width + x) * channels;
                    upright.extend_from_slice(&image[pixel..pixel + channels]);
                }
            }
            image.copy_from_slice(&upright);
        }
        (self.height, self.width) = (width, height);
    }
}

/// What a reader finds: both halves of a data set.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Splits {
    train: Images,
    test: Images,
    /// Every label is below it.
    classes: usize,
}

/// A classification data set with its official split.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageSet {
    /// The name or folder it was loaded by.
    pub name: String,
    /// Number of classes; every label is below it.
    pub classes: usize,
    /// `[classes]`, what they are called; empty where nothing tells.
    pub class_names: Vec<String>,
    /// The training images; the last `held_out` of them are the set's own validation split.
    pub train: Images,
    /// How many of the training images the set itself holds out for validation; 0 where it has no such split.
    pub held_out: usize,
    /// The test images, of the same size but where [`LoadOptions::stored_sides`] says another.
    pub test: Images,
    /// How the images came to their parts.
    pub division: Division,
    /// What there is to tell of how they were read, a line each.
    pub notes: Vec<String>,
    /// `[channels]`, subtracted after a pixel is divided by 255.
    pub mean: Vec<f32>,
    /// `[channels]`, divided by after the mean is subtracted.
    pub std: Vec<f32>,
}

impl ImageSet {
    /// A grey data set under MNIST's normalisation, (x / 255 - 0.1307) / 0.3081.
    ///
    /// The paper's MNIST-CNN recipe uses these two numbers for every MNIST-like set, Fashion-MNIST
    /// included (its Arch2 and VGG scripts normalise Fashion-MNIST by 0.5 / 0.5 instead).
    fn grey(name: &str, splits: Splits) -> Self {
        Self::new(name, splits, &[MNIST_MEAN], &[MNIST_STD])
    }

    /// A colour data set under CIFAR's normalisation, which the paper's scripts use for nearly
    /// every colour set.
    fn colour(name: &str, splits: Splits) -> Self {
        Self::new(name, splits, &CIFAR_MEAN, &CIFAR_STD)
    }

    /// What a class is called: its number where nothing tells more.
    pub fn class_name(&self, class: usize) -> String {
        self.class_names
            .get(class)
            .cloned()
            .unwrap_or_else(|| class.to_string())
    }

    fn new(name: &str, splits: Splits, mean: &[f32], std: &[f32]) -> Self {
        // A label offset may have made other classes of those that are published.
        let mut class_names = class_names::of(name);
        if class_names.len() != splits.classes {
            class_names.clear();
        }
        Self {
            name: name.to_owned(),
            classes: splits.classes,
            train: splits.train,
            class_names,
            held_out: 0,
            test: splits.test,
            division: Division::Published,
            notes: Vec::new(),
            mean: mean.to_vec(),
            std: std.to_vec(),
        }
    }
}

/// A regression data set.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// `[count, features]`.
    pub inputs: Vec<f32>,
    /// `[count, outputs]`.
    pub targets: Vec<f32>,
    /// Number of inputs of a row.
    pub features: usize,
    /// Number of targets of a row.
    pub outputs: usize,
    /// Number of rows.
    pub count: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tiny(count: usize) -> Images {
        Images {
            count,
            height: 2,
            width: 3,
            channels: 1,
            pixels: Vec::from_iter((0..count * 6).map(|i| i as u8)).into(),
            labels: (0..count).map(|i| i as u8).collect(),
        }
    }

    #[test]
    fn truncate_keeps_the_first_images() {
        let mut images = tiny(5);
        images.truncate(2);
        assert_eq!(images, tiny(2));
    }

    #[test]
    fn truncate_to_more_than_there_are_keeps_all() {
        let mut images = tiny(5);
        images.truncate(usize::MAX);
        assert_eq!(images, tiny(5));
    }

    #[test]
    fn transposing_swaps_rows_and_columns() {
        let mut images = tiny(2);
        images.transpose();
        assert_eq!((images.height, images.width), (3, 2));
        assert_eq!(
            images.pixels.in_memory(),
            [0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11]
        );
        images.transpose();
        assert_eq!(images, tiny(2));
    }

    #[test]
    fn transposing_keeps_the_channels_together() {
        let mut images = Images {
            channels: 3,
            width: 1,
            ..tiny(1)
        };
        images.transpose();
        assert_eq!((images.height, images.width), (1, 2));
        assert_eq!(images.pixels, tiny(1).pixels);
    }
}
