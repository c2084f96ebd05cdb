//! Augmentation: each image of a batch goes through torchvision's random operations while it is gathered.
//!
//! Small dispatches draw what each operation does to each sample; one gathers the images and does it.

use super::resident::Images;
use crate::data::augment::{Interpolation, Transform, Transforms};
use crate::plan::{Kernel, Shader, Tape, Tensor};

static DRAW: Shader = crate::shader!("augment/draw");
static GATHER: Shader = crate::shader!("augment/gather");

/// Images that are augmented on their way into a batch.
pub(super) struct Augmented<'a> {
    /// The operations; at least one.
    pub transforms: Transforms,
    /// The images.
    pub images: &'a Images,
}

impl Augmented<'_> {
    /// Records the draws and the fetching; returns the images `[N, H, W, C]`, of the size that the last operation makes.
    pub fn record(&self, tape: &mut Tape) -> Tensor {
        let [height, width, _] = self.images.size;
        let batch = self.images.selection.batch;
        let sizes = self.transforms.sizes([height, width]);
        let slots = sizes.len() as u32 - 1;
        let warps = tape.input("warps", [batch * slots, warp_words()]);
        for (slot, transform) in self.transforms.iter().enumerate() {
            let draw = Draw {
                batch,
                slots,
                slot: slot as u32,
                size: sizes[slot],
                warps,
            };
            draw.record(tape, transform);
        }
        self.record_gather(tape, &sizes, warps)
    }

    fn record_gather(&self, tape: &mut Tape, sizes: &[[u32; 2]], warps: Tensor) -> Tensor {
        let images = self.images;
        let (selection, [stored_height, stored_width, channels]) = (images.selection, images.size);
        let batch = selection.batch;
        let values = |[height, width]: [u32; 2]| height * width * channels;
        let largest = sizes.iter().copied().map(values).max().unwrap_or(0);
        let [height, width] = sizes[sizes.len() - 1];
        let x = tape.input("x", [batch, height, width, channels]);
        let scratch = tape.input("scratch", [batch, 2, largest]);
        let step = tape.step();
        let entry = "forward";
        let workgroup = GATHER.entry_point(entry).workgroup_size[0];
        tape.dispatch(Kernel {
            shader: &GATHER,
            entry,
            constants: &[
                ("BATCH", batch.into()),
                ("FULL_BATCH", selection.full_batch.into()),
                ("HEIGHT", stored_height.into()),
                ("WIDTH", stored_width.into()),
                ("CHANNELS", channels.into()),
                ("SLOTS", (sizes.len() - 1) as f64),
                ("LARGEST", largest.into()),
                ("SIZE", x.columns().into()),
                ("STAGED", f64::from(u8::from(images.staged))),
                ("STRIDE", images.stride.into()),
            ],
            bindings: &[
                ("step", step),
                ("order", selection.order),
                ("images", images.images),
                ("normalisation", images.normalisation),
                ("warps", warps),
                ("scratch", scratch),
                ("x", x),
            ],
            extent: [batch * workgroup, 1, 1],
            multiplications: 0,
        });
        x
    }
}

/// Words of a `Warp` in `shaders/lib/warp.wgsl`.
fn warp_words() -> u32 {
    let bindings = &GATHER.entry_point("forward").bindings;
    let warps = bindings.iter().find(|slot| slot.name == "warps");
    warps.expect("the images are warped").element_bytes / 4
}

/// The draws of one operation.
struct Draw {
    batch: u32,
    slots: u32,
    slot: u32,
    /// Height and width of the image that the operation is given.
    size: [u32; 2],
    warps: Tensor,
}

impl Draw {
    fn record(&self, tape: &mut Tape, transform: Transform) {
        let (entry, parameters) = self.entry(transform);
        let [height, width] = self.size;
        let mut constants = vec![
            ("BATCH", f64::from(self.batch)),
            ("SLOTS", self.slots.into()),
            ("SLOT", self.slot.into()),
            ("STREAM", tape.random_stream().into()),
            ("HEIGHT", height.into()),
            ("WIDTH", width.into()),
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
            Transform::RandomResizedCrop { scale, ratio } => {
                ("resized_crop", self.crop_parameters(scale, ratio))
            }
            Transform::PadCrop { padding } => ("pad_crop", vec![("PADDING", padding.into())]),
            Transform::RandomHorizontalFlip { p } => ("flip", vec![("P", p), ("VERTICAL", 0.0)]),
            Transform::RandomVerticalFlip { p } => ("flip", vec![("P", p), ("VERTICAL", 1.0)]),
            Transform::Resize { height, width } => {
                let parameters = vec![("OUT_HEIGHT", height.into()), ("OUT_WIDTH", width.into())];
                ("resize", parameters)
            }
        }
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
