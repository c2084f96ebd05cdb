//! The Spinal layer (paper, section II): input that arrives gradually along a chain of sub-layers.
//!
//! Sub-layer l sees slice l of the input and the output of sub-layer l-1; the output layer sees every sub-layer:
//! `h_l = phi(U_l s_l + V_l h_{l-1} + b_l)`, `y = c + sum_l O_l h_l`. `U_l` and `V_l` lie in one Linear over the
//! concatenation `[s_l, h_{l-1}]`, input slice first, as in the authors' code.

mod fused;

use fused::FusedChain;

use super::concat::{Slice, concat, slice};
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
    /// Columns of y, C.
    pub out_features: u32,
    /// The activation of the sub-layers.
    pub activation: Activation,
    /// Which sub-layers share weights.
    pub tie: Tie,
    /// Probability of the dropout before every Linear; 0 for none.
    pub dropout: f64,
}

impl SpinalOptions {
    /// Two halves, untied, ReLU, no dropout.
    pub fn halves(in_features: u32, width: u32, depth: u32, out_features: u32) -> Self {
        Self {
            in_features,
            splits: 2,
            width,
            depth,
            out_features,
            activation: Activation::Relu,
            tie: Tie::Untied,
            dropout: 0.0,
        }
    }

    /// The columns of one slice, S: I / n rounded half to even, as `numpy.round` in the authors' code.
    pub fn split_size(&self) -> u32 {
        (f64::from(self.in_features) / f64::from(self.splits)).round_ties_even() as u32
    }

    /// Panics, naming the option, if there is no such layer.
    fn check(&self) {
        assert!(
            self.in_features > 0 && self.width > 0 && self.depth > 0 && self.out_features > 0,
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
    options: SpinalOptions,
    linears: Vec<Linear>,
    output: Linear,
    path: Path,
}

impl Spinal {
    /// Adds `NAME.sub_layers.L.weight` `[w, S]` or `[w, S + w]`, `NAME.sub_layers.L.bias` `[w]` for every distinct Linear,
    /// then `NAME.output.weight` `[C, L*w]` and `NAME.output.bias` `[C]`.
    ///
    /// The fused path is taken unless there is dropout between the sub-layers.
    pub fn new(parameters: &mut Parameters, name: &str, options: SpinalOptions) -> Self {
        options.check();
        let (count, _) = options.tie.linears_and_period(options.depth);
        let linears = (0..count)
            .map(|l| {
                let columns = options.split_size() + if l > 0 { options.width } else { 0 };
                Linear::new(
                    parameters,
                    &format!("{name}.sub_layers.{l}"),
                    columns,
                    options.width,
                )
            })
            .collect();
        let all = options.depth * options.width;
        let output = Linear::new(
            parameters,
            &format!("{name}.output"),
            all,
            options.out_features,
        );
        let path = if options.dropout > 0.0 {
            Path::Composed
        } else {
            Path::Fused
        };
        Self {
            options,
            linears,
            output,
            path,
        }
    }

    /// The same layer recorded another way. Panics for a fused path with dropout.
    pub fn with_path(self, path: Path) -> Self {
        assert!(
            path == Path::Composed || self.options.dropout == 0.0,
            "the fused chain has no dropout"
        );
        Self { path, ..self }
    }

    /// The Linear of sub-layer `l`.
    fn linear(&self, l: u32) -> &Linear {
        let (count, period) = self.options.tie.linears_and_period(self.options.depth);
        let index = if l < count {
            l
        } else {
            count - period + (l - count) % period
        };
        &self.linears[index as usize]
    }

    fn drop(&self, tape: &mut Tape, x: Tensor) -> Tensor {
        Dropout::new(self.options.dropout, Granularity::Element).forward(tape, x)
    }

    fn composed(&self, tape: &mut Tape, x: Tensor) -> Tensor {
        let SpinalOptions {
            in_features,
            depth,
            activation,
            ..
        } = self.options;
        let columns = self.options.split_size();
        let mut hidden: Vec<Tensor> = Vec::new();
        for l in 0..depth {
            let part = Slice {
                tensor: x,
                start: l * columns % in_features,
                columns,
            };
            let h = tape.scope(&format!("sub_layers.{l}"), |tape| {
                let input = match hidden.last() {
                    None => slice(tape, part),
                    Some(&previous) => concat(tape, &[part, Slice::all(previous)]),
                };
                let dropped = self.drop(tape, input);
                let z = self.linear(l).forward(tape, dropped);
                activation.forward(tape, z)
            });
            hidden.push(h);
        }
        let slices: Vec<Slice> = hidden.into_iter().map(Slice::all).collect();
        concat(tape, &slices)
    }
}

impl Layer for Spinal {
    fn forward(&self, tape: &mut Tape, x: Tensor) -> Tensor {
        assert_eq!(
            x.columns(),
            self.options.in_features,
            "{:?} got {:?}",
            self.options,
            x.shape()
        );
        let fused = match self.path {
            Path::Fused => FusedChain::new(self, tape, x),
            Path::Composed => None,
        };
        let h = match fused {
            Some(chain) => chain.forward(tape, x),
            None => self.composed(tape, x),
        };
        tape.scope("output", |tape| {
            let dropped = self.drop(tape, h);
            self.output.forward(tape, dropped)
        })
    }
}
