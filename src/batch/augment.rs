//! Augmentation: each image of a batch goes through torchvision's random operations while it is gathered.
//!
//! Small dispatches draw what each operation does to each image; then the images are fetched, go through the operations one
//! after another, and are normalised.

use std::mem::swap;

use super::draw::Draw;
use super::resident::Images;
use crate::data::augment::{Transform, Transforms};
use crate::plan::{Kernel, Shader, Tape, Tensor};

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
        let sizes = self.sizes();
        let (batch, channels) = (self.images.selection.batch, self.images.size[2]);
        let warps = self.record_draws(tape);
        let [mut before, mut after] = self.buffers(tape);
        let bindings = [
            ("step", tape.step()),
            ("order", self.images.selection.order),
            ("images", self.images.images),
            ("after", after),
        ];
        let pass = Pass::over("fetch", 0, [sizes[0]; 2]);
        self.dispatch(tape, pass, after, &bindings);
        for (slot, transform) in self.transforms.iter().enumerate() {
            for pass in Pass::of(transform, slot as u32, [sizes[slot], sizes[slot + 1]]) {
                swap(&mut before, &mut after);
                let bindings = [("warps", warps), ("before", before), ("after", after)];
                self.dispatch(tape, pass, after, &bindings);
            }
        }
        let size = sizes[sizes.len() - 1];
        let x = tape.input("x", [batch, size[0], size[1], channels]);
        let bindings = [
            ("normalisation", self.images.normalisation),
            ("before", after),
            ("x", x),
        ];
        self.dispatch(
            tape,
            Pass::over("normalise", 0, [size; 2]),
            after,
            &bindings,
        );
        x
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
                output_size: sizes[slot + 1],
                warps,
            };
            draw.record(tape, transform);
        }
        warps
    }

    /// Height and width of the images before the first operation, between them, and after the last.
    fn sizes(&self) -> Vec<[u32; 2]> {
        let [height, width, _] = self.images.size;
        self.transforms.sizes([height, width])
    }

    /// Two buffers that images pass between, with room for the largest on the way: `[N, values]`.
    fn buffers(&self, tape: &mut Tape) -> [Tensor; 2] {
        let sizes = self.sizes();
        // Between its two directions a resize has the old height and the new width.
        let between = sizes.windows(2).map(|pair| [pair[0][0], pair[1][1]]);
        let all = sizes.iter().copied().chain(between);
        let pixels = all.map(|[height, width]| height * width).max();
        let values = pixels.expect("there is an image") * self.images.size[2];
        ["before", "after"].map(|name| tape.input(name, [self.images.selection.batch, values]))
    }

    fn dispatch(
        &self,
        tape: &mut Tape,
        pass: Pass,
        buffer: Tensor,
        bindings: &[(&'static str, Tensor)],
    ) {
        let images = self.images;
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
                ("SLOTS", self.transforms.iter().count() as f64),
                ("SLOT", pass.slot.into()),
                ("LARGEST", buffer.columns().into()),
                ("STAGED", f64::from(u8::from(images.staged))),
                ("STRIDE", images.stride.into()),
            ],
            bindings,
            extent: [images.selection.batch * pass.pixels, 1, 1],
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
    /// Pixels that it writes of an image.
    pixels: u32,
}

impl Pass {
    /// One that writes images of the size `to`.
    fn over(entry: &'static str, slot: u32, [from, to]: [[u32; 2]; 2]) -> Self {
        Self {
            entry,
            slot,
            from,
            to,
            pixels: to[0] * to[1],
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
            pixels: from[0] * to[1],
            ..Self::over("resize_rows", slot, sizes)
        };
        vec![rows, Self::over("resize_columns", slot, sizes)]
    }
}

/// Words of a `Warp` in `shaders/lib/warp.wgsl`.
fn warp_words() -> u32 {
    let bindings = &GATHER.entry_point("warp_pixels").bindings;
    let warps = bindings.iter().find(|slot| slot.name == "warps");
    warps.expect("the images are warped").element_bytes / 4
}
