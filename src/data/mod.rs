//! Data on the host: labelled images and regression tables, by name or from a folder.
//!
//! To add a data set: one file here and one line in [`load`].
//! Pixels stay bytes, channels last, until the GPU gathers and normalises a batch.

use std::path::Path;

use crate::error::{Error, Result};

mod digit;
pub mod embedded;
pub mod idx;
mod order;
pub mod picture;
pub mod regression;
pub mod sheet;

pub use order::shuffled_order;

/// Where Debian's package `dataset-fashion-mnist` puts its IDX files.
const FASHION_MNIST_FOLDER: &str = "/usr/share/datasets/fashion-mnist";

/// The mean of MNIST's pixels, of 1.
pub const MNIST_MEAN: f32 = 0.1307;

/// The standard deviation of MNIST's pixels, of 1.
pub const MNIST_STD: f32 = 0.3081;

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
    pub pixels: Vec<u8>,
    /// `[count]`, the class of each image, from 0.
    pub labels: Vec<u8>,
}

impl Images {
    /// Keeps the first `n` images in file order; all of them where there are no more than `n`.
    pub fn truncate(&mut self, n: usize) {
        self.count = self.count.min(n);
        self.labels.truncate(self.count);
        self.pixels
            .truncate(self.count * self.height * self.width * self.channels);
    }
}

/// A classification data set with its official split.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageSet {
    /// The name or folder it was loaded by.
    pub name: String,
    /// Number of classes; every label is below it.
    pub classes: usize,
    /// The training images.
    pub train: Images,
    /// The test images, of the same size.
    pub test: Images,
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
    fn grey(name: &str, splits: idx::Splits) -> Self {
        Self {
            name: name.to_owned(),
            classes: splits.classes,
            train: splits.train,
            test: splits.test,
            mean: vec![MNIST_MEAN],
            std: vec![MNIST_STD],
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

/// Loads an image data set by its name, or from a folder of the four IDX files.
///
/// A name wins over a folder of the same name; write `./mnist` for the folder.
///
/// # Errors
/// An unknown name (the message lists the valid ones), or files that are missing or broken.
pub fn load(name_or_dir: &str) -> Result<ImageSet> {
    match name_or_dir {
        "mnist" => embedded::load(),
        "fashion-mnist" => load_fashion_mnist(Path::new(FASHION_MNIST_FOLDER)),
        folder if Path::new(folder).is_dir() => {
            let splits = idx::read_folder(Path::new(folder), None)?;
            Ok(ImageSet::grey(folder, splits))
        }
        file if Path::new(file).exists() => Err(Error::file(
            file,
            "is a file, but a data set is a name or a folder",
            format!("give mnist, fashion-mnist, or {}", idx::FOLDER_HINT),
        )),
        unknown => Err(Error::usage(
            format!("there is no data set and no folder named '{unknown}'"),
            format!("give mnist, fashion-mnist, or {}", idx::FOLDER_HINT),
        )),
    }
}

fn load_fashion_mnist(folder: &Path) -> Result<ImageSet> {
    if !folder.is_dir() {
        return Err(Error::file(
            folder,
            "Fashion-MNIST is not installed here",
            format!(
                "install Debian's package dataset-fashion-mnist, or give {}",
                idx::FOLDER_HINT
            ),
        ));
    }
    let splits = idx::read_folder(folder, Some(10))?;
    Ok(ImageSet::grey("fashion-mnist", splits))
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
            pixels: (0..count * 6).map(|i| i as u8).collect(),
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
    fn an_unknown_name_lists_the_valid_ones() {
        let error = load("mnits").unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("'mnits'"));
        assert!(error.hint().contains("mnist, fashion-mnist, or a folder"));
        assert!(load("").is_err());
    }

    #[test]
    fn a_file_in_place_of_a_folder_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = load(file.path().to_str().unwrap()).unwrap_err();
        assert!(error.to_string().contains("is a file"), "{error}");
    }

    #[test]
    fn fashion_mnist_missing_names_the_package() {
        let error = load_fashion_mnist(Path::new("no/such/folder")).unwrap_err();
        assert!(error.to_string().contains("no/such/folder"), "{error}");
        assert!(error.hint().contains("dataset-fashion-mnist"));
    }
}
