//! `spinal eval`: saved weights on test data.

mod original;

use clap::Args;
use serde::Serialize;

use super::device::DeviceFlags;
use super::model::ModelFlags;
use super::output::{note, print, print_json};
use super::train::data_flags::DataFlags;
use super::train::dataset;
use crate::data::augment::{Augmentation, Transforms};
use crate::data::{self, Limit};
use crate::error::Result;
use crate::experiment;
use crate::models::{ORIGINAL, WeightsMetadata};
use crate::pretrained;
use crate::recipe::{Normalization, Validation};
use crate::train::{Config, Trainer};
use original::ClassScore;

/// Flags of `spinal eval`.
#[derive(Args, Debug)]
pub struct Eval {
    /// The weights
    #[arg(long, value_name = "FILE|NAME")]
    weights: String,
    /// The network they belong to (see `spinal list`)
    #[arg(long, value_name = "NAME")]
    model: String,
    #[command(flatten)]
    data: DataFlags,
    /// How pixels are normalised, if not as the file of weights says
    #[arg(long, value_name = "NAME", value_enum)]
    normalize: Option<Normalization>,
    /// The seed of a regression function
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    network: ModelFlags,
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
    /// ImageNet's classifier alone: how each class of the data set fares among its 1000.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    classes: Vec<ClassScore>,
    /// What the limits have left of the data set.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    limits: Vec<String>,
}

impl Eval {
    /// Evaluates and prints loss and accuracy.
    pub fn run(&self) -> Result<()> {
        let (experiment, family, net) = experiment::of_model(&self.model)?;
        let weights = pretrained::resolve(&self.weights, None)?;
        let metadata = WeightsMetadata::read(&weights, &self.model)?;
        let mut recipe = Config::of_recipe(experiment, &[net], self.data.data.as_deref());
        if metadata.evaluation != Transforms::default() {
            let (train, evaluation) = (metadata.evaluation, metadata.evaluation);
            recipe.augment = Augmentation::Chosen { train, evaluation };
        }
        let normalization = match experiment.is_transfer() {
            true => Normalization::of_backbone(family),
            false => recipe.normalization,
        };
        let mut config = Config {
            backbone: experiment.is_transfer().then(|| family.to_owned()),
            normalization: self.normalize.unwrap_or(normalization),
            network: self.network.options_for(&metadata),
            validation: Validation::None,
            epochs: 0,
            seed: self.seed,
            init: Some(weights.clone()),
            ..self.data.apply(recipe)
        };
        if data::is_of_pictures(&config.data) {
            config.image_size = config.image_size.or(metadata.side());
        }
        let (mut dataset, limits) = dataset::load(&config, experiment)?;
        if let (None, Some((mean, std))) = (self.normalize, metadata.normalisation) {
            dataset.normalise_by(mean, std)?;
        }
        let limits = limits.iter().map(Limit::to_string).collect();
        if net == ORIGINAL {
            let outcome =
                original::evaluate(&self.model, &weights, dataset, || self.device.open())?;
            return self.print(Report {
                loss: outcome.loss,
                accuracy: Some(outcome.correct() as f64 / outcome.total() as f64),
                correct: Some(outcome.correct()),
                total: outcome.total(),
                classes: outcome.classes,
                limits,
            });
        }
        let device = self.device.open()?;
        let mut trainer = Trainer::new(&device, config, dataset)?;
        trainer.notes().iter().for_each(note);
        let score = trainer.evaluate(0)?;
        self.print(Report {
            loss: score.loss,
            accuracy: score.accuracy(),
            correct: score.correct,
            total: score.total,
            classes: Vec::new(),
            limits,
        })
    }

    fn print(&self, report: Report) -> Result<()> {
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
