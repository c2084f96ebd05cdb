//! What happens to an image on its way into a batch: torchvision's operations by their names and parameters, and the
//! augmentations of the paper as lists of them (paper.md 3.3 and 3.4).
//!
//! Every operation works on bytes, as torchvision's do on PIL images, and fills with 0 what comes from outside the image.

mod augmentation;
mod text;

pub use augmentation::Augmentation;

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
    /// `RandomResizedCrop`: a box, resized bilinearly, and averaged where it shrinks.
    RandomResizedCrop {
        /// Height and width of the result; those of the image if absent.
        size: Option<[u32; 2]>,
        /// The smallest and the largest area of the box, as a part of the image.
        scale: [f64; 2],
        /// The smallest and the largest width / height of the box.
        ratio: [f64; 2],
    },
    /// `RandomCrop`, after padding on all sides.
    RandomCrop {
        /// Height and width of the result; those of the image before the padding if absent.
        size: Option<[u32; 2]>,
        /// Pixels added on each side.
        padding: u32,
    },
    /// `CenterCrop`.
    CenterCrop {
        /// Height and width of the result.
        size: [u32; 2],
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
    /// Height and width that it makes whatever the image has.
    pub fn size(&self) -> Option<[u32; 2]> {
        match *self {
            Self::Resize { height, width } => Some([height, width]),
            Self::CenterCrop { size } => Some(size),
            Self::RandomCrop { size, .. } | Self::RandomResizedCrop { size, .. } => size,
            _ => None,
        }
    }

    /// The same for images `factor` times as large.
    fn scaled(self, factor: f64) -> Self {
        let side = |side: u32| ((f64::from(side) * factor).round() as u32).max(1);
        let both = |size: [u32; 2]| size.map(side);
        match self {
            Self::Resize { height, width } => Self::Resize {
                height: side(height),
                width: side(width),
            },
            Self::CenterCrop { size } => Self::CenterCrop { size: both(size) },
            Self::RandomCrop { size, padding } => Self::RandomCrop {
                size: size.map(both),
                padding,
            },
            Self::RandomResizedCrop { size, scale, ratio } => Self::RandomResizedCrop {
                size: size.map(both),
                scale,
                ratio,
            },
            _ => self,
        }
    }

    /// Height and width of what it makes of an image of this height and width.
    pub fn output_size(&self, size: [u32; 2]) -> [u32; 2] {
        self.size().unwrap_or(size)
    }

    /// Whether it draws anything.
    pub fn is_random(&self) -> bool {
        !matches!(self, Self::Resize { .. } | Self::CenterCrop { .. })
    }

    /// Whether it leaves an image of this height and width as it is.
    fn is_idle(&self, of: [u32; 2]) -> bool {
        !self.is_random() && self.size() == Some(of)
    }

    /// Whether it cuts more than there is out of an image of this height and width.
    fn exceeds(&self, [height, width]: [u32; 2]) -> bool {
        let (size, padding) = match *self {
            Self::CenterCrop { size } => (size, 0),
            Self::RandomCrop {
                size: Some(size),
                padding,
            } => (size, padding),
            _ => return false,
        };
        size[0] > height + 2 * padding || size[1] > width + 2 * padding
    }
}

/// Operations that one image goes through at most.
pub const MAX_TRANSFORMS: usize = 6;

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

    /// Those that change images of this height and width: a resize to the size that an image has is left out.
    pub fn on(&self, stored: [u32; 2]) -> Self {
        let sizes = self.sizes(stored);
        let changing = self.iter().zip(sizes);
        let changing = changing.filter(|(transform, size)| !transform.is_idle(*size));
        changing.map(|(transform, _)| transform).collect()
    }

    /// Height and width that they make whatever the image has.
    pub fn size(&self) -> Option<[u32; 2]> {
        self.iter().filter_map(|transform| transform.size()).last()
    }

    /// The same for images `factor` times as large.
    fn scaled(self, factor: f64) -> Self {
        self.iter()
            .map(|transform| transform.scaled(factor))
            .collect()
    }

    /// The first that cuts more out of an image than there is, and height and width of what it is given.
    fn excess(&self, stored: [u32; 2]) -> Option<(Transform, [u32; 2])> {
        let mut with_sizes = self.iter().zip(self.sizes(stored));
        with_sizes.find(|(transform, size)| transform.exceeds(*size))
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

impl FromIterator<Transform> for Transforms {
    fn from_iter<I: IntoIterator<Item = Transform>>(transforms: I) -> Self {
        Self::new(&transforms.into_iter().collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESIZE: Transform = Transform::Resize {
        height: 32,
        width: 40,
    };

    #[test]
    fn what_makes_a_size_changes_it_for_what_follows() {
        let crop = Transform::RandomCrop {
            size: Some([20, 30]),
            padding: 0,
        };
        let flip = Transform::RandomVerticalFlip { p: 0.5 };
        let transforms = Transforms::new(&[flip, RESIZE, flip, crop]);
        assert_eq!(
            transforms.sizes([28, 28]),
            [[28, 28], [28, 28], [32, 40], [32, 40], [20, 30]]
        );
        assert_eq!(transforms.size(), Some([20, 30]));
        assert_eq!(Transforms::new(&[flip]).size(), None);
    }

    #[test]
    fn a_resize_to_the_size_that_is_there_is_left_out() {
        let centre = Transform::CenterCrop { size: [32, 40] };
        let transforms = Transforms::new(&[RESIZE, centre]);
        assert_eq!(transforms.on([32, 40]), Transforms::default());
        assert_eq!(transforms.on([31, 40]), Transforms::new(&[RESIZE]));
        let flip = Transform::RandomHorizontalFlip { p: 0.5 };
        let transforms = Transforms::new(&[flip, centre]);
        assert_eq!(transforms.on([40, 40]), transforms);
        assert_eq!(transforms.on([32, 40]), Transforms::new(&[flip]));
    }
}
