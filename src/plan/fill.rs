//! Filling a tensor with one value.

use super::{ALIGNMENT, Kernel, Shader, Tape, Tensor};

static FILL: Shader = crate::shader!("fill");

/// Sets every element of `y`, in ranges that the adapter binds.
pub fn fill(tape: &mut Tape, y: Tensor, value: f32) {
    for range in y.ranges(tape.limits().binding_elements(), ALIGNMENT) {
        tape.dispatch(Kernel {
            shader: &FILL,
            entry: "forward",
            constants: &[
                ("ELEMENTS", range.elements().into()),
                ("VALUE", value.into()),
            ],
            bindings: &[("y", range)],
            extent: [range.elements(), 1, 1],
            multiplications: 0,
        });
    }
}
