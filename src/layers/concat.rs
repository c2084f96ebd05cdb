//! Column slices and concatenation of two-dimensional tensors.

use crate::plan::{Kernel, Shader, Tape, Tensor};

static CONCAT: Shader = crate::shader!("concat");

/// Columns of a tensor that start at `start` and wrap around its last column.
#[derive(Clone, Copy, Debug)]
pub struct Slice {
    /// The tensor `[N, columns]`.
    pub tensor: Tensor,
    /// The first column, below the tensor's number of columns.
    pub start: u32,
    /// How many columns, at most as many as the tensor has.
    pub columns: u32,
}

impl Slice {
    /// All columns.
    pub fn all(tensor: Tensor) -> Self {
        Self {
            tensor,
            start: 0,
            columns: tensor.columns(),
        }
    }
}

/// Records the columns of `slice` as a tensor of their own.
pub fn slice(tape: &mut Tape, slice: Slice) -> Tensor {
    concat(tape, &[slice])
}

/// Records the slices side by side, in order: `[N, sum of columns]`.
pub fn concat(tape: &mut Tape, slices: &[Slice]) -> Tensor {
    let rows = slices[0].tensor.rows();
    for slice in slices {
        assert_eq!(
            slice.tensor.rows(),
            rows,
            "concatenated tensors have one batch size"
        );
        let columns = slice.tensor.columns();
        assert!(
            slice.start < columns && slice.columns <= columns,
            "{slice:?} is not within {columns} columns"
        );
    }
    let columns = slices.iter().map(|slice| slice.columns).sum();
    let y = tape.tensor("y", [rows, columns]);
    let mut start = 0;
    for &slice in slices {
        copy(tape, slice, y, start);
        start += slice.columns;
    }
    let slices = slices.to_vec();
    tape.on_backward(y, move |tape| {
        let dy = tape.gradient(y);
        let mut start = 0;
        for slice in slices {
            if let Some(dx) = tape.gradient_of_part(slice.tensor) {
                copy_back(
                    tape,
                    Slice {
                        tensor: dx,
                        ..slice
                    },
                    dy,
                    start,
                );
            }
            start += slice.columns;
        }
    });
    y
}

fn copy(tape: &mut Tape, slice: Slice, y: Tensor, start: u32) {
    tape.dispatch(Kernel {
        shader: &CONCAT,
        entry: "forward",
        constants: &constants(slice, y, start),
        bindings: &[("x", slice.tensor), ("y", y)],
        extent: [y.rows() * slice.columns, 1, 1],
        multiplications: 0,
    });
}

fn copy_back(tape: &mut Tape, dx: Slice, dy: Tensor, start: u32) {
    tape.dispatch(Kernel {
        shader: &CONCAT,
        entry: "backward",
        constants: &constants(dx, dy, start),
        bindings: &[("dy", dy), ("dx", dx.tensor)],
        extent: [dy.rows() * dx.columns, 1, 1],
        multiplications: 0,
    });
}

fn constants(x: Slice, y: Tensor, start: u32) -> [(&'static str, f64); 6] {
    [
        ("BATCH", y.rows().into()),
        ("COLUMNS", x.columns.into()),
        ("X_COLUMNS", x.tensor.columns().into()),
        ("X_START", x.start.into()),
        ("Y_COLUMNS", y.columns().into()),
        ("Y_START", start.into()),
    ]
}
