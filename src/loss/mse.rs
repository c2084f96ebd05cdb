//! The mean of squared differences: PyTorch's `MSELoss`.

use crate::plan::{Kernel, Mode, Shader, Tape, Tensor};

static MSE: Shader = crate::shader!("mse");

/// Records the loss of `y` against `targets` of the same shape, which goes to the place of the step in `losses`
/// `[steps of an epoch]`, and, when the tape trains, the gradient and the backward pass of everything before it.
pub fn mse(tape: &mut Tape, y: Tensor, targets: Tensor, losses: Tensor) {
    assert_eq!(
        y.shape(),
        targets.shape(),
        "a wrong shape would broadcast silently elsewhere"
    );
    let step = tape.step();
    let constants = [("ELEMENTS", y.elements().into())];
    let bindings = [
        ("y", y),
        ("targets", targets),
        ("step", step),
        ("losses", losses),
    ];
    let record = |tape: &mut Tape, entry, bindings: &[_]| {
        tape.dispatch(Kernel {
            shader: &MSE,
            entry,
            constants: &constants,
            bindings,
            extent: [MSE.constant("WORKGROUP"), 1, 1],
            multiplications: 0,
        });
    };
    match tape.mode() {
        Mode::Evaluate => tape.scope("mse", |tape| record(tape, "evaluate", &bindings)),
        Mode::Train => tape.backward_from(y, |tape, dy| {
            let bindings = [bindings.as_slice(), &[("dy", dy)]].concat();
            tape.scope("mse", |tape| record(tape, "train", &bindings));
        }),
    }
}
