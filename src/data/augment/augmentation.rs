//! What training and evaluation make of the stored images.

use super::{Interpolation, Transform, Transforms};
use crate::error::{Error, Result};

/// The augmentations that training can be asked for. Text names them: `crop-flip`, or operations of one's own choice as
/// `resize:272+rotate:15+crop:256+flip`, behind a `/` those of evaluation.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
#[allow(
    clippy::large_enum_variant,
    reason = "there are few of them, and recipes are constants, which have no boxes"
)]
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
    /// Operations of one's own choice, that make images of the same size.
    Chosen {
        /// Of training.
        train: Transforms,
        /// Of evaluation; nothing random.
        evaluation: Transforms,
    },
}

impl Augmentation {
    /// Operations of one's own choice. Without those of evaluation, it resizes whole images to the size that training makes.
    ///
    /// # Errors
    /// What is wrong with them: sizes that differ, or something random in evaluation.
    pub(super) fn chosen(
        train: Transforms,
        evaluation: Option<Transforms>,
    ) -> std::result::Result<Self, String> {
        let size = train.size();
        let evaluation = evaluation.unwrap_or_else(|| {
            let resize = size.map(|[height, width]| Transform::Resize { height, width });
            resize.into_iter().collect()
        });
        if let Some(random) = evaluation.iter().find(Transform::is_random) {
            return Err(format!(
                "{random}: evaluation draws nothing, it has resize and center-crop"
            ));
        }
        if evaluation.size() != size {
            let name = |size: Option<[u32; 2]>| match size {
                Some([height, width]) => format!("{height} x {width} pixels"),
                None => "the stored size".to_owned(),
            };
            return Err(format!(
                "training makes images of {}, and evaluation of {}",
                name(size),
                name(evaluation.size())
            ));
        }
        Ok(Self::Chosen { train, evaluation })
    }

    /// The operations of training.
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
                    size: None,
                    scale: [0.95, 1.0],
                    ratio: [3.0 / 4.0, 4.0 / 3.0],
                },
            ]),
            Self::CropFlip => Transforms::new(&[
                Transform::RandomCrop {
                    size: None,
                    padding: 4,
                },
                Transform::RandomHorizontalFlip { p: 0.5 },
            ]),
            Self::Chosen { train, .. } => train,
        }
    }

    /// The operations of evaluation, whatever part of the data set it is of.
    pub fn evaluation(self) -> Transforms {
        match self {
            Self::Chosen { evaluation, .. } => evaluation,
            _ => Transforms::default(),
        }
    }

    /// Height and width that a net is given whatever the stored images have.
    pub fn size(self) -> Option<[u32; 2]> {
        self.transforms().size()
    }

    /// The same for a net that is given images of this side: sizes on the way there keep their proportion to it. What makes
    /// no size of its own stays.
    pub fn with_side(self, side: u32) -> Self {
        match (self, self.size()) {
            (Self::Chosen { train, evaluation }, Some([height, width])) => {
                let factor = f64::from(side) / f64::from(height.min(width));
                Self::Chosen {
                    train: train.scaled(factor),
                    evaluation: evaluation.scaled(factor),
                }
            }
            _ => self,
        }
    }

    /// Rows and columns that pictures in files are best kept at, to train and to test on: those of a square resize that comes
    /// first, which is then done once and for all.
    pub fn stored_sides(self) -> [Option<u32>; 2] {
        [self.transforms(), self.evaluation()].map(|transforms| match transforms.iter().next() {
            Some(Transform::Resize { height, width }) if height == width => Some(height),
            _ => None,
        })
    }

    /// Refuses to cut more out of stored images of this height and width than there is.
    ///
    /// # Errors
    /// `Error::Usage` if an operation cuts a larger image out of a smaller one.
    pub fn check(self, stored: [u32; 2]) -> Result<()> {
        let all = [self.transforms(), self.evaluation()];
        match all.iter().find_map(|transforms| transforms.excess(stored)) {
            Some((transform, [height, width])) => Err(Error::usage(
                format!(
                    "--augment {self}: {transform} is larger than the {height} x {width} pixels that it is given"
                ),
                "let a resize come before it, or cut less",
            )),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Augmentation {
        text.parse().unwrap()
    }

    #[test]
    fn the_augmentations_of_small_images_keep_the_size_and_evaluate_the_stored_image() {
        for augmentation in [
            Augmentation::None,
            Augmentation::PerspectiveRotation,
            Augmentation::RotationCrop,
            Augmentation::CropFlip,
        ] {
            let sizes = augmentation.transforms().sizes([28, 31]);
            assert!(sizes.iter().all(|&size| size == [28, 31]));
            assert_eq!(augmentation.evaluation(), Transforms::default());
            assert_eq!(augmentation.size(), None);
            assert_eq!(augmentation.with_side(7), augmentation);
        }
    }

    #[test]
    fn evaluation_resizes_to_what_training_makes_unless_it_is_told() {
        let augmentation = parse("resize:272+rotate:15+crop:256+flip");
        let resize = |side| Transform::Resize {
            height: side,
            width: side,
        };
        assert_eq!(augmentation.evaluation(), Transforms::new(&[resize(256)]));
        assert_eq!(augmentation.stored_sides(), [Some(272), Some(256)]);
        let told = parse("resize:256+resized-crop:224+flip/resize:256+center-crop:224");
        assert_eq!(told.size(), Some([224, 224]));
        assert_eq!(told.stored_sides(), [Some(256), Some(256)]);
        assert_eq!(parse("flip+vflip").evaluation(), Transforms::default());
        assert_eq!(parse("flip").stored_sides(), [None, None]);
    }

    #[test]
    fn another_side_keeps_the_proportions() {
        let half = parse("resize:272+rotate:15+crop:256+flip").with_side(128);
        assert_eq!(half, parse("resize:136+rotate:15+crop:128+flip"));
        let wide = parse("resize:256+resized-crop:224:0.2-1/resize:256+center-crop:224");
        let expected = "resize:183+resized-crop:160:0.2-1/resize:183+center-crop:160";
        assert_eq!(wide.with_side(160), parse(expected));
    }

    #[test]
    fn a_crop_larger_than_its_image_is_refused() {
        let augmentation = parse("crop:256+flip/center-crop:256");
        assert!(augmentation.check([256, 300]).is_ok());
        let message = augmentation.check([272, 255]).unwrap_err().to_string();
        assert!(
            message.contains("crop:256 is larger than the 272 x 255 pixels"),
            "{message}"
        );
        assert!(parse("pad-crop:4").check([1, 1]).is_ok());
        assert!(parse("crop:36:4").check([28, 28]).is_ok());
    }
}
