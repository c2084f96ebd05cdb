//! The end of a step: the device counts it, so that every step is the same list of dispatches.

use crate::plan::{Kernel, Shader, Tape};

static STEP: Shader = crate::shader!("step");

/// Records the counting of the step.
pub fn advance(tape: &mut Tape) {
    let step = tape.step();
    tape.dispatch(Kernel {
        shader: &STEP,
        entry: "advance",
        constants: &[],
        bindings: &[("step", step)],
        extent: [1, 1, 1],
        multiplications: 0,
    });
}
