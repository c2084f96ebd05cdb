//! `spinal universal`: the paper's universal approximation construction, run on the device.

use clap::Args;

use super::device::DeviceFlags;
use super::output::print;
use crate::error::{Error, Result};
use crate::layers::Activation;
use crate::universal::{ACTIVATIONS, Options, check, render};

/// Flags of `spinal universal`.
#[derive(Args, Debug)]
pub struct Universal {
    /// Only this activation; ReLU, LeakyReLU, sigmoid and tanh otherwise
    #[arg(long, value_enum)]
    activation: Option<Activation>,
    /// Hidden neurons of the single-hidden-layer net
    #[arg(long, value_name = "N", default_value_t = Options::default().neurons)]
    neurons: u32,
    /// Its inputs
    #[arg(long, value_name = "N", default_value_t = Options::default().inputs)]
    inputs: u32,
    /// Its outputs
    #[arg(long, value_name = "N", default_value_t = Options::default().outputs)]
    outputs: u32,
    /// Parts that the spinal net cuts its input into
    #[arg(long, value_name = "N", default_value_t = Options::default().splits)]
    splits: u32,
    /// Units of a sub-layer
    #[arg(long, value_name = "N", default_value_t = Options::default().width)]
    width: u32,
    /// The inputs are drawn from -R to R
    #[arg(long, value_name = "R", default_value_t = Options::default().range)]
    range: f64,
    /// How many inputs are compared
    #[arg(long, value_name = "N", default_value_t = Options::default().points)]
    points: u32,
    /// Determines the net and the inputs
    #[arg(long, value_name = "N", default_value_t = Options::default().seed)]
    seed: u64,
    #[command(flatten)]
    device: DeviceFlags,
}

impl Universal {
    /// Compares both nets for each activation.
    pub fn run(&self) -> Result<()> {
        let activations = self
            .activation
            .map_or(ACTIVATIONS.to_vec(), |activation| vec![activation]);
        let options: Vec<Options> = activations
            .into_iter()
            .map(|activation| self.options(activation))
            .collect();
        for options in &options {
            options.validate()?;
        }
        let device = self.device.open()?;
        let outcomes = options
            .iter()
            .map(|options| check(&device, options))
            .collect::<Result<Vec<_>>>()?;
        print(render(&outcomes).trim_end())?;
        match outcomes.iter().find(|outcome| !outcome.holds()) {
            None => Ok(()),
            Some(outcome) => Err(Error::training(
                format!(
                    "the two nets differ for {} by more than the tolerance",
                    outcome.activation
                ),
                "run it again with --checked and on another --adapter: a driver may be at fault",
            )),
        }
    }

    fn options(&self, activation: Activation) -> Options {
        Options {
            activation,
            neurons: self.neurons,
            inputs: self.inputs,
            outputs: self.outputs,
            splits: self.splits,
            width: self.width,
            range: self.range,
            points: self.points,
            seed: self.seed,
        }
    }
}
