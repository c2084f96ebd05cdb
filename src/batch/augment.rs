//! Augmentation: each image of a batch goes through torchvision's random operations while it is gathered.
//!
//! Small dispatches draw what each operation does to each image; others gather the images and do it.

use std::mem::swap;

use super::draw::Draw;
use super::resident::Images;
use crate::data::augment::{Transform, Transforms};
use crate::plan::{Candidate, Kernel, Offer, Shader, Tape, Tensor};

static GATHER: Shader = crate::shader!("augment/gather");

/// Images that are augmented on their way into a batch.
pub(super) struct Augmented<'a> {
    /// The operations; at least one.
    pub transforms: Transforms,
    /// The images.
    pub images: &'a Images,
}

/// How images are taken through their operations.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Algorithm {
    /// By one dispatch: a workgroup takes an image through all of them.
    ByImage,
    /// By a dispatch for each operation, and for each direction of a resize: an invocation takes a pixel. Images of any size.
    ByPixel,
}

impl Candidate for Algorithm {
    fn name(&self) -> String {
        match self {
            Self::ByImage => "by_image".to_owned(),
            Self::ByPixel => "by_pixel".to_owned(),
        }
    }

    fn shaders(&self) -> Vec<&'static Shader> {
        vec![&GATHER]
    }
}

