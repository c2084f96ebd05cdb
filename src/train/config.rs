//! Everything that determines a training.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::resident::Dataset;
use super::schedule::Schedule;
use crate::batch::{Part, Sample};
use crate::data::augment::Augmentation;
use crate::error::{Error, Result};
use crate::experiment::{self, Experiment};
use crate::models::{self, Freeze, Model, ModelOptions};
use crate::optim::{Adam, Clipped, Optimizer, Sgd};
use crate::recipe::{Normalization, OptimizerName, Validation};

/// The resolved options of a training: what `config.toml` of a run folder holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Config {
    /// The experiment.
    pub experiment: String,
    /// Its nets, by their short names.
    pub nets: Vec<String>,
    /// Another family than the experiment's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backbone: Option<String>,
    /// The name or folder of the data set; for regression, the function.
    pub data: String,
    /// Training samples used, at most; all if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit_train: Option<usize>,
    /// Test samples used, at most; all if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit_test: Option<usize>,
    /// Rows and columns that the pictures of a folder are scaled and cut to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_size: Option<u32>,
    /// Subtracted from the labels of IDX files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_offset: Option<u8>,
    /// Whether rows and columns of every image change places.
    pub transposed: bool,
    /// How pixels are normalised.
    pub normalization: Normalization,
    /// What happens to images on their way into a batch.
    pub augment: Augmentation,
    /// What the schedule and the best epoch are judged by.
    pub validation: Validation,
    /// Passes over the training data.
    pub epochs: usize,
    /// Samples of a step.
    pub batch_size: u32,
    /// Samples that go through a net at once, where they are fewer than those of a step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub micro_batch: Option<u32>,
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
    /// The layers that are not trained.
    #[serde(default, skip_serializing_if = "is_default")]
    pub freeze: Freeze,
    /// What the learning rate of the backbone is multiplied by.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub lr_backbone: f64,
    /// Initial weights, if not drawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init: Option<PathBuf>,
    /// Initial weights of the backbones, if not drawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights: Option<PathBuf>,
    /// What is changed about the networks.
    pub network: ModelOptions,
    /// Nets with a schedule other than [`schedule`](Self::schedule).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub net_schedules: BTreeMap<String, Schedule>,
}

impl Config {
    /// Some nets of an experiment by its recipe for a data set, or for its own if none is named, with seed 1.
    pub fn of_recipe(experiment: &Experiment, nets: &[&str], data: Option<&str>) -> Self {
        let data = data.unwrap_or(experiment.default_data);
        let recipe = experiment.recipe_on(data);
        let parse = |schedule: &str| -> Schedule {
            let parsed = schedule.parse();
            parsed.unwrap_or_else(|error| panic!("{}: {error}", experiment.name))
        };
        let augment = recipe.augment.parse();
        let augment = augment.unwrap_or_else(|error| panic!("{}: {error}", experiment.name));
        let net_schedules = recipe.net_schedules.iter();
        Self {
            experiment: experiment.name.to_owned(),
            nets: nets.iter().map(|&net| net.to_owned()).collect(),
            backbone: None,
            data: data.to_owned(),
            limit_train: None,
            limit_test: None,
            image_size: None,
            label_offset: None,
            transposed: false,
            normalization: recipe.normalization,
            augment,
            validation: recipe.validation,
            epochs: recipe.epochs,
            batch_size: recipe.batch_size,
            micro_batch: None,
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
            freeze: Freeze::None,
            lr_backbone: 1.0,
            init: None,
            weights: None,
            network: ModelOptions::default(),
            net_schedules: net_schedules
                .filter(|(net, _)| nets.contains(net))
                .map(|(net, schedule)| ((*net).to_owned(), parse(schedule)))
                .collect(),
        }
    }

    /// The family of its networks.
    pub fn family<'a>(&'a self, experiment: &Experiment) -> &'a str {
        self.backbone.as_deref().unwrap_or(experiment.family)
    }

    /// The name of the model of a net: `FAMILY-NET`.
    fn model(&self, net: &str) -> Result<String> {
        let experiment = experiment::find(&self.experiment)?;
        Ok(format!("{}-{net}", self.family(experiment)))
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

    /// The changes to a network that is trained on `dataset`: it takes its samples and tells its classes apart, or the
    /// greater number that is asked for.
    pub(super) fn model_options(&self, dataset: &Dataset) -> ModelOptions {
        ModelOptions {
            no_dropout: !self.dropout,
            sample: Some(dataset.sample(Part::Train).with_size(self.augment.size())),
            classes: self.network.classes.or(Some(dataset.outputs())),
            ..self.network
        }
    }

    /// All nets, if the changes to them fit and what happens to images on their way does.
    pub(super) fn build_models(&self, dataset: &Dataset) -> Result<Vec<Model>> {
        for part in [Part::Train, Part::Test] {
            if let Sample::Image { height, width, .. } = dataset.sample(part) {
                self.augment.check([height, width])?;
            }
        }
        let models = self.nets.iter().map(|net| self.build_model(net, dataset));
        let models = models.collect::<Result<Vec<_>>>()?;
        self.check_changes(&models)?;
        Ok(models)
    }

    /// Builds the model of a net and checks that the data set fits it.
    fn build_model(&self, net: &str, dataset: &Dataset) -> Result<Model> {
        let mut model = models::build(&self.model(net)?, self.model_options(dataset))?;
        model.freeze(&self.freeze, self.lr_backbone)?;
        let classes = dataset.outputs();
        if classes > model.outputs {
            return Err(Error::usage(
                format!(
                    "--classes {}: {} has {classes}",
                    model.outputs,
                    dataset.name()
                ),
                "leave it out, or give at least as many",
            ));
        }
        Ok(model)
    }

    /// Refuses changes to networks that none of them has a use for.
    fn check_changes(&self, models: &[Model]) -> Result<()> {
        let head = &self.network.head;
        if head.changes_spinal() && !models.iter().any(Model::has_spinal) {
            return Err(Error::usage(
                "--spinal-...: none of the nets has a Spinal layer",
                "choose --net spinal, or add --head spinal or --spinal-hidden",
            ));
        }
        Ok(())
    }
}

fn is_default(freeze: &Freeze) -> bool {
    *freeze == Freeze::default()
}

fn one() -> f64 {
    1.0
}

fn is_one(factor: &f64) -> bool {
    *factor == 1.0
}
