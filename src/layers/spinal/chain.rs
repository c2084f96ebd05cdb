//! The chain of sub-layers without an output layer.

use super::fused::{Family, FusedChain};
use super::{Path, SpinalOptions};
use crate::layers::concat::{Slice, concat, concat_dropped};
use crate::layers::dropout::{Dropout, Granularity};
use crate::layers::processor::{H100, of_cpu_kernel, on_cpu, register_cycles};
use crate::layers::{BatchNorm, Layer, Linear};
use crate::plan::{Candidate, Limits, Offer, Parameters, Shader, Tape, Tensor};

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
        let shape = format!("{} rows of {:?}", x.rows(), self.options);
        let chain = self.clone();
        tape.layer_operation(
            "spinal_chain",
            shape,
            &self.offers(tape, x),
            |tape, algorithm| match algorithm {
                Algorithm::Fused(family) => {
                    let fused = FusedChain::new(&chain, family, tape, x)
                        .expect("it is offered only if it fits");
                    fused.forward(tape, x)
                }
                Algorithm::Composed => chain.composed(tape, x),
            },
        )
    }
}

/// A way to run the chain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Algorithm {
    /// One dispatch, and two on the way back.
    Fused(Family),
    /// Slices, concatenations, Linears and activations.
    Composed,
}

impl Candidate for Algorithm {
    fn name(&self) -> String {
        match self {
            Self::Fused(Family::Workgroups) => "workgroups",
            Self::Fused(Family::Rows) => "rows",
            Self::Composed => "composed",
        }
        .to_owned()
    }

    fn shaders(&self) -> Vec<&'static Shader> {
        match self {
            Self::Fused(family) => vec![family.shader()],
            Self::Composed => Vec::new(),
        }
    }
}

impl SpinalChain {
    fn offers(&self, tape: &Tape, x: Tensor) -> Vec<Offer<Algorithm>> {
        let families = [Family::Workgroups, Family::Rows];
        let fused = families.into_iter().filter(|&family| {
            self.path == Path::Fused && FusedChain::new(self, family, tape, x).is_some()
        });
        let all = fused.map(Algorithm::Fused).chain([Algorithm::Composed]);
        all.map(|algorithm| Offer::new(algorithm, self.cost(tape.limits(), algorithm, x.rows())))
            .collect()
    }

    /// On a graphics processor the fused chain runs a row's sub-layers one after another in one workgroup, where the composed one
    /// waits for eight dispatches a sub-layer, but lets all processors work at each. On an NVIDIA H100, batch 100, forward and
    /// backward, at 1.7 GHz: w 8 0.05 ms against 0.15 composed, w 128 0.13 against 0.16, w 512 0.96 against 0.24.
    fn cost(&self, limits: &Limits, algorithm: Algorithm, batch: u32) -> f64 {
        const DISPATCHES_OF_COMPOSED: f64 = 8.0;
        const DISPATCHES_OF_FUSED: f64 = 3.0;
        /// Cycles of a sub-layer in a workgroup: barriers, and the latency of its loads.
        const SUB_LAYER: f64 = 7_000.0;
        /// Cycles of a workgroup for a multiplication, there and back.
        const IN_WORKGROUP: f64 = 1.1;
        let (depth, width) = (f64::from(self.options.depth), f64::from(self.options.width));
        let row = depth * width * (f64::from(self.options.split_size()) + width);
        let all = row * f64::from(batch);
        let rounds = f64::from(batch.div_ceil(H100.processors));
        let composed = DISPATCHES_OF_COMPOSED * depth;
        let composed_cycles = composed * H100.dispatch + register_cycles(3 * all as u64, 0);
        match algorithm {
            Algorithm::Composed if limits.is_cpu => {
                on_cpu::BROADCAST * all + composed * on_cpu::DISPATCH
            }
            Algorithm::Composed => composed_cycles,
            Algorithm::Fused(Family::Rows) => of_cpu_kernel(limits, all, composed_cycles),
            Algorithm::Fused(Family::Workgroups) if limits.is_cpu => on_cpu::WORKGROUP_TILES * all,
            Algorithm::Fused(Family::Workgroups) => {
                DISPATCHES_OF_FUSED * H100.dispatch
                    + rounds * (depth * SUB_LAYER + IN_WORKGROUP * row)
            }
        }
    }
}
