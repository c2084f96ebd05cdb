//! The end of a step or micro-batch: the device counts it, so that every one is the same list of dispatches.

use crate::plan::{Kernel, Shader, Tape};

static STEP: Shader = crate::shader!("step");

/// Records the counting of the step.
pub fn advance(tape: &mut Tape) {
    record(tape, "advance", &[]);
}

/// Records the counting of the `batch` samples of a micro-batch within its step.
pub fn advance_within(tape: &mut Tape, batch: u32) {
    record(tape, "advance_within", &[("BATCH", batch.into())]);
}

fn record(tape: &mut Tape, entry: &'static str, constants: &[(&'static str, f64)]) {
    let step = tape.step();
    tape.dispatch(Kernel {
        shader: &STEP,
        entry,
        constants,
        bindings: &[("step", step)],
        extent: [1, 1, 1],
        multiplications: 0,
    });
}
