//! The chain of sub-layers without an output layer.

use super::fused::FusedChain;
use super::{Path, SpinalOptions};
use crate::layers::concat::{Slice, concat, concat_dropped};
use crate::layers::dropout::{Dropout, Granularity};
use crate::layers::{BatchNorm, Layer, Linear};
use crate::plan::{Parameters, Tape, Tensor};

/// All sub-layers side by side, `[N, L*w]`: what the output layer sees, and what several feeds concatenate.
#[derive(Clone, Debug)]
pub struct SpinalChain {
    options: SpinalOptions,
    linears: Vec<Linear>,
    norms: Vec<BatchNorm>,
    path: Path,
}

impl SpinalChain {
    /// Adds `NAME.sub_layers.L.weight` `[w, S]` or `[w, S + w]` and `NAME.sub_layers.L.bias` `[w]` for every distinct Linear,
    /// and for every sub-layer that is normalised the BatchNorm `NAME.norms.L`.
    ///
    /// The fused path is taken where nothing but products and activations lies between the sub-layers.
    pub fn new(parameters: &mut Parameters, name: &str, options: SpinalOptions) -> Self {
        options.check();
        let (count, _) = options.tie.linears_and_period(options.depth);
        let linears = (0..count).map(|l| {
            let name = format!("{name}.sub_layers.{l}");
            Linear::new(parameters, &name, options.fan_in(l), options.width)
        });
        let linears = linears.collect();
        let normalised = if options.batch_norm { options.depth } else { 0 };
        let norms = (0..normalised).map(|l| {
            let name = format!("{name}.norms.{l}");
            BatchNorm::new(parameters, &name, options.width, options.activation)
        });
        let norms = norms.collect();
        let path = if options.fusible() {
            Path::Fused
        } else {
            Path::Composed
        };
        Self {
            options,
            linears,
            norms,
            path,
        }
    }

    /// What it is made of.
    pub fn options(&self) -> &SpinalOptions {
        &self.options
    }

    /// The same chain recorded another way. Panics for a fused path with dropout, normalisation or no chain.
    pub fn with_path(self, path: Path) -> Self {
        assert!(
            path == Path::Composed || self.options.fusible(),
            "{:?} cannot be fused",
            self.options
        );
        Self { path, ..self }
    }

    /// The distinct Linears, in the order of their parameters.
    pub(super) fn linears(&self) -> &[Linear] {
        &self.linears
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

    fn composed(&self, tape: &mut Tape, x: Tensor) -> Tensor {
        let mut hidden: Vec<Tensor> = Vec::new();
        for l in 0..self.options.depth {
            let previous = hidden.last().copied();
            let h = tape.scope(&format!("sub_layers.{l}"), |tape| {
                self.sub_layer(tape, l, x, previous)
            });
            hidden.push(h);
        }
        let slices: Vec<Slice> = hidden.into_iter().map(Slice::all).collect();
        concat(tape, &slices)
    }

    /// Dropout, Linear, BatchNorm, activation: the order of the authors' code.
    fn sub_layer(&self, tape: &mut Tape, l: u32, x: Tensor, previous: Option<Tensor>) -> Tensor {
        let options = &self.options;
        let columns = options.split_size();
        let part = Slice {
            tensor: x,
            start: l * columns % options.in_features,
            columns,
        };
        let previous = previous.filter(|_| options.chained).map(Slice::all);
        let slices: Vec<Slice> = [part].into_iter().chain(previous).collect();
        let dropout = Dropout::new(options.dropout, Granularity::Element);
        let dropped = concat_dropped(tape, &slices, dropout);
        let z = self.linear(l).forward(tape, dropped);
        match self.norms.get(l as usize) {
            Some(norm) => norm.forward(tape, z),
            None => options.activation.forward(tape, z),
        }
    }
}

impl Layer for SpinalChain {
    fn forward(&self, tape: &mut Tape, x: Tensor) -> Tensor {
        assert_eq!(
            x.columns(),
            self.options.in_features,
            "{:?} got {:?}",
            self.options,
            x.shape()
        );
        let fused = match self.path {
            Path::Fused if !tape.kernels().is_reference() => FusedChain::new(self, tape, x),
            Path::Fused | Path::Composed => None,
        };
        match fused {
            Some(chain) => chain.forward(tape, x),
            None => self.composed(tape, x),
        }
    }
}
