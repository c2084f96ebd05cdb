//! The networks: the paper's pairs of a spinal net and its fully connected baseline.

mod init;
mod mlp;
mod mnist_cnn;
mod regression;
mod weights;

pub use init::initial_values;
pub use weights::{load_weights, named_weights};

use crate::error::{Error, Result};
use crate::layers::{Layer, Sample, Sequential};
use crate::plan::{Parameters, Tape, Tensor};

/// A network: its parameters, its layers and what goes in and out.
pub struct Model {
    /// `EXPERIMENT-NET`.
    pub name: String,
    /// Every learnable parameter.
    pub parameters: Parameters,
    /// What one sample is.
    pub sample: Sample,
    /// Columns of the output: classes, or numbers predicted.
    pub outputs: u32,
    layers: Sequential,
}

impl Model {
    /// Records the network on a batch: logits `[N, classes]` or predictions `[N, targets]`.
    pub fn forward(&self, tape: &mut Tape, x: Tensor) -> Tensor {
        self.layers.forward(tape, x)
    }
}

/// What can be changed about a network.
#[derive(Clone, Copy, Debug)]
pub struct ModelOptions {
    /// Leave every dropout out.
    pub no_dropout: bool,
}

/// The names of all networks.
pub const NAMES: &[&str] = &[
    "mnist-cnn-spinal",
    "mnist-cnn-baseline",
    "mnist-cnn-spinal-w10",
    "mlp-spinal",
    "mlp-baseline",
    "regression-spinal",
    "regression-spinal-tied",
    "regression-baseline",
];

/// Builds the network called `name`.
pub fn build(name: &str, options: ModelOptions) -> Result<Model> {
    match name {
        "mnist-cnn-spinal" => Ok(mnist_cnn::spinal(name, 8, options)),
        "mnist-cnn-spinal-w10" => Ok(mnist_cnn::spinal(name, 10, options)),
        "mnist-cnn-baseline" => Ok(mnist_cnn::baseline(name, options)),
        "mlp-spinal" => Ok(mlp::spinal(name)),
        "mlp-baseline" => Ok(mlp::baseline(name)),
        "regression-spinal" => Ok(regression::spinal(name, crate::layers::spinal::Tie::Untied)),
        "regression-spinal-tied" => Ok(regression::spinal(
            name,
            crate::layers::spinal::Tie::ThirdAndFourth,
        )),
        "regression-baseline" => Ok(regression::baseline(name)),
        _ => Err(Error::usage(
            format!("there is no model `{name}`"),
            format!("choose one of {}", NAMES.join(", ")),
        )),
    }
}
