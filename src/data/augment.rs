//! What happens to an image on its way into a batch: torchvision's operations by their names and parameters, and the
//! augmentations of the paper as lists of them (paper.md 3.3).
//!
//! Every operation works on bytes, as torchvision's do on PIL images, and fills with 0 what comes from outside the image.

use serde::Serialize;

/// How a value between pixels is found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Interpolation {
    /// From the 2 x 2 pixels around: torchvision's default.
    Bilinear,
    /// From the 4 x 4 pixels around: torchvision's default for `RandomPerspective` when the paper was written.
    Bicubic,
}

/// An operation of torchvision.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Transform {
    /// `RandomPerspective`: with probability `p`, every corner moves inwards.
    RandomPerspective {
        /// How far at most, as a part of half the image.
        distortion_scale: f64,
        /// How often.
        p: f64,
        /// How values between pixels are found.
        interpolation: Interpolation,
    },
    /// `RandomRotation(degrees)` about the centre, to the nearest pixel.
    RandomRotation {
        /// The largest angle, either way.
        degrees: f64,
    },
    /// `RandomAffine(degrees, translate)`, to the nearest pixel.
    RandomAffine {
        /// The largest angle, either way.
        degrees: f64,
        /// The furthest shift, either way, as a part of the width and of the height.
        translate: [f64; 2],
    },
    /// `RandomResizedCrop`, with the size of the image as its `size`: a box, resized bilinearly.
    RandomResizedCrop {
        /// The smallest and the largest area of the box, as a part of the image.
        scale: [f64; 2],
        /// The smallest and the largest width / height of the box.
        ratio: [f64; 2],
    },
    /// `RandomCrop`, with the size of the image as its `size`, after padding on all sides.
    PadCrop {
        /// Pixels added on each side.
        padding: u32,
    },
    /// `RandomHorizontalFlip`: left and right change places.
    RandomHorizontalFlip {
        /// How often.
        p: f64,
    },
    /// `RandomVerticalFlip`: top and bottom change places.
    RandomVerticalFlip {
        /// How often.
        p: f64,
    },
    /// `Resize`, bilinear, and averaging where the image shrinks.
    Resize {
        /// Rows of the result.
        height: u32,
        /// Pixels of a row of the result.
        width: u32,
    },
}

impl Transform {
    /// Height and width of what it makes of an image of this height and width.
    pub fn output_size(&self, size: [u32; 2]) -> [u32; 2] {
        match *self {
            Self::Resize { height, width } => [height, width],
            _ => size,
        }
    }

    /// Whether it draws anything. What does not is done in evaluation too.
    pub fn is_random(&self) -> bool {
        !matches!(self, Self::Resize { .. })
    }
}

/// Operations that one image goes through at most.
pub const MAX_TRANSFORMS: usize = 4;

/// Operations one after another; none by default.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Transforms([Option<Transform>; MAX_TRANSFORMS]);

impl Transforms {
    /// These operations in this order. Panics if there are more than [`MAX_TRANSFORMS`].
    pub fn new(transforms: &[Transform]) -> Self {
        let mut slots = [None; MAX_TRANSFORMS];
        assert!(
            transforms.len() <= slots.len(),
            "{} operations, where {MAX_TRANSFORMS} have room",
            transforms.len()
        );
        for (slot, transform) in slots.iter_mut().zip(transforms) {
            *slot = Some(*transform);
        }
        Self(slots)
    }

    /// The operations.
    pub fn iter(&self) -> impl Iterator<Item = Transform> {
        self.0.into_iter().flatten()
    }

    /// Those that draw nothing: what evaluation keeps.
    pub fn fixed(&self) -> Self {
        let fixed: Vec<_> = self
            .iter()
            .filter(|transform| !transform.is_random())
            .collect();
        Self::new(&fixed)
    }

    /// Height and width of an image before the first operation, between them, and after the last.
    pub fn sizes(&self, stored: [u32; 2]) -> Vec<[u32; 2]> {
        let mut sizes = vec![stored];
        for transform in self.iter() {
            sizes.push(transform.output_size(sizes[sizes.len() - 1]));
        }
        sizes
    }
}

/// The augmentations that training can be asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, clap::ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Augmentation {
    /// The images as they are
    #[default]
    None,
    /// RandomPerspective (bicubic, as in 2020), then RandomRotation(10)
    PerspectiveRotation,
    /// RandomRotation(10), then RandomResizedCrop with 95 to 100 % of the area
    RotationCrop,
    /// Padding by 4, a random crop of the old size, then RandomHorizontalFlip
    CropFlip,
}

impl Augmentation {
    /// Its operations.
    pub fn transforms(self) -> Transforms {
        let rotation = Transform::RandomRotation { degrees: 10.0 };
        match self {
            Self::None => Transforms::default(),
            Self::PerspectiveRotation => Transforms::new(&[
                Transform::RandomPerspective {
                    distortion_scale: 0.5,
                    p: 0.5,
                    interpolation: Interpolation::Bicubic,
                },
                rotation,
            ]),
            Self::RotationCrop => Transforms::new(&[
                rotation,
                Transform::RandomResizedCrop {
                    scale: [0.95, 1.0],
                    ratio: [3.0 / 4.0, 4.0 / 3.0],
                },
            ]),
            Self::CropFlip => Transforms::new(&[
                Transform::PadCrop { padding: 4 },
                Transform::RandomHorizontalFlip { p: 0.5 },
            ]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resize_changes_the_size_for_what_follows_and_stays_in_evaluation() {
        let resize = Transform::Resize {
            height: 32,
            width: 40,
        };
        let transforms = Transforms::new(&[
            Transform::PadCrop { padding: 4 },
            resize,
            Transform::RandomVerticalFlip { p: 0.5 },
        ]);
        assert_eq!(
            transforms.sizes([28, 28]),
            [[28, 28], [28, 28], [32, 40], [32, 40]]
        );
        assert_eq!(transforms.fixed(), Transforms::new(&[resize]));
    }

    #[test]
    fn the_augmentations_of_the_paper_keep_the_size() {
        for augmentation in [
            Augmentation::None,
            Augmentation::PerspectiveRotation,
            Augmentation::RotationCrop,
            Augmentation::CropFlip,
        ] {
            let sizes = augmentation.transforms().sizes([28, 31]);
            assert!(sizes.iter().all(|&size| size == [28, 31]));
            assert_eq!(
                augmentation.transforms().fixed(),
                Augmentation::None.transforms()
            );
        }
    }
}