impl Augmented<'_> {
    /// Records the draws and the fetching; returns the images `[N, H, W, C]`, of the size that the last operation makes.
    pub fn record(&self, tape: &mut Tape) -> Tensor {
        let sizes = self.sizes();
        let [height, width] = sizes[sizes.len() - 1];
        let (batch, channels) = (self.images.selection.batch, self.images.size[2]);
        let warps = self.record_draws(tape);
        let x = tape.input("x", [batch, height, width, channels]);
        tape.operation(
            "augment",
            format!("{:?} in {sizes:?}", x.shape()),
            &self.offers(),
            &[x],
            |tape, algorithm| match algorithm {
                Algorithm::ByImage => self.record_by_image(tape, warps, x),
                Algorithm::ByPixel => self.record_by_pixel(tape, warps, x),
            },
        );
        x
    }

    /// What each algorithm costs: rounds of a workgroup that takes one pixel or value an invocation, one after another.
    fn offers(&self) -> [Offer<Algorithm>; 2] {
        /// Rounds for which a dispatch more could be paid.
        const DISPATCH: f64 = 100.0;
        let [_, _, channels] = self.images.size;
        let workgroup = GATHER.constant("WORKGROUP");
        let values = |[height, width]: [u32; 2]| height * width * channels;
        let sizes = self.sizes();
        let rounds = sizes.iter().map(|&size| values(size).div_ceil(workgroup));
        let by_image = DISPATCH + f64::from(rounds.sum::<u32>());
        // To fetch, two directions of a resize, to normalise.
        let by_pixel = DISPATCH * (2 * sizes.len()) as f64;
        [
            Offer::new(Algorithm::ByImage, by_image),
            Offer::new(Algorithm::ByPixel, by_pixel),
        ]
    }

    /// Records what each operation does to each image: `[N * operations, words]`.
    fn record_draws(&self, tape: &mut Tape) -> Tensor {
        let (batch, sizes) = (self.images.selection.batch, self.sizes());
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
        warps
    }

    fn record_by_image(&self, tape: &mut Tape, warps: Tensor, x: Tensor) {
        let sizes = self.sizes();
        let [before, after] = self.buffers(tape, &sizes);
        let bindings = [
            ("step", tape.step()),
            ("order", self.images.selection.order),
            ("images", self.images.images),
            ("normalisation", self.images.normalisation),
            ("warps", warps),
            ("before", before),
            ("after", after),
            ("x", x),
        ];
        let pass = Pass {
            entry: "forward",
            slot: 0,
            from: sizes[0],
            to: sizes[sizes.len() - 1],
            invocations: GATHER.entry_point("forward").workgroup_size[0],
        };
        self.dispatch(tape, pass, before, &bindings);
    }

    fn record_by_pixel(&self, tape: &mut Tape, warps: Tensor, x: Tensor) {
        let sizes = self.sizes();
        // Between its two directions a resize has the old height and the new width.
        let between = sizes.windows(2).map(|pair| [pair[0][0], pair[1][1]]);
        let all: Vec<_> = sizes.iter().copied().chain(between).collect();
        let [mut before, mut after] = self.buffers(tape, &all);
        let bindings = [
            ("step", tape.step()),
            ("order", self.images.selection.order),
            ("images", self.images.images),
            ("after", after),
        ];
        let pass = Pass::over("fetch", 0, [sizes[0]; 2]);
        self.dispatch(tape, pass, after, &bindings);
        for (slot, transform) in self.transforms.iter().enumerate() {
            let sizes = [sizes[slot], sizes[slot + 1]];
            for pass in Pass::of(transform, slot as u32, sizes) {
                swap(&mut before, &mut after);
                let bindings = [("warps", warps), ("before", before), ("after", after)];
                self.dispatch(tape, pass, before, &bindings);
            }
        }
        let bindings = [
            ("normalisation", self.images.normalisation),
            ("before", after),
            ("x", x),
        ];
        let pass = Pass::over("normalise", 0, [sizes[sizes.len() - 1]; 2]);
        self.dispatch(tape, pass, after, &bindings);
    }

    /// Height and width of the images before the first operation, between them, and after the last.
    fn sizes(&self) -> Vec<[u32; 2]> {
        let [height, width, _] = self.images.size;
        self.transforms.sizes([height, width])
    }

    /// Two buffers that images pass between, with room for the largest of `sizes`: `[N, values]`.
    fn buffers(&self, tape: &mut Tape, sizes: &[[u32; 2]]) -> [Tensor; 2] {
        let pixels = sizes.iter().map(|[height, width]| height * width);
        let values = pixels.max().unwrap_or(1) * self.images.size[2];
        ["before", "after"].map(|name| tape.input(name, [self.images.selection.batch, values]))
    }

    fn dispatch(
        &self,
        tape: &mut Tape,
        pass: Pass,
        buffer: Tensor,
        bindings: &[(&'static str, Tensor)],
    ) {
        let (images, sizes) = (self.images, self.sizes());
        let sides = || sizes.iter().flatten().copied();
        tape.dispatch(Kernel {
            shader: &GATHER,
            entry: pass.entry,
            constants: &[
                ("BATCH", images.selection.batch.into()),
                ("FULL_BATCH", images.selection.full_batch.into()),
                ("HEIGHT", pass.from[0].into()),
                ("WIDTH", pass.from[1].into()),
                ("OUT_HEIGHT", pass.to[0].into()),
                ("OUT_WIDTH", pass.to[1].into()),
                ("CHANNELS", images.size[2].into()),
                ("SLOTS", (sizes.len() - 1) as f64),
                ("SLOT", pass.slot.into()),
                ("LARGEST", buffer.columns().into()),
                ("LONGEST", sides().max().unwrap_or(1).into()),
                ("SHORTEST", sides().min().unwrap_or(1).into()),
                ("STAGED", f64::from(u8::from(images.staged))),
                ("STRIDE", images.stride.into()),
            ],
            bindings,
            extent: [images.selection.batch * pass.invocations, 1, 1],
            multiplications: 0,
        });
    }
}

/// A dispatch over the images of a batch.
struct Pass {
    entry: &'static str,
    /// The place of the operation that it does.
    slot: u32,
    /// Height and width of an image that it is given.
    from: [u32; 2],
    /// Height and width of an image that it makes.
    to: [u32; 2],
    /// Invocations for an image.
    invocations: u32,
}

impl Pass {
    /// One with an invocation for each pixel of the result.
    fn over(entry: &'static str, slot: u32, [from, to]: [[u32; 2]; 2]) -> Self {
        Self {
            entry,
            slot,
            from,
            to,
            invocations: to[0] * to[1],
        }
    }

    /// Those that do one operation.
    fn of(transform: Transform, slot: u32, sizes: [[u32; 2]; 2]) -> Vec<Self> {
        use Transform::{RandomResizedCrop, Resize};
        if !matches!(transform, RandomResizedCrop { .. } | Resize { .. }) {
            return vec![Self::over("warp_pixels", slot, sizes)];
        }
        let [from, to] = sizes;
        let rows = Self {
            invocations: from[0] * to[1],
            ..Self::over("resize_rows", slot, sizes)
        };
        vec![rows, Self::over("resize_columns", slot, sizes)]
    }
}

/// Words of a `Warp` in `shaders/lib/warp.wgsl`.
fn warp_words() -> u32 {
    let bindings = &GATHER.entry_point("forward").bindings;
    let warps = bindings.iter().find(|slot| slot.name == "warps");
    warps.expect("the images are warped").element_bytes / 4
}
