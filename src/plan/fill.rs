//! Filling a tensor with one value.

use super::{Kernel, Shader, Tape, Tensor};

static FILL: Shader = crate::shader!("fill");

/// Sets every element of `y`.
pub fn fill(tape: &mut Tape, y: Tensor, value: f32) {
    tape.dispatch(Kernel {
        shader: &FILL,
        entry: "forward",
        constants: &[("ELEMENTS", y.elements().into()), ("VALUE", value.into())],
        bindings: &[("y", y)],
        extent: [y.elements(), 1, 1],
        multiplications: 0,
    });
}
