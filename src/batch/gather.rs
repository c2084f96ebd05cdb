//! Fetching the samples of a step as they are: normalised images with their classes, or rows.

use super::resident::{Features, Images, Rows, Selection};
use crate::plan::{Kernel, Shader, Tape, Tensor};

static GATHER: Shader = crate::shader!("gather");

/// One batch on the tape.
#[derive(Clone, Copy, Debug)]
pub struct Batch {
    /// Images `[N, H, W, C]`, normalised, or rows `[N, features]`.
    pub x: Tensor,
    /// Classes `[N]`, or targets `[N, targets]`.
    pub y: Tensor,
}

impl Images {
    /// Records the fetching of images and classes.
    pub fn gather(&self, tape: &mut Tape) -> Batch {
        let Selection { batch, order, .. } = self.selection;
        let [height, width, channels] = self.size;
        let step = tape.step();
        let x = tape.input("x", [batch, height, width, channels]);
        let y = tape.input("labels", [batch]);
        tape.dispatch(Kernel {
            shader: &GATHER,
            entry: "images_forward",
            constants: &[
                ("BATCH", batch.into()),
                ("FULL_BATCH", self.selection.full_batch.into()),
                ("SIZE", x.columns().into()),
                ("CHANNELS", channels.into()),
                ("STAGED", f64::from(u8::from(self.staged))),
                ("STRIDE", self.stride.into()),
            ],
            bindings: &[
                ("step", step),
                ("order", order),
                ("images", self.images),
                ("labels", self.labels),
                ("normalisation", self.normalisation),
                ("x", x),
                ("batch_labels", y),
            ],
            extent: [x.elements(), 1, 1],
            multiplications: 0,
        });
        Batch { x, y }
    }
}

/// Records the fetching of the classes alone: `[N]`.
pub(super) fn gather_labels(tape: &mut Tape, selection: Selection, labels: Tensor) -> Tensor {
    let Selection { batch, order, .. } = selection;
    let step = tape.step();
    let y = tape.input("labels", [batch]);
    tape.dispatch(Kernel {
        shader: &GATHER,
        entry: "labels_forward",
        constants: &[
            ("BATCH", batch.into()),
            ("FULL_BATCH", selection.full_batch.into()),
        ],
        bindings: &[
            ("step", step),
            ("order", order),
            ("labels", labels),
            ("batch_labels", y),
        ],
        extent: [batch, 1, 1],
        multiplications: 0,
    });
    y
}

impl Features {
    /// Records the fetching of rows and classes.
    pub fn gather(&self, tape: &mut Tape) -> Batch {
        let Selection { batch, order, .. } = self.selection;
        let features = self.inputs.columns();
        let step = tape.step();
        let x = tape.input("x", [batch, features]);
        tape.dispatch(Kernel {
            shader: &GATHER,
            entry: "features_forward",
            constants: &[
                ("BATCH", batch.into()),
                ("FULL_BATCH", self.selection.full_batch.into()),
                ("SIZE", features.into()),
            ],
            bindings: &[
                ("step", step),
                ("order", order),
                ("inputs", self.inputs),
                ("x", x),
            ],
            extent: [x.elements(), 1, 1],
            multiplications: 0,
        });
        let y = gather_labels(tape, self.selection, self.labels);
        Batch { x, y }
    }
}

impl Rows {
    /// Records the fetching of rows and targets.
    pub fn gather(&self, tape: &mut Tape) -> Batch {
        let Selection { batch, order, .. } = self.selection;
        let (features, targets) = (self.inputs.columns(), self.targets.columns());
        let step = tape.step();
        let x = tape.input("x", [batch, features]);
        let y = tape.input("targets", [batch, targets]);
        tape.dispatch(Kernel {
            shader: &GATHER,
            entry: "rows_forward",
            constants: &[
                ("BATCH", batch.into()),
                ("FULL_BATCH", self.selection.full_batch.into()),
                ("SIZE", features.into()),
                ("TARGETS", targets.into()),
            ],
            bindings: &[
                ("step", step),
                ("order", order),
                ("inputs", self.inputs),
                ("targets", self.targets),
                ("x", x),
                ("batch_targets", y),
            ],
            extent: [batch * (features + targets), 1, 1],
            multiplications: 0,
        });
        Batch { x, y }
    }
}
