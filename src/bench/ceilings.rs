//! What the adapter can do at most, measured: bytes copied and products added in a second.

use serde::Serialize;

use super::timing;
use super::trial::Trial;
use crate::error::Result;
use crate::gpu::Device;
use crate::plan::{Kernel, Mode, Parameters, Plan, Shader, Tape, Tensor};

static CEILING: Shader = crate::shader!("ceiling");

/// Vectors of four that are copied: 64 MiB, more than caches hold.
const COPIED: u32 = 1 << 22;

/// Invocations of the product kernel, which fill any device, and rounds of each.
const INVOCATIONS: u32 = 1 << 18;
const ROUNDS: u32 = 128;

/// Runs of each.
const RUNS: usize = 5;

/// The ceilings of an adapter.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Ceilings {
    /// Multiplications and additions in registers per second, in units of 10^9.
    pub gflops: f64,
    /// Bytes read or written by a copy per second, in units of 10^9.
    pub gbytes_per_s: f64,
}

impl Ceilings {
    /// Measures them; takes about half a second.
    pub fn measure(device: &Device) -> Result<Self> {
        let of = |record: &dyn Fn(&mut Tape)| -> Result<(Plan, f64)> {
            let parameters = Parameters::default();
            let mut tape = Tape::new("ceiling", &parameters, Mode::Evaluate);
            record(&mut tape);
            let trial = Trial::new(device, tape.finish(), &parameters)?;
            let ms = timing::time(device, &trial.executable, RUNS)?.min;
            Ok((trial.plan, ms))
        };
        let (plan, copy_ms) = of(&|tape| {
            let x = tape.tensor("x", [COPIED, 4]);
            let y = tape.tensor("y", [COPIED, 4]);
            copy(tape, x, y);
        })?;
        let gbytes_per_s = plan.cost().bytes as f64 / (copy_ms * 1e6);
        let (plan, product_ms) = of(&|tape| {
            let y = tape.tensor("y", [INVOCATIONS, 4]);
            multiply_add(tape, y, ROUNDS);
        })?;
        let gflops = 2.0 * plan.cost().multiplications as f64 / (product_ms * 1e6);
        Ok(Self {
            gflops,
            gbytes_per_s,
        })
    }
}

/// Records y = x for tensors of vectors of four.
pub fn copy(tape: &mut Tape, x: Tensor, y: Tensor) {
    let elements = y.elements() / 4;
    tape.dispatch(Kernel {
        shader: &CEILING,
        entry: "copy",
        constants: &[("ELEMENTS", elements.into())],
        bindings: &[("x", x), ("y", y)],
        extent: [elements, 1, 1],
        multiplications: 0,
    });
}

/// Records `rounds` rounds of multiply-adds in registers for each vector of four of y.
pub fn multiply_add(tape: &mut Tape, y: Tensor, rounds: u32) {
    let elements = y.elements() / 4;
    let of_round = u64::from(CEILING.constant("MULTIPLICATIONS"));
    tape.dispatch(Kernel {
        shader: &CEILING,
        entry: "multiply_add",
        constants: &[("ELEMENTS", elements.into()), ("ROUNDS", rounds.into())],
        bindings: &[("y", y)],
        extent: [elements, 1, 1],
        multiplications: u64::from(elements) * u64::from(rounds) * of_round,
    });
}
