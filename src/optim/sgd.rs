//! Stochastic gradient descent with momentum.

use super::{Optimizer, ScheduleEntry, bindable, flat_parameters, schedule};
use crate::plan::{Kernel, Shader, Tape, Tensor};

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
        let (step, schedule) = (tape.step(), schedule(tape, steps));
        for (range, rate) in bindable(tape, parameters) {
            let of_range = |tensor: Tensor| tensor.range_like(parameters, range);
            let quads = range.elements() / 4;
            tape.dispatch(Kernel {
                shader: &SGD,
                entry: "update",
                constants: &[
                    ("QUADS", quads.into()),
                    ("RATE", rate),
                    ("MOMENTUM", self.momentum),
                    ("NESTEROV", f64::from(u8::from(self.nesterov))),
                    ("WEIGHT_DECAY", self.weight_decay),
                ],
                bindings: &[
                    ("step", step),
                    ("schedule", schedule),
                    ("gradients", of_range(gradients)),
                    ("velocity", of_range(velocity)),
                    ("parameters", range),
                ],
                extent: [quads, 1, 1],
                multiplications: 0,
            });
        }
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
