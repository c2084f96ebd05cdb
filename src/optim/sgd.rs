//! Stochastic gradient descent with momentum.

use super::{Optimizer, ScheduleEntry, flat_parameters, schedule};
use crate::plan::{Kernel, Shader, Tape};

static SGD: Shader = crate::shader!("sgd");

/// v = momentum v + g, p -= lr v: PyTorch's SGD without dampening.
#[derive(Clone, Copy, Default, Debug)]
pub struct Sgd {
    /// Fraction of the velocity kept.
    pub momentum: f64,
    /// Whether the parameters move by g + momentum v instead of v.
    pub nesterov: bool,
    /// Added to the gradient, times the parameter.
    pub weight_decay: f64,
}

impl Optimizer for Sgd {
    fn record(&self, tape: &mut Tape, steps: u32) {
        let (parameters, gradients) = flat_parameters(tape);
        let velocity = tape.state("velocity", parameters.shape());
        let bindings = [
            ("step", tape.step()),
            ("schedule", schedule(tape, steps)),
            ("gradients", gradients),
            ("velocity", velocity),
            ("parameters", parameters),
        ];
        // Their places are multiples of 256 bytes, the end of the last one too.
        let quads = parameters.elements() / 4;
        tape.dispatch(Kernel {
            shader: &SGD,
            entry: "update",
            constants: &[
                ("QUADS", quads.into()),
                ("MOMENTUM", self.momentum),
                ("NESTEROV", f64::from(u8::from(self.nesterov))),
                ("WEIGHT_DECAY", self.weight_decay),
            ],
            bindings: &bindings,
            extent: [quads, 1, 1],
            multiplications: 0,
        });
    }

    fn schedule(&self, lr: f32, _t: u64) -> ScheduleEntry {
        ScheduleEntry {
            lr,
            bias_correction1: 1.0,
            bias_correction2: 1.0,
            padding: 0.0,
        }
    }

    fn state(&self) -> &'static [&'static str] {
        &["velocity"]
    }
}
