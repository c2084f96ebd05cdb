//! Column slices and concatenation of two-dimensional tensors, with the dropout behind them.

use super::dropout::{Dropout, Granularity, Mask};
use crate::plan::{Kernel, Shader, Tape, Target, Tensor};

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
    concat_dropped(tape, slices, Dropout::new(0.0, Granularity::Element))
}

/// Records the slices side by side, in order, and the dropout of single elements of that: `[N, sum of columns]`.
pub(super) fn concat_dropped(tape: &mut Tape, slices: &[Slice], dropout: Dropout) -> Tensor {
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
    let copies = copies(slices, dropout.mask(tape));
    for copy in &copies {
        copy.forward(tape, y);
    }
    tape.on_backward(y, move |tape| {
        let dy = tape.gradient(y);
        for copy in &copies {
            copy.backward(tape, dy);
        }
    });
    y
}

/// The slices cut into dispatches: two neighbours share one, unless they lie in one tensor, whose gradient then has two
/// contributions.
fn copies(slices: &[Slice], mask: Mask) -> Vec<Copy> {
    let mut copies: Vec<Copy> = Vec::new();
    let mut start = 0;
    for &slice in slices {
        match copies.last_mut() {
            Some(Copy { a, b: b @ None, .. }) if a.tensor != slice.tensor => *b = Some(slice),
            _ => copies.push(Copy {
                a: slice,
                b: None,
                start,
                mask,
            }),
        }
        start += slice.columns;
    }
    copies
}

/// One or two slices, which one dispatch copies to the columns of y from `start` on.
struct Copy {
    a: Slice,
    b: Option<Slice>,
    start: u32,
    mask: Mask,
}

impl Copy {
    fn forward(&self, tape: &mut Tape, y: Tensor) {
        let mut bindings = vec![("a", self.a.tensor), ("step", tape.step()), ("y", y)];
        bindings.extend(self.b.map(|b| ("b", b.tensor)));
        let entry = if self.b.is_some() {
            "forward_pair"
        } else {
            "forward"
        };
        self.dispatch(tape, entry, y, &[], &bindings);
    }

    fn backward(&self, tape: &mut Tape, dy: Tensor) {
        let da = gradient_of(tape, self.a);
        let db = self.b.and_then(|b| gradient_of(tape, b));
        match (da, self.b, db) {
            (Some(da), Some(_), Some(db)) => self.backward_pair(tape, dy, da, db),
            (Some(da), ..) => self.backward_one(tape, dy, da),
            (None, Some(b), Some(db)) => {
                let copy = Self {
                    a: b,
                    b: None,
                    start: self.start + self.a.columns,
                    mask: self.mask,
                };
                copy.backward_one(tape, dy, db);
            }
            (None, ..) => {}
        }
    }

    fn backward_pair(&self, tape: &mut Tape, dy: Tensor, da: Target, db: Target) {
        let accumulate = [
            ("ACCUMULATE_A", da.constant().1),
            ("ACCUMULATE_B", db.constant().1),
        ];
        let step = tape.step();
        let bindings = [
            ("dy", dy),
            ("da", da.tensor),
            ("db", db.tensor),
            ("step", step),
        ];
        self.dispatch(tape, "backward_pair", dy, &accumulate, &bindings);
    }

    /// The gradient of the first slice alone.
    fn backward_one(&self, tape: &mut Tape, dy: Tensor, da: Target) {
        let accumulate = [("ACCUMULATE_A", da.constant().1)];
        let bindings = [("dy", dy), ("da", da.tensor), ("step", tape.step())];
        let alone = Self { b: None, ..*self };
        alone.dispatch(tape, "backward", dy, &accumulate, &bindings);
    }

    fn dispatch(
        &self,
        tape: &mut Tape,
        entry: &'static str,
        y: Tensor,
        accumulate: &[(&'static str, f64)],
        bindings: &[(&'static str, Tensor)],
    ) {
        let mut constants = vec![
            ("BATCH", y.rows().into()),
            ("A_COLUMNS", self.a.columns.into()),
            ("A_SIZE", self.a.tensor.columns().into()),
            ("A_START", self.a.start.into()),
            ("Y_COLUMNS", y.columns().into()),
            ("Y_START", self.start.into()),
        ];
        constants.extend(self.b.into_iter().flat_map(|b| {
            [
                ("B_COLUMNS", b.columns.into()),
                ("B_SIZE", b.tensor.columns().into()),
                ("B_START", b.start.into()),
            ]
        }));
        constants.extend(self.mask.constants());
        constants.extend(accumulate);
        let columns = self.a.columns + self.b.map_or(0, |b| b.columns);
        tape.dispatch(Kernel {
            shader: &CONCAT,
            entry,
            constants: &constants,
            bindings,
            extent: [y.rows() * columns, 1, 1],
            multiplications: 0,
        });
    }
}

/// Where the gradient of a slice goes: a slice of all columns may be the first to write it, for another one the rest of its
/// tensor is cleared first.
fn gradient_of(tape: &mut Tape, slice: Slice) -> Option<Target> {
    if slice.columns == slice.tensor.columns() {
        return tape.gradient_of(slice.tensor);
    }
    let tensor = tape.gradient_of_part(slice.tensor)?;
    Some(Target {
        tensor,
        accumulate: true,
    })
}
