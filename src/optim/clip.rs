//! Gradient clipping by the norm of all gradients together.

use super::{Optimizer, ScheduleEntry, flat_parameters};
use crate::plan::{ALIGNMENT, Kernel, Shader, Tape, Tensor};

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
    let chunk = CLIP.constant("CHUNK");
    let chunks = gradients.elements().div_ceil(chunk);
    let squares = tape.tensor("squares", [chunks]);
    let coefficient = tape.tensor("coefficient", [1]);
    let workgroup = CLIP.constant("WORKGROUP");
    let record = |tape: &mut Tape, entry, elements: u32, bindings: &[_], extent| {
        tape.dispatch(Kernel {
            shader: &CLIP,
            entry,
            constants: &[
                ("ELEMENTS", elements.into()),
                ("CHUNKS", elements.div_ceil(chunk).into()),
                ("MAX_NORM", max_norm),
            ],
            bindings,
            extent: [extent, 1, 1],
            multiplications: 0,
        });
    };
    // The sums of a range begin where a binding may.
    let longest = tape.limits().binding_elements();
    let ranges: Vec<Tensor> = gradients.ranges(longest, chunk * ALIGNMENT).collect();
    for &range in &ranges {
        let first = (range.offset() - gradients.offset()) / chunk;
        let count = range.elements().div_ceil(chunk);
        let bindings = [
            ("gradients", range),
            ("squares", squares.range(first, count)),
        ];
        record(
            tape,
            "square_sums",
            range.elements(),
            &bindings,
            count * workgroup,
        );
    }
    let bindings = [("squares", squares), ("coefficient", coefficient)];
    record(tape, "norm", gradients.elements(), &bindings, workgroup);
    for &range in &ranges {
        let bindings = [("coefficient", coefficient), ("clipped", range)];
        record(tape, "scale", range.elements(), &bindings, range.elements());
    }
}
