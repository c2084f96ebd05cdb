//! The fused spinal chain beside the composed one: forward and backward of a whole Spinal layer.

use super::ceilings::Ceilings;
use super::check;
use super::conditions::Conditions;
use super::row::{Row, RowsReport};
use super::timing;
use super::trial::Trial;
use crate::error::Result;
use crate::gpu::Device;
use crate::layers::spinal::Path;
use crate::layers::{Activation, Layer, Spinal, SpinalOptions};
use crate::plan::{Mode, Parameters, Tape, Tensor};

/// Input features, width and depth of the heads: the MNIST CNN's, VGG-5's, and one as wide as the kernels go.
const HEADS: [(u32, u32, u32); 3] = [(320, 8, 6), (256, 128, 4), (512, 512, 4)];

/// Outputs of the layer.
const CLASSES: u32 = 10;

/// Measures every head, recorded both ways.
pub fn measure(device: &Device, batch_size: u32, runs: usize) -> Result<RowsReport> {
    let ceilings = Ceilings::measure(device)?;
    let mut rows = Vec::new();
    for (features, width, depth) in HEADS {
        let head = |path, activation| {
            let halves = SpinalOptions::halves(features, width, depth);
            let options = SpinalOptions {
                activation,
                ..halves
            };
            Head::new(device, options, path, batch_size)
        };
        let both = |activation| -> Result<[Head; 2]> {
            Ok([
                head(Path::Composed, activation)?,
                head(Path::Fused, activation)?,
            ])
        };
        // Gradients are compared where rounding cannot turn them: ReLU has a kink.
        let [smooth_composed, smooth_fused] = both(Activation::Tanh)?;
        let [composed, fused] = both(Activation::Relu)?;
        let outcome = smooth_fused
            .compare_gradients(&smooth_composed)?
            .and(fused.compare_outputs(&composed)?);
        for (name, head, outcome) in [("composed", &composed, Ok(())), ("fused", &fused, outcome)] {
            let executable = &head.trial.executable;
            let timing = match outcome {
                Ok(()) => Ok(timing::time(device, executable, runs)?),
                Err(wrong) => Err(wrong),
            };
            let name = format!("I {features} w {width} L {depth} batch {batch_size} {name}");
            let dispatches = &head.trial.plan.dispatches;
            rows.push(Row::new(name, dispatches, timing, &ceilings));
        }
    }
    Ok(RowsReport {
        bench: "spinal",
        conditions: Conditions::on(device, runs),
        ceilings,
        rows,
    })
}

/// A Spinal layer, forward and backward, on the device.
struct Head<'a> {
    trial: Trial<'a>,
    y: Tensor,
    dx: Tensor,
    terms: u32,
}

impl<'a> Head<'a> {
    fn new(
        device: &'a Device,
        options: SpinalOptions,
        path: Path,
        batch_size: u32,
    ) -> Result<Self> {
        let mut parameters = Parameters::default();
        let layer = Spinal::new(&mut parameters, "spinal", options, CLASSES).with_path(path);
        let mut tape =
            Tape::new("spinal", &parameters, Mode::Train).with_kernels(device.kernels().clone());
        let x = tape.tensor("x", [batch_size, options.in_features]);
        let y = layer.forward(&mut tape, x);
        tape.backward_from(y, |_, _| {});
        let dx = tape.gradient(x);
        let trial = Trial::new(device, tape.finish(), &parameters)?;
        trial.run()?;
        // Sums of a chain: those of every sub-layer one after another, and the batch.
        let terms = options.depth * (options.split_size() + options.width) + batch_size;
        Ok(Self {
            trial,
            y,
            dx,
            terms,
        })
    }

    /// Whether this way computes the output that the other does.
    fn compare_outputs(&self, other: &Self) -> Result<std::result::Result<(), String>> {
        let (got, expected) = (self.trial.read(self.y)?, other.trial.read(other.y)?);
        Ok(check::agree("y", &got, &expected, self.terms))
    }

    /// Whether this way computes the gradients that the other does.
    fn compare_gradients(&self, other: &Self) -> Result<std::result::Result<(), String>> {
        let (got, expected) = (self.trial.read(self.dx)?, other.trial.read(other.dx)?);
        let of_x = check::agree("dx", &got, &expected, self.terms);
        let flat = |head: &Self| head.trial.read_state("gradients");
        let (got, expected) = (flat(self)?, flat(other)?);
        Ok(of_x.and(check::agree("gradients", &got, &expected, self.terms)))
    }
}
