//! The sum of two tensors of one shape: a residual connection.

use crate::plan::{Kernel, Shader, Tape, Tensor};

static ADD: Shader = crate::shader!("add");

/// a + b.
pub struct Add;

impl Add {
    /// Records `a + b`; the gradient goes to both.
    pub fn forward(&self, tape: &mut Tape, a: Tensor, b: Tensor) -> Tensor {
        assert_eq!(a.shape(), b.shape(), "addends have one shape");
        assert_ne!(a, b, "a tensor is not added to itself: scale it instead");
        let y = tape.tensor("y", a.shape());
        tape.dispatch(Kernel {
            shader: &ADD,
            entry: "forward",
            constants: &[("ELEMENTS", y.elements().into())],
            bindings: &[("a", a), ("b", b), ("y", y)],
            extent: [y.elements(), 1, 1],
            multiplications: 0,
        });
        tape.on_backward(y, move |tape| {
            let dy = tape.gradient(y);
            for addend in [a, b] {
                let Some(dx) = tape.gradient_of(addend) else {
                    continue;
                };
                tape.dispatch(Kernel {
                    shader: &ADD,
                    entry: "backward",
                    constants: &[("ELEMENTS", y.elements().into()), dx.constant()],
                    bindings: &[("dy", dy), ("dx", dx.tensor)],
                    extent: [y.elements(), 1, 1],
                    multiplications: 0,
                });
            }
        });
        y
    }
}
