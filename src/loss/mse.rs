//! The mean of squared differences: PyTorch's `MSELoss`.

use crate::layers::pieces_of_kernel;
use crate::plan::{Kernel, Mode, Shader, Tape, Tensor};

static MSE: Shader = crate::shader!("mse");

/// Records the loss of `y` against `targets` of the same shape, which goes to the place of the step in `losses`
/// `[steps of an epoch]`, and, when the tape trains, the gradient and the backward pass of everything before it. The mean goes
/// over `samples`: all rows of `y`, or those of the whole step where this is a micro-batch of it.
pub fn mse(tape: &mut Tape, y: Tensor, targets: Tensor, samples: u32, losses: Tensor) {
    assert_eq!(
        y.shape(),
        targets.shape(),
        "a wrong shape would broadcast silently elsewhere"
    );
    let step = tape.step();
    let mean_over = u64::from(samples) * u64::from(y.columns());
    let bindings = [
        ("y", y),
        ("targets", targets),
        ("step", step),
        ("losses", losses),
    ];
    match tape.mode() {
        Mode::Evaluate => record(tape, "evaluate", mean_over, &bindings),
        Mode::Train => tape.backward_from(y, |tape, dy| {
            let bindings = [bindings.as_slice(), &[("dy", dy)]].concat();
            record(tape, "train", mean_over, &bindings);
        }),
    }
}

fn record(
    tape: &mut Tape,
    entry: &'static str,
    mean_over: u64,
    bindings: &[(&'static str, Tensor)],
) {
    let elements = bindings[0].1.elements();
    tape.scope("mse", |tape| {
        for piece in pieces_of_kernel(tape.limits(), (&MSE, entry), &[], elements) {
            let [first, count] = piece.constants();
            let constants = [
                ("MEAN_OVER", mean_over as f64),
                first,
                count,
                ("ACCUMULATE", f64::from(u8::from(piece.first > 0))),
            ];
            tape.dispatch(Kernel {
                shader: &MSE,
                entry,
                constants: &constants,
                bindings,
                extent: [MSE.constant("WORKGROUP"), 1, 1],
                multiplications: 0,
            });
        }
    });
}
