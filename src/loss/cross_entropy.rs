//! Negative log-likelihood of the log-softmax, averaged over the batch: PyTorch's `CrossEntropyLoss`.

use crate::plan::{Kernel, Mode, Shader, Tape, Tensor};

static CROSS_ENTROPY: Shader = crate::shader!("cross_entropy");

/// Records the loss of `logits` `[N, classes]` against `labels` `[N]` and the number of correct rows, which go to the place
/// of the step in `losses` and `correct`, both `[steps of an epoch]`; when the tape trains, the gradient and the backward pass of everything before it.
pub fn cross_entropy(
    tape: &mut Tape,
    logits: Tensor,
    labels: Tensor,
    [losses, correct]: [Tensor; 2],
) {
    let step = tape.step();
    let constants = [
        ("BATCH", logits.rows().into()),
        ("CLASSES", logits.columns().into()),
    ];
    let bindings = [
        ("logits", logits),
        ("labels", labels),
        ("step", step),
        ("losses", losses),
        ("correct", correct),
    ];
    let record = |tape: &mut Tape, entry, bindings: &[_]| {
        let workgroup = CROSS_ENTROPY.constant("WORKGROUP");
        tape.dispatch(Kernel {
            shader: &CROSS_ENTROPY,
            entry,
            constants: &constants,
            bindings,
            extent: [workgroup, 1, 1],
            multiplications: 0,
        });
    };
    match tape.mode() {
        Mode::Evaluate => tape.scope("cross_entropy", |tape| record(tape, "evaluate", &bindings)),
        Mode::Train => tape.backward_from(logits, |tape, dlogits| {
            let bindings = [bindings.as_slice(), &[("dlogits", dlogits)]].concat();
            tape.scope("cross_entropy", |tape| record(tape, "train", &bindings));
        }),
    }
}
