//! Gradient clipping by the norm of all gradients together.

use super::{Optimizer, ScheduleEntry, flat_parameters};
use crate::plan::{Kernel, Shader, Tape};

static CLIP: Shader = crate::shader!("clip");

/// An optimiser behind PyTorch's `clip_grad_norm_`: where the gradients of all parameters, taken as one vector, are longer
/// than `max_norm`, they are scaled down to it before the update.
pub struct Clipped {
    /// The norm that is let through.
    pub max_norm: f64,
    /// The optimiser.
    pub optimizer: Box<dyn Optimizer>,
}

impl Optimizer for Clipped {
    fn record(&self, tape: &mut Tape, steps: u32) {
        tape.scope("clip", |tape| record_clipping(tape, self.max_norm));
        self.optimizer.record(tape, steps);
    }

    fn schedule(&self, lr: f32, t: u64) -> ScheduleEntry {
        self.optimizer.schedule(lr, t)
    }

    fn state(&self) -> &'static [&'static str] {
        self.optimizer.state()
    }
}

/// The squares are added up by chunks, then the sums of the chunks. The alignment gaps between the gradients take part: they
/// are zero from the start, and no kernel writes there.
fn record_clipping(tape: &mut Tape, max_norm: f64) {
    let (_, gradients) = flat_parameters(tape);
    let elements = gradients.elements();
    let chunks = elements.div_ceil(CLIP.constant("CHUNK"));
    let squares = tape.tensor("squares", [chunks]);
    let coefficient = tape.tensor("coefficient", [1]);
    let constants = [
        ("ELEMENTS", elements.into()),
        ("CHUNKS", chunks.into()),
        ("MAX_NORM", max_norm),
    ];
    let workgroup = CLIP.constant("WORKGROUP");
    let mut record = |entry, bindings: &[_], extent| {
        tape.dispatch(Kernel {
            shader: &CLIP,
            entry,
            constants: &constants,
            bindings,
            extent: [extent, 1, 1],
            multiplications: 0,
        });
    };
    record(
        "square_sums",
        &[("gradients", gradients), ("squares", squares)],
        chunks * workgroup,
    );
    record(
        "norm",
        &[("squares", squares), ("coefficient", coefficient)],
        workgroup,
    );
    record(
        "scale",
        &[("coefficient", coefficient), ("clipped", gradients)],
        elements,
    );
}
