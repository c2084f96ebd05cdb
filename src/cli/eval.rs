//! `spinal eval`: saved weights on test data.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::device::DeviceFlags;
use super::output::{print, print_json};
use super::train::dataset;
use crate::error::{Error, Result};
use crate::experiment::{EXPERIMENTS, Experiment, model_name};
use crate::models;
use crate::recipe::Validation;
use crate::train::{Config, Trainer};

/// Flags of `spinal eval`.
#[derive(Args, Debug)]
pub struct Eval {
    /// The weights
    #[arg(long, value_name = "FILE.safetensors")]
    weights: PathBuf,
    /// The network they belong to (see `spinal list`)
    #[arg(long, value_name = "NAME")]
    model: String,
    /// A data set by name, a folder of IDX files, or a regression function
    #[arg(long, value_name = "NAME|DIR")]
    data: Option<String>,
    /// Use only the first N test samples
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit_test: Option<u32>,
    /// The seed of a regression function
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    device: DeviceFlags,
}

#[derive(Serialize)]
struct Report {
    loss: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    accuracy: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    correct: Option<u64>,
    total: u64,
}

impl Eval {
    /// Evaluates and prints loss and accuracy.
    pub fn run(&self) -> Result<()> {
        let (experiment, net) = experiment_of(&self.model)?;
        let recipe = Config::of_recipe(experiment, &[net]);
        let config = Config {
            data: self.data.clone().unwrap_or(recipe.data),
            limit_test: self.limit_test.map(|limit| limit as usize),
            validation: Validation::None,
            epochs: 0,
            seed: self.seed,
            init: Some(self.weights.clone()),
            ..recipe
        };
        let dataset = dataset::load(&config, experiment)?;
        let device = self.device.open()?;
        let score = Trainer::new(&device, config, dataset)?.evaluate(0)?;
        let report = Report {
            loss: score.loss,
            accuracy: score.accuracy(),
            correct: score.correct,
            total: score.total,
        };
        if self.json {
            return print_json(&report);
        }
        match (report.accuracy, report.correct) {
            (Some(accuracy), Some(correct)) => print(format!(
                "loss {:.4}, accuracy {:.2} % ({correct} of {})",
                report.loss,
                100.0 * accuracy,
                report.total
            )),
            _ => print(format!(
                "loss {:.6} over {} samples",
                report.loss, report.total
            )),
        }
    }
}

/// The experiment and the net of a model called `EXPERIMENT-NET`.
pub fn experiment_of(model: &str) -> Result<(&'static Experiment, &'static str)> {
    for experiment in EXPERIMENTS {
        if let Some(&net) = experiment
            .nets
            .iter()
            .find(|net| model_name(experiment.name, net) == model)
        {
            return Ok((experiment, net));
        }
    }
    Err(Error::usage(
        format!("--model {model}: there is no such network"),
        format!(
            "choose one of {}",
            models::names().collect::<Vec<_>>().join(", ")
        ),
    ))
}
