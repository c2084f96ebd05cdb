//! Everything that determines a training.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use super::resident::Dataset;
use super::schedule::Schedule;
use crate::error::{Error, Result};
use crate::experiment::{Experiment, model_name};
use crate::layers::Sample;
use crate::models::{self, Model, ModelOptions};
use crate::optim::{Adam, Clipped, Optimizer, Sgd};
use crate::recipe::{Normalization, OptimizerName, Validation};

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
    /// How pixels are normalised.
    pub normalization: Normalization,
    /// What the schedule and the best epoch are judged by.
    pub validation: Validation,
    /// Passes over the training data.
    pub epochs: usize,
    /// Samples of a step.
    pub batch_size: u32,
    /// The optimiser.
    pub optimizer: OptimizerName,
    /// The learning rate that the schedule starts from.
    pub lr: f64,
    /// The learning rates over the epochs.
    pub schedule: Schedule,
    /// SGD's momentum.
    pub momentum: f64,
    /// Whether SGD's momentum is Nesterov's.
    pub nesterov: bool,
    /// The share of the parameters that is added to their gradients or, by AdamW, taken from themselves.
    pub weight_decay: f64,
    /// The norm of all gradients together above which they are scaled down to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip_norm: Option<f64>,
    /// Whether each phase of the schedule, and the training, ends with the weights of the best epoch so far.
    pub reload_best: bool,
    /// Epochs without a better score after which a net is not trained any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patience: Option<usize>,
    /// Determines initial weights, order, dropout masks and random learning rates.
    pub seed: u64,
    /// Whether each epoch has an order of its own.
    pub shuffle: bool,
    /// Whether the nets' dropout is active.
    pub dropout: bool,
    /// Initial weights, if not drawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init: Option<PathBuf>,
    /// Nets with a schedule other than [`schedule`](Self::schedule).
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub net_schedules: BTreeMap<String, Schedule>,
}

impl Config {
    /// Some nets of an experiment by its recipe, with seed 1.
    pub fn of_recipe(experiment: &Experiment, nets: &[&str]) -> Self {
        let recipe = &experiment.recipe;
        let parse = |schedule: &str| -> Schedule {
            let parsed = schedule.parse();
            parsed.unwrap_or_else(|error| panic!("{}: {error}", experiment.name))
        };
        let net_schedules = recipe.net_schedules.iter();
        Self {
            experiment: experiment.name.to_owned(),
            nets: nets.iter().map(|&net| net.to_owned()).collect(),
            data: experiment.default_data().to_owned(),
            limit_train: None,
            limit_test: None,
            normalization: recipe.normalization,
            validation: recipe.validation,
            epochs: recipe.epochs,
            batch_size: recipe.batch_size,
            optimizer: recipe.optimizer,
            lr: recipe.lr,
            schedule: parse(recipe.schedule),
            momentum: recipe.momentum,
            nesterov: recipe.nesterov,
            weight_decay: recipe.weight_decay,
            clip_norm: recipe.clip_norm,
            reload_best: recipe.reload_best,
            patience: None,
            seed: 1,
            shuffle: true,
            dropout: true,
            init: None,
            net_schedules: net_schedules
                .filter(|(net, _)| nets.contains(net))
                .map(|(net, schedule)| ((*net).to_owned(), parse(schedule)))
                .collect(),
        }
    }

    /// The schedule of a net.
    pub fn schedule_of(&self, net: &str) -> &Schedule {
        self.net_schedules.get(net).unwrap_or(&self.schedule)
    }

    pub(super) fn optimizer(&self) -> Box<dyn Optimizer> {
        let adam = |decoupled| Adam {
            weight_decay: self.weight_decay,
            decoupled,
            ..Adam::default()
        };
        let optimizer: Box<dyn Optimizer> = match self.optimizer {
            OptimizerName::Sgd => Box::new(Sgd {
                momentum: self.momentum,
                nesterov: self.nesterov,
                weight_decay: self.weight_decay,
            }),
            OptimizerName::Adam => Box::new(adam(false)),
            OptimizerName::AdamW => Box::new(adam(true)),
        };
        match self.clip_norm {
            Some(max_norm) => Box::new(Clipped {
                max_norm,
                optimizer,
            }),
            None => optimizer,
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
