//! Elementwise activation functions.

use std::fmt;

use super::Layer;
use crate::plan::{Kernel, Shader, Tape, Target, Tensor};

static ACTIVATION: Shader = crate::shader!("activation");

/// An activation function phi, applied to every element.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize, clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// x: a layer without activation.
    Identity,
    /// max(x, 0).
    Relu,
    /// x for x > 0, 0.01 x otherwise (PyTorch's default slope).
    LeakyRelu,
    /// 1 / (1 + exp(-x)).
    Sigmoid,
    /// tanh(x).
    Tanh,
    /// min(max(x, 0), 6).
    Relu6,
}

impl Activation {
    /// The override value that selects this function in a shader: the constant of that name in `lib/activation.wgsl`.
    pub fn constant(self) -> (&'static str, f64) {
        let name = match self {
            Self::Identity => "IDENTITY",
            Self::Relu => "RELU",
            Self::LeakyRelu => "LEAKY_RELU",
            Self::Sigmoid => "SIGMOID",
            Self::Tanh => "TANH",
            Self::Relu6 => "RELU6",
        };
        ("ACTIVATION", ACTIVATION.constant(name).into())
    }
}

impl fmt::Display for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Identity => "identity",
            Self::Relu => "relu",
            Self::LeakyRelu => "leaky-relu",
            Self::Sigmoid => "sigmoid",
            Self::Tanh => "tanh",
            Self::Relu6 => "relu6",
        };
        f.write_str(name)
    }
}

impl Layer for Activation {
    fn forward(&self, tape: &mut Tape, x: Tensor) -> Tensor {
        if *self == Self::Identity {
            return x;
        }
        let y = tape.tensor("y", x.shape());
        let constants = [("ELEMENTS", x.elements().into()), self.constant()];
        tape.dispatch(Kernel {
            shader: &ACTIVATION,
            entry: "forward",
            constants: &constants,
            bindings: &[("x", x), ("y", y)],
            extent: [x.elements(), 1, 1],
            multiplications: 0,
        });
        let activation = *self;
        tape.on_backward(y, move |tape| {
            let dy = tape.gradient(y);
            if let Some(dx) = tape.gradient_of(x) {
                activation.record_gradient(tape, y, dy, dx);
            }
        });
        y
    }
}

impl Activation {
    /// Records `dx = phi'(x) dy` from y = phi(x), into a tensor that nothing else writes.
    pub(super) fn record_backward(self, tape: &mut Tape, y: Tensor, dy: Tensor, dx: Tensor) {
        self.record_gradient(
            tape,
            y,
            dy,
            Target {
                tensor: dx,
                accumulate: false,
            },
        );
    }

    fn record_gradient(self, tape: &mut Tape, y: Tensor, dy: Tensor, dx: Target) {
        tape.dispatch(Kernel {
            shader: &ACTIVATION,
            entry: "backward",
            constants: &[
                ("ELEMENTS", y.elements().into()),
                self.constant(),
                dx.constant(),
            ],
            bindings: &[("output", y), ("dy", dy), ("dx", dx.tensor)],
            extent: [y.elements(), 1, 1],
            multiplications: 0,
        });
    }
}
