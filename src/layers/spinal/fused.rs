//! The chain of sub-layers as one dispatch, and two on the way back.

use super::{Linear, SpinalChain};
use crate::plan::{Kernel, RowCut, Shader, Tape, Tensor, UNIFORM_ELEMENTS};

static WORKGROUPS: Shader = crate::shader!("spinal/workgroups");
static ROWS: Shader = crate::shader!("spinal/rows");

/// The two families of kernels: files with the same entry points and bindings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Family {
    /// A workgroup takes a row of the batch.
    Workgroups,
    /// An invocation takes a row of the batch.
    Rows,
}

impl Family {
    /// The WGSL file.
    pub(super) fn shader(self) -> &'static Shader {
        match self {
            Self::Workgroups => &WORKGROUPS,
            Self::Rows => &ROWS,
        }
    }

    /// Invocations for `batch` rows.
    fn extent(self, batch: u32) -> [u32; 3] {
        match self {
            Self::Workgroups => [batch * WORKGROUPS.constant("WORKGROUP"), 1, 1],
            Self::Rows => [batch, 1, 1],
        }
    }
}

/// The dispatches of the fused chain.
pub(super) struct FusedChain {
    family: Family,
    constants: Vec<(&'static str, f64)>,
    first: Linear,
    last: Linear,
    batch: u32,
    columns: u32,
    width: u32,
    depth: u32,
    linears: u32,
    multiplications: u64,
}

impl FusedChain {
    /// The fused chain, unless it does not fit uniform bindings.
    pub fn new(chain: &SpinalChain, family: Family, tape: &Tape, x: Tensor) -> Option<Self> {
        let options = *chain.options();
        let split = options.split_size();
        let first = chain.linears()[0];
        let last = *chain.linears().last().expect("a chain has a sub-layer");
        let parameters = tape.parameter_range(first.weight, last.bias);
        let fits = family == Family::Workgroups
            || (parameters.elements() <= UNIFORM_ELEMENTS
                && row_cut(x, options.depth * options.width).is_some());
        if !fits {
            return None;
        }
        let (linears, _) = options.tie.linears_and_period(options.depth);
        let (depth, width) = (u64::from(options.depth), u64::from(options.width));
        Some(Self {
            family,
            constants: constants(chain, tape, x.rows(), family),
            first,
            last,
            batch: x.rows(),
            columns: split + options.width + 1,
            width: options.width,
            depth: options.depth,
            linears,
            multiplications: u64::from(x.rows())
                * width
                * (depth * u64::from(split) + (depth - 1) * width),
        })
    }

    /// Records all sub-layers: h `[N, L*w]`.
    pub fn forward(self, tape: &mut Tape, x: Tensor) -> Tensor {
        let h = tape.tensor("h", [self.batch, self.depth * self.width]);
        let parameters = tape.parameter_range(self.first.weight, self.last.bias);
        tape.dispatch(Kernel {
            shader: self.family.shader(),
            entry: "forward",
            constants: &self.constants,
            bindings: &[("x", x), ("parameters", parameters), ("h", h)],
            extent: self.family.extent(self.batch),
            multiplications: self.multiplications,
        });
        tape.on_backward(h, move |tape| {
            let dz = self.backward(tape, x, h);
            self.backward_weight(tape, x, h, dz);
        });
        h
    }

    /// Records dz of all sub-layers and, if x has a gradient, dx.
    fn backward(&self, tape: &mut Tape, x: Tensor, h: Tensor) -> Tensor {
        let parameters = tape.parameter_range(self.first.weight, self.last.bias);
        let dh = tape.gradient(h);
        let dz = tape.tensor("dz", h.shape());
        let dx = tape.gradient_of(x);
        let mut constants = self.constants.clone();
        let mut bindings = vec![
            ("outputs", h),
            ("parameters", parameters),
            ("dh", dh),
            ("dz", dz),
        ];
        let mut entry = "backward_states";
        if let Some(dx) = dx {
            entry = "backward";
            constants.push(dx.constant());
            bindings.push(("dx", dx.tensor));
        }
        tape.dispatch(Kernel {
            shader: self.family.shader(),
            entry,
            constants: &constants,
            bindings: &bindings,
            extent: self.family.extent(self.batch),
            multiplications: self.multiplications,
        });
        dz
    }

