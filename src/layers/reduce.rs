//! The last stage of a reduction that was cut into chunks.

use crate::plan::{Kernel, Shader, Tape, Target, Tensor};

static REDUCE: Shader = crate::shader!("reduce");

/// Adds up the rows of `x`, columns `start..start + elements of y`, into `y`.
pub fn reduce_rows(tape: &mut Tape, x: Tensor, start: u32, y: Target) {
    let elements = y.tensor.elements();
    assert!(
        start + elements <= x.columns(),
        "columns {start}..{} of {:?}",
        start + elements,
        x.shape()
    );
    tape.dispatch(Kernel {
        shader: &REDUCE,
        entry: "reduce_rows",
        constants: &[
            ("ROWS", x.rows().into()),
            ("ELEMENTS", elements.into()),
            ("X_COLUMNS", x.columns().into()),
            ("X_START", start.into()),
            y.constant(),
        ],
        bindings: &[("x", x), ("y", y.tensor)],
        extent: [elements, 1, 1],
        multiplications: 0,
    });
}

/// Computes `y` by a kernel that writes partial sums, one row for each chunk; where it is one, the kernel writes `y` itself.
pub fn sum_chunks(
    tape: &mut Tape,
    chunks: u32,
    y: Target,
    dispatch: impl FnOnce(&mut Tape, Target),
) {
    if chunks == 1 {
        return dispatch(tape, y);
    }
    let tensor = tape.tensor("partial", [chunks, y.tensor.elements()]);
    let partial = Target {
        tensor,
        accumulate: false,
    };
    dispatch(tape, partial);
    reduce_rows(tape, tensor, 0, y);
}
