//! The last stage of a reduction that was cut into chunks.

use crate::plan::{AdapterClass, Kernel, Shader, Tape, Target, Tensor};

static REDUCE: Shader = crate::shader!("reduce");

/// Rows from which on a GPU shares them among invocations, if the columns (counted in fours) are too few to occupy it.
const SHARED_ROWS: u32 = 16;
const FEW_QUADS: u32 = 16_384;

/// Adds up the rows of `x` into `y` and, with the columns after those of `y`, into `tail`, which lies behind `y` in the same
/// buffer. Panics if there is a tail and a size is no multiple of 4.
pub fn reduce_rows(tape: &mut Tape, x: Tensor, y: Target, tail: Option<Target>) {
    let elements = y.tensor.elements();
    let tail_elements = tail.map_or(0, |tail| tail.tensor.elements());
    let both = tail.map_or(y.tensor, |tail| y.tensor.through(tail.tensor));
    let in_fours = [x.columns(), elements, tail_elements]
        .iter()
        .all(|size| size.is_multiple_of(4));
    let fits = elements + tail_elements <= x.columns()
        && tail.is_none_or(|tail| in_fours && tail.accumulate == y.accumulate);
    assert!(fits, "{:?} into {y:?} and {tail:?}", x.shape());
    let quads = (elements + tail_elements) / 4;
    let is_shared =
        tape.class() == AdapterClass::Gpu && x.rows() >= SHARED_ROWS && quads < FEW_QUADS;
    let (entry, names, extent) = if !in_fours {
        ("reduce_rows_any", ["x_any", "y_any"], elements)
    } else if is_shared {
        let (columns, lanes) = (REDUCE.constant("COLUMNS"), REDUCE.constant("LANES"));
        let extent = quads.div_ceil(columns) * columns * lanes;
        ("reduce_rows_shared", ["x", "y"], extent)
    } else {
        ("reduce_rows", ["x", "y"], quads)
    };
    tape.dispatch(Kernel {
        shader: &REDUCE,
        entry,
        constants: &[
            ("FIRST", 0.0),
            ("COUNT", x.rows().into()),
            ("ELEMENTS", elements.into()),
            ("TAIL", tail_elements.into()),
            ("TAIL_START", (both.elements() - tail_elements).into()),
            ("X_COLUMNS", x.columns().into()),
            y.constant(),
        ],
        bindings: &[(names[0], x), (names[1], both)],
        extent: [extent, 1, 1],
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
    reduce_rows(tape, tensor, y, None);
}
