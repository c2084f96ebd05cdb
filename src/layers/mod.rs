//! Layers: each records its forward and, for the way back, its backward. One file per layer, named like its shader.

mod activation;
mod add;
mod avg_pool2d;
mod batch_norm;
mod concat;
mod conv2d;
mod conv_block;
mod dropout;
mod flatten;
mod linear;
mod max_pool2d;
mod pieces;
mod processor;
mod reduce;
mod residual;
pub mod spinal;
mod tile;

pub use activation::Activation;
pub use add::Add;
pub use avg_pool2d::AvgPool2d;
pub use batch_norm::BatchNorm;
pub use concat::{Slice, concat, slice};
pub use conv_block::ConvBlock;
pub use conv2d::{Conv2d, Conv2dOptions};
pub use dropout::{Dropout, Granularity};
pub use flatten::{ChannelsLastFlatten, Flatten};
pub use linear::Linear;
pub use max_pool2d::MaxPool2d;
pub(crate) use pieces::pieces_of_kernel;
pub use residual::Residual;
pub use spinal::{Spinal, SpinalChain, SpinalOptions};

use crate::plan::{Tape, Tensor};

/// Something that turns one tensor into another.
pub trait Layer {
    /// Records the forward pass on `tape` and, when the tape trains, what to do on the way back.
    fn forward(&self, tape: &mut Tape, x: Tensor) -> Tensor;
}

/// Layers one after another, each recorded under its name.
#[derive(Default)]
pub struct Sequential {
    layers: Vec<(String, Box<dyn Layer>)>,
}

impl Sequential {
    /// Appends a layer.
    pub fn push(&mut self, name: impl Into<String>, layer: impl Layer + 'static) {
        self.layers.push((name.into(), Box::new(layer)));
    }
}

impl Layer for Sequential {
    fn forward(&self, tape: &mut Tape, x: Tensor) -> Tensor {
        self.layers.iter().fold(x, |x, (name, layer)| {
            tape.scope(name, |tape| layer.forward(tape, x))
        })
    }
}
