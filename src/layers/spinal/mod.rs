//! The Spinal layer (paper, section II): input that arrives gradually along a chain of sub-layers.
//!
//! Sub-layer l sees slice l of the input and the output of sub-layer l-1; the output layer sees every sub-layer:
//! `h_l = phi(U_l s_l + V_l h_{l-1} + b_l)`, `y = c + sum_l O_l h_l`. `U_l` and `V_l` lie in one Linear over the
//! concatenation `[s_l, h_{l-1}]`, input slice first, as in the authors' code.

mod chain;
mod fused;

pub use chain::SpinalChain;

use super::dropout::{Dropout, Granularity};
use super::{Activation, Layer, Linear};
use crate::plan::{Parameters, Tape, Tensor};

/// Which sub-layers use the same Linear.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tie {
    /// None: every sub-layer has its own.
    Untied,
    /// Sub-layers from the fifth on repeat the third and the fourth in turn, as the authors' regression script does.
    ThirdAndFourth,
    /// All sub-layers after the first share one (Kabir et al., "Transfer Learning with Spinally Shared Layers", 2024).
    Shared,
}

impl Tie {
    /// How many distinct Linears a chain of `depth` sub-layers has, and how many of the last ones repeat in turn.
    fn linears_and_period(self, depth: u32) -> (u32, u32) {
        match self {
            Self::Untied => (depth, 1),
            Self::ThirdAndFourth if depth > 4 => (4, 2),
            Self::Shared if depth > 2 => (2, 1),
            Self::ThirdAndFourth | Self::Shared => (depth, 1),
        }
    }
}

/// What a Spinal layer is made of.
#[derive(Clone, Copy, Debug)]
pub struct SpinalOptions {
    /// Columns of x, I in the paper.
    pub in_features: u32,
    /// Parts that the input is cut into, n; 2 in most of the paper.
    pub splits: u32,
    /// Units of a sub-layer, w.
    pub width: u32,
    /// Sub-layers, L, from 1 upwards.
    pub depth: u32,
    /// The activation of the sub-layers.
    pub activation: Activation,
    /// Which sub-layers share weights.
    pub tie: Tie,
    /// Probability of the dropout before every Linear; 0 for none.
    pub dropout: f64,
    /// Normalise the batch between Linear and activation.
    pub batch_norm: bool,
    /// Feed each sub-layer the output of the one before. Without this (V = 0) the sub-layers are independent.
    pub chained: bool,
}

impl SpinalOptions {
    /// Two halves, untied, ReLU, no dropout, no normalisation.
    pub fn halves(in_features: u32, width: u32, depth: u32) -> Self {
        Self {
            in_features,
            splits: 2,
            width,
            depth,
            activation: Activation::Relu,
            tie: Tie::Untied,
            dropout: 0.0,
            batch_norm: false,
            chained: true,
        }
    }

    /// The columns of one slice, S: I / n rounded half to even, as `numpy.round` in the authors' code.
    pub fn split_size(&self) -> u32 {
        (f64::from(self.in_features) / f64::from(self.splits)).round_ties_even() as u32
    }

    /// Columns of the chain's output: all sub-layers side by side.
    pub fn out_features(&self) -> u32 {
        self.depth * self.width
    }

    /// Inputs of the Linear of sub-layer `l`.
    fn fan_in(&self, l: u32) -> u32 {
        let previous = if l > 0 && self.chained { self.width } else { 0 };
        self.split_size() + previous
    }

    /// Whether one kernel can run all sub-layers: only products and activations lie between them.
    fn fusible(&self) -> bool {
        self.dropout == 0.0 && !self.batch_norm && self.chained
    }

    /// Panics, naming the option, if there is no such layer.
    fn check(&self) {
        assert!(
            self.in_features > 0 && self.width > 0 && self.depth > 0,
            "{self:?}: a size is 0"
        );
        assert!(
            self.splits > 0 && self.split_size() > 0,
            "{self:?}: a slice would have no columns"
        );
    }
}

/// How the chain is recorded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Path {
    /// One dispatch for the whole chain, two on the way back; composed where an adapter cannot run that.
    Fused,
    /// Slices, concatenations, Linears and activations, one after another.
    Composed,
}

/// The chain of sub-layers and the output layer over all of them.
#[derive(Clone, Debug)]
pub struct Spinal {
    chain: SpinalChain,
    output: Linear,
}

impl Spinal {
    /// Adds the chain's parameters under `NAME`, then `NAME.output.weight` `[C, L*w]` and `NAME.output.bias` `[C]`, where C
    /// is `out_features`.
    pub fn new(
        parameters: &mut Parameters,
        name: &str,
        options: SpinalOptions,
        out_features: u32,
    ) -> Self {
        let chain = SpinalChain::new(parameters, name, options);
        let all = options.out_features();
        let output = Linear::new(parameters, &format!("{name}.output"), all, out_features);
        Self { chain, output }
    }

    /// The same layer recorded another way. Panics for a fused path with dropout, normalisation or no chain.
    pub fn with_path(self, path: Path) -> Self {
        Self {
            chain: self.chain.with_path(path),
            ..self
        }
    }
}

impl Layer for Spinal {
    fn forward(&self, tape: &mut Tape, x: Tensor) -> Tensor {
        let h = self.chain.forward(tape, x);
        tape.scope("output", |tape| {
            let dropout = Dropout::new(self.chain.options().dropout, Granularity::Element);
            let dropped = dropout.forward(tape, h);
            self.output.forward(tape, dropped)
        })
    }
}
