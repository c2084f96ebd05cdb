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
