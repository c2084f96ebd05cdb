//! Layers: each records its forward and, for the way back, its backward. One file per layer, named like its shader.

mod activation;
mod add;
mod avg_pool2d;
mod batch_norm;
mod block;
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

use std::ops::Range;

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

    /// How many layers there are.
    pub fn len(&self) -> usize {
        self.layers.len()
    }

    /// Whether there is none, so that it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.layers.is_empty()
    }

    /// Their names in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.layers.iter().map(|(name, _)| name.as_str())
    }

    /// Records some of the layers.
    pub fn forward_part(&self, tape: &mut Tape, x: Tensor, part: Range<usize>) -> Tensor {
        self.layers[part].iter().fold(x, |x, (name, layer)| {
            tape.scope(name, |tape| layer.forward(tape, x))
        })
    }
}

impl Layer for Sequential {
    fn forward(&self, tape: &mut Tape, x: Tensor) -> Tensor {
        self.forward_part(tape, x, 0..self.len())
    }
}
