//! Universal approximation as a check that one can run (paper, supplement).
//!
//! A net with a single hidden layer is a universal approximator (Hornik, 1993). A deep Spinal net contains every such net,
//! so it is one too. Here the second half is carried out: a random single-hidden-layer net, the Spinal net constructed
//! from it, and the largest difference between the two on random points, the Spinal net on the device in f32 and the
//! other on the host in f64.

mod construction;
mod options;
mod outcome;
mod single_hidden_layer;

pub use construction::{Construction, LinearValues};
pub use options::Options;
pub use outcome::{Outcome, render};
pub use single_hidden_layer::SingleHiddenLayer;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

use crate::error::Result;
use crate::gpu::Device;
use crate::layers::Activation;
use crate::layers::spinal::Path;

/// The activations of the check: those of the paper whose linear zone lets a number pass.
pub const ACTIVATIONS: [Activation; 4] = [
    Activation::Relu,
    Activation::LeakyRelu,
    Activation::Sigmoid,
    Activation::Tanh,
];

/// The ChaCha stream used here, so that another use of the same seed draws other bits.
const STREAM: u64 = u64::from_be_bytes(*b"universe");

/// Compares a random single-hidden-layer net with the Spinal net that is constructed from it.
///
/// Refused as wrong usage if the options do not fit; an error of the adapter if the device fails. That the nets differ is
/// no error: see [`Outcome::holds`].
pub fn check(device: &Device, options: &Options) -> Result<Outcome> {
    Trial::new(options)?.run(device, Path::Fused)
}

/// A single-hidden-layer net, the Spinal net that shall equal it, and the points to compare them on.
#[derive(Clone, Debug)]
pub struct Trial {
    /// What was asked for.
    pub options: Options,
    /// The net to equal.
    pub single_hidden_layer: SingleHiddenLayer,
    /// The Spinal net.
    pub construction: Construction,
    /// `[points, inputs]`, every coordinate in `-range..=range`.
    pub points: Vec<f32>,
}

impl Trial {
    /// Draws a net and points by the seed, and constructs the Spinal net. Refused if the options do not fit.
    pub fn new(options: &Options) -> Result<Self> {
        options.validate()?;
        let mut random = ChaCha8Rng::seed_from_u64(options.seed);
        random.set_stream(STREAM);
        let single_hidden_layer = SingleHiddenLayer::random(options, &mut random);
        let coordinates = options.points as usize * options.inputs as usize;
        let points = (0..coordinates).map(|_| uniform(&mut random, options.range));
        let points = points.collect();
        Ok(Self {
            options: options.clone(),
            construction: Construction::new(&single_hidden_layer, options),
            single_hidden_layer,
            points,
        })
    }

    /// Evaluates both nets on the points, the Spinal net on the device with its chain recorded as `path` says.
    pub fn run(&self, device: &Device, path: Path) -> Result<Outcome> {
        let expected = self.single_hidden_layer.evaluate(&self.points);
        let got = self.construction.evaluate(device, path, &self.points)?;
        let differences = got.iter().zip(&expected.outputs);
        let max_difference = differences
            .map(|(&got, expected)| (f64::from(got) - expected).abs())
            .max_by(f64::total_cmp)
            .unwrap_or(0.0);
        // Roundings are relative to what is rounded: the offset, a pre-activation or an output, whichever is largest.
        let magnitude = expected.magnitude.max(self.construction.offset).max(1.0);
        let passes = (self.options.splits - 1).max(1);
        Ok(Outcome {
            activation: self.options.activation,
            neurons: self.options.neurons,
            depth: self.construction.spinal.depth,
            width: self.options.width,
            parameters: self
                .construction
                .values()
                .map(|values| values.len() as u64)
                .sum(),
            parameters_used: self.construction.parameters_used(),
            points: self.options.points,
            max_difference,
            tolerance: construction::tolerance(self.options.activation)
                * f64::from(passes)
                * magnitude,
        })
    }
}

/// One draw from U(-bound, bound).
fn uniform(random: &mut ChaCha8Rng, bound: f64) -> f32 {
    let unit = (f64::from(random.next_u32()) + 0.5) / 4_294_967_296.0;
    ((2.0 * unit - 1.0) * bound) as f32
}
