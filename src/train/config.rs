//! Everything that determines a training.

use std::path::PathBuf;

use serde::Serialize;

use super::resident::Dataset;
use crate::error::{Error, Result};
use crate::experiment::{OptimizerName, model_name};
use crate::layers::Sample;
use crate::models::{self, Model, ModelOptions};
use crate::optim::{Adam, Optimizer, Sgd};

/// The resolved options of a training: what `config.toml` of a run folder holds.
#[derive(Clone, Debug, Serialize)]
pub struct Config {
    /// The experiment.
    pub experiment: String,
    /// Its nets, by their short names.
    pub nets: Vec<String>,
    /// The name or folder of the data set; for regression, the function.
    pub data: String,
    /// Training samples used, from the start of the data set; all if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit_train: Option<usize>,
    /// Test samples used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit_test: Option<usize>,
    /// Passes over the training data.
    pub epochs: usize,
    /// Samples of a step.
    pub batch_size: u32,
    /// The optimiser.
    pub optimizer: OptimizerName,
    /// The learning rate.
    pub lr: f64,
    /// SGD's momentum.
    pub momentum: f64,
    /// Determines initial weights, order and dropout masks.
    pub seed: u64,
    /// Whether each epoch has an order of its own.
    pub shuffle: bool,
    /// Whether the nets' dropout is active.
    pub dropout: bool,
    /// Initial weights, if not drawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init: Option<PathBuf>,
}

impl Config {
    pub(super) fn optimizer(&self) -> Box<dyn Optimizer> {
        match self.optimizer {
            OptimizerName::Sgd => Box::new(Sgd {
                momentum: self.momentum,
                weight_decay: 0.0,
            }),
            OptimizerName::Adam => Box::new(Adam::default()),
        }
    }

    /// Builds the model of a net and checks that the data set fits it.
    pub(super) fn build_model(&self, net: &str, dataset: &Dataset) -> Result<Model> {
        let options = ModelOptions {
            no_dropout: !self.dropout,
            ..ModelOptions::default()
        };
        let model = models::build(&model_name(&self.experiment, net), options)?;
        check_fit(&model, dataset)?;
        Ok(model)
    }
}

/// Refuses a data set whose samples are not what the model takes.
fn check_fit(model: &Model, dataset: &Dataset) -> Result<()> {
    let sample = dataset.sample();
    let classes = dataset.outputs();
    if sample != model.sample {
        return Err(Error::usage(
            format!(
                "{} takes {}, and {} has {}",
                model.name,
                describe(model.sample),
                dataset.name(),
                describe(sample)
            ),
            "choose another --data",
        ));
    }
    if classes > model.outputs {
        return Err(Error::usage(
            format!(
                "{} has {} outputs, and {} has {classes} classes",
                model.name,
                model.outputs,
                dataset.name()
            ),
            "choose another --data",
        ));
    }
    Ok(())
}

fn describe(sample: Sample) -> String {
    match sample {
        Sample::Image {
            height,
            width,
            channels,
        } => format!("images of {height}x{width}x{channels}"),
        Sample::Row { features, targets } => {
            format!("rows of {features} inputs and {targets} targets")
        }
    }
}
