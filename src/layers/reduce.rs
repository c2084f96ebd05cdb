//! The last stage of a reduction that was cut into chunks.

use super::pieces::pieces_of_kernel;
use super::processor::on_cpu;
use crate::plan::{Candidate, Kernel, Limits, Offer, Shader, Tape, Target, Tensor};

static REDUCE: Shader = crate::shader!("reduce");

/// A way to add up rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Algorithm {
    /// The rows of four columns are shared among invocations. Sizes in fours.
    Shared,
    /// An invocation takes four columns. Sizes in fours.
    Quads,
    /// An invocation takes a column.
    Any,
}

/// The rows of `x` that are added up into `y` and its tail.
#[derive(Clone, Copy)]
struct Rows {
    x: Tensor,
    y: Target,
    /// Both as they lie in memory.
    both: Tensor,
    tail_elements: u32,
}

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
    let rows = Rows {
        x,
        y,
        both,
        tail_elements,
    };
    let algorithms: &[Algorithm] = if in_fours {
        &[Algorithm::Shared, Algorithm::Quads]
    } else {
        &[Algorithm::Any]
    };
    let offers: Vec<_> = algorithms
        .iter()
        .map(|&algorithm| Offer::new(algorithm, rows.cost(tape.limits(), algorithm)))
        .collect();
    let shape = format!(
        "{}x{} to {}+{tail_elements}",
        x.rows(),
        x.columns(),
        elements
    );
    let outputs: Vec<Tensor> = [Some(y), tail]
        .into_iter()
        .flatten()
        .map(|target| target.tensor)
        .collect();
    tape.operation("reduce", shape, &offers, &outputs, |tape, algorithm| {
        rows.record(tape, algorithm)
    });
}

impl Rows {
    fn quads(&self) -> u32 {
        (self.y.tensor.elements() + self.tail_elements) / 4
    }

    /// Loads that an invocation waits for, one after another, times the rounds that an adapter takes for all invocations.
    fn cost(&self, limits: &Limits, algorithm: Algorithm) -> f64 {
        /// Invocations that a graphics processor runs at a time.
        const INVOCATIONS: u32 = 16_384;
        /// Barriers of a tree over the lanes of a workgroup, in loads.
        const TREE: f64 = 4.0;
        let rows = f64::from(self.x.rows());
        let lanes = REDUCE.constant("LANES");
        if limits.is_cpu {
            let factor = if algorithm == Algorithm::Shared {
                on_cpu::WORKGROUP_TILES
            } else {
                1.0
            };
            return factor * rows * f64::from(self.quads());
        }
        let rounds = |invocations: u32| f64::from(invocations.div_ceil(INVOCATIONS));
        match algorithm {
            Algorithm::Shared => {
                rounds(self.quads().saturating_mul(lanes))
                    * (f64::from(self.x.rows().div_ceil(lanes)) + TREE)
            }
            Algorithm::Quads | Algorithm::Any => rounds(self.quads()) * rows,
        }
    }

    fn record(&self, tape: &mut Tape, algorithm: Algorithm) {
        let Self {
            x,
            y,
            both,
            tail_elements,
        } = *self;
        let (entry, names, extent) = match algorithm {
            Algorithm::Any => ("reduce_rows_any", ["x_any", "y_any"], y.tensor.elements()),
            Algorithm::Quads => ("reduce_rows", ["x", "y"], self.quads()),
            Algorithm::Shared => {
                let (columns, lanes) = (REDUCE.constant("COLUMNS"), REDUCE.constant("LANES"));
                let extent = self.quads().div_ceil(columns) * columns * lanes;
                ("reduce_rows_shared", ["x", "y"], extent)
            }
        };
        for piece in pieces_of_kernel(tape.limits(), (&REDUCE, entry), &[], x.rows()) {
            let sizes = [
                ("ELEMENTS", y.tensor.elements().into()),
                ("TAIL", tail_elements.into()),
                ("TAIL_START", (both.elements() - tail_elements).into()),
                ("X_COLUMNS", x.columns().into()),
                y.or_after(piece.first).constant(),
            ];
            tape.dispatch(Kernel {
                shader: &REDUCE,
                entry,
                constants: &[&piece.constants()[..], &sizes].concat(),
                bindings: &[(names[0], x), (names[1], both)],
                extent: [extent, 1, 1],
                multiplications: 0,
            });
        }
    }
}

impl Candidate for Algorithm {
    fn name(&self) -> String {
        match self {
            Self::Shared => "shared",
            Self::Quads => "quads",
            Self::Any => "any",
        }
        .to_owned()
    }

    fn shaders(&self) -> Vec<&'static Shader> {
        vec![&REDUCE]
    }
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