    fn backward_weight(&self, tape: &mut Tape, x: Tensor, h: Tensor, dz: Tensor) {
        let parameters = tape.parameter_range(self.first.weight, self.last.bias);
        let dparameters = tape
            .gradient_of(parameters)
            .expect("parameters have gradients");
        for (start, count) in self.row_ranges(x, dz) {
            let units = match self.family {
                Family::Workgroups => self.width,
                Family::Rows => self.width.div_ceil(ROWS.constant("UNITS")),
            };
            let mut constants = self.constants.clone();
            constants[0] = ("BATCH", count.into());
            constants.push(dparameters.or_after(start).constant());
            tape.dispatch(Kernel {
                shader: self.family.shader(),
                entry: "backward_weight",
                constants: &constants,
                bindings: &[
                    ("input", x.row_range(start, count)),
                    ("states", h.row_range(start, count)),
                    ("dstates", dz.row_range(start, count)),
                    ("dparameters", dparameters.tensor),
                ],
                extent: [self.columns, units, self.linears],
                multiplications: self.multiplications / u64::from(self.batch) * u64::from(count),
            });
        }
    }

    /// Rows of each dispatch of `backward_weight`: all, or as many as fit a uniform binding.
    fn row_ranges(&self, x: Tensor, dz: Tensor) -> Vec<(u32, u32)> {
        match self.family {
            Family::Workgroups => vec![(0, self.batch)],
            Family::Rows => row_cut(x, dz.columns()).expect("checked when the chain was made"),
        }
    }
}

fn row_cut(x: Tensor, states: u32) -> Option<Vec<(u32, u32)>> {
    RowCut {
        rows: x.rows(),
        uniform: &[states],
        storage: &[x.columns()],
        step: 1,
    }
    .ranges()
}

/// The overrides: sizes, ties, and the places of the Linears, which follow one another in the parameter buffer.
fn constants(
    chain: &SpinalChain,
    tape: &Tape,
    batch: u32,
    family: Family,
) -> Vec<(&'static str, f64)> {
    let options = *chain.options();
    let (linears, period) = options.tie.linears_and_period(options.depth);
    let offset = |parameter| tape.parameters().spec(parameter).offset;
    let first = chain.linears()[0];
    let second = chain.linears().get(1).unwrap_or(&first);
    let third = chain.linears().get(2).unwrap_or(second);
    let start = offset(first.weight);
    let mut constants = vec![
        ("BATCH", batch.into()),
        ("IN", options.in_features.into()),
        ("SPLIT", options.split_size().into()),
        ("WIDTH", options.width.into()),
        ("DEPTH", options.depth.into()),
        ("LINEARS", linears.into()),
        ("PERIOD", period.into()),
        ("FIRST_BIAS", (offset(first.bias) - start).into()),
        ("SECOND", (offset(second.weight) - start).into()),
        ("BIAS", (offset(second.bias) - offset(second.weight)).into()),
        (
            "STRIDE",
            (offset(third.weight) - offset(second.weight)).into(),
        ),
        options.activation.constant(),
    ];
    if family == Family::Workgroups {
        constants.push(("UNIT_LANES", unit_lanes(options.width).into()));
    }
    constants
}

/// Units that a workgroup takes at a time: a quarter of all, the rest of its invocations share their products; but at least
/// 8, which lie in one piece of memory, and at most 64.
fn unit_lanes(width: u32) -> u32 {
    (width / 4).next_power_of_two().clamp(8, 64)
}
