//! The draws of an augmentation: what each operation does to each image of a batch.

use crate::data::augment::{Interpolation, Transform};
use crate::plan::{Kernel, Shader, Tape, Tensor};

static DRAW: Shader = crate::shader!("augment/draw");

/// The draws of one operation.
pub(super) struct Draw {
    /// Images of the batch.
    pub batch: u32,
    /// Operations of the augmentation.
    pub slots: u32,
    /// The place of this one.
    pub slot: u32,
    /// Height and width of the image that the operation is given.
    pub size: [u32; 2],
    /// Height and width of the image that it makes.
    pub output_size: [u32; 2],
    /// What every operation does to every image: `[N, slots, words]`.
    pub warps: Tensor,
}

impl Draw {
    /// Records the drawing of what `transform` does.
    pub fn record(&self, tape: &mut Tape, transform: Transform) {
        let (entry, parameters) = self.entry(transform);
        let ([height, width], [out_height, out_width]) = (self.size, self.output_size);
        let mut constants = vec![
            ("BATCH", f64::from(self.batch)),
            ("SLOTS", self.slots.into()),
            ("SLOT", self.slot.into()),
            ("STREAM", tape.random_stream().into()),
            ("HEIGHT", height.into()),
            ("WIDTH", width.into()),
            ("OUT_HEIGHT", out_height.into()),
            ("OUT_WIDTH", out_width.into()),
        ];
        constants.extend(parameters);
        let mut bindings = vec![("warps", self.warps)];
        if transform.is_random() {
            bindings.push(("step", tape.step()));
        }
        tape.dispatch(Kernel {
            shader: &DRAW,
            entry,
            constants: &constants,
            bindings: &bindings,
            extent: [self.batch, 1, 1],
            multiplications: 0,
        });
    }

    /// The entry point of an operation and its parameters there.
    fn entry(&self, transform: Transform) -> (&'static str, Vec<(&'static str, f64)>) {
        let [height, width] = self.size;
        match transform {
            Transform::RandomPerspective {
                distortion_scale,
                p,
                interpolation,
            } => {
                let distortion = |side: u32| (distortion_scale * f64::from(side / 2)).floor();
                let kind = match interpolation {
                    Interpolation::Bilinear => "BILINEAR",
                    Interpolation::Bicubic => "BICUBIC",
                };
                let parameters = vec![
                    ("P", p),
                    ("INTERPOLATION", DRAW.constant(kind).into()),
                    ("DISTORTION_X", distortion(width)),
                    ("DISTORTION_Y", distortion(height)),
                ];
                ("perspective", parameters)
            }
            Transform::RandomRotation { degrees } => ("rotation", vec![("DEGREES", degrees)]),
            Transform::RandomAffine { degrees, translate } => {
                let parameters = vec![
                    ("DEGREES", degrees),
                    ("TRANSLATE_X", translate[0] * f64::from(width)),
                    ("TRANSLATE_Y", translate[1] * f64::from(height)),
                ];
                ("affine", parameters)
            }
            Transform::RandomResizedCrop { scale, ratio, .. } => {
                ("resized_crop", self.crop_parameters(scale, ratio))
            }
            Transform::RandomCrop { padding, .. } => ("crop", vec![("PADDING", padding.into())]),
            Transform::CenterCrop { .. } => ("center_crop", self.center_corner()),
            Transform::RandomHorizontalFlip { p } => ("flip", vec![("P", p), ("VERTICAL", 0.0)]),
            Transform::RandomVerticalFlip { p } => ("flip", vec![("P", p), ("VERTICAL", 1.0)]),
            Transform::Resize { .. } => ("resize", Vec::new()),
        }
    }

    /// Top and left of what is cut out of the middle, by Python's rounding.
    fn center_corner(&self) -> Vec<(&'static str, f64)> {
        let corner = |axis: usize| {
            let surplus = f64::from(self.size[axis]) - f64::from(self.output_size[axis]);
            (surplus / 2.0).round_ties_even()
        };
        vec![("TOP", corner(0)), ("LEFT", corner(1))]
    }

    /// The parameters of a random box, with the central box that torchvision falls back to.
    fn crop_parameters(&self, scale: [f64; 2], ratio: [f64; 2]) -> Vec<(&'static str, f64)> {
        let [height, width] = self.size.map(f64::from);
        let fallback = [
            height.min((width / ratio[0]).round_ties_even()),
            width.min((height * ratio[1]).round_ties_even()),
        ];
        vec![
            ("SCALE_LOW", scale[0]),
            ("SCALE_HIGH", scale[1]),
            ("LOG_RATIO_LOW", ratio[0].ln()),
            ("LOG_RATIO_HIGH", ratio[1].ln()),
            ("FALLBACK_HEIGHT", fallback[0]),
            ("FALLBACK_WIDTH", fallback[1]),
        ]
    }
}
