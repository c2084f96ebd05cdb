//! Adam (Kingma and Ba, 2015) and AdamW (Loshchilov and Hutter, 2019).

use super::{Optimizer, ScheduleEntry, bindable, flat_parameters, schedule};
use crate::plan::{Kernel, Shader, Tape, Tensor};

static ADAM: Shader = crate::shader!("adam");

/// PyTorch's Adam, without AMSGrad.
#[derive(Clone, Copy, Debug)]
pub struct Adam {
    /// Decay of the mean of the gradient.
    pub beta1: f64,
    /// Decay of the mean of its square.
    pub beta2: f64,
    /// Added to the root of the latter.
    pub eps: f64,
    /// Added to the gradient, times the parameter.
    pub weight_decay: f64,
    /// Whether the decay is taken from the parameter itself, times the learning rate, instead: PyTorch's AdamW.
    pub decoupled: bool,
}

impl Default for Adam {
    /// PyTorch's defaults.
    fn default() -> Self {
        Self {
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
            weight_decay: 0.0,
            decoupled: false,
        }
    }
}

impl Optimizer for Adam {
    fn record(&self, tape: &mut Tape, steps: u32) {
        let (parameters, gradients) = flat_parameters(tape);
        let m = tape.state("adam.m", parameters.shape());
        let v = tape.state("adam.v", parameters.shape());
        let (step, schedule) = (tape.step(), schedule(tape, steps));
        for (range, rate) in bindable(tape, parameters) {
            let of_range = |tensor: Tensor| tensor.range_like(parameters, range);
            let quads = range.elements() / 4;
            tape.dispatch(Kernel {
                shader: &ADAM,
                entry: "update",
                constants: &[
                    ("QUADS", quads.into()),
                    ("RATE", rate),
                    ("BETA1", self.beta1),
                    ("BETA2", self.beta2),
                    ("ONE_MINUS_BETA1", 1.0 - self.beta1),
                    ("ONE_MINUS_BETA2", 1.0 - self.beta2),
                    ("EPS", self.eps),
                    ("WEIGHT_DECAY", self.weight_decay),
                    ("DECOUPLED", f64::from(u8::from(self.decoupled))),
                ],
                bindings: &[
                    ("step", step),
                    ("schedule", schedule),
                    ("gradients", of_range(gradients)),
                    ("m", of_range(m)),
                    ("v", of_range(v)),
                    ("parameters", range),
                ],
                extent: [quads, 1, 1],
                multiplications: 0,
            });
        }
    }

    fn schedule(&self, lr: f32, t: u64) -> ScheduleEntry {
        let correction = |beta: f64| (1.0 - beta.powf(t as f64)) as f32;
        ScheduleEntry {
            lr,
            bias_correction1: correction(self.beta1),
            bias_correction2: correction(self.beta2),
            padding: 0.0,
        }
    }

    fn state(&self) -> &'static [&'static str] {
        &["adam.m", "adam.v"]
    }
}
