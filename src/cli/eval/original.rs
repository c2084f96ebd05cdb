//! ImageNet's own classifier on another data set, whose classes are found among ImageNet's by their names.

use serde::Serialize;

use crate::batch::Part;
use crate::cli::output::note;
use crate::data::{ImageSet, imagenet};
use crate::error::{Error, Result};
use crate::gpu::Device;
use crate::models::{self, LoadedWeights, ModelOptions};
use crate::predict::{BATCH, Predictor, probabilities};
use crate::train::Dataset;

/// How a class of the data set fares among ImageNet's.
#[derive(Serialize)]
pub struct ClassScore {
    name: String,
    /// Its number among ImageNet's classes.
    class: usize,
    correct: u64,
    total: u64,
}

/// The scores of the data set's classes, and the mean loss.
pub struct Outcome {
    pub classes: Vec<ClassScore>,
    pub loss: f64,
}

impl Outcome {
    pub fn correct(&self) -> u64 {
        self.classes.iter().map(|class| class.correct).sum()
    }

    pub fn total(&self) -> u64 {
        self.classes.iter().map(|class| class.total).sum()
    }
}

/// What the model called `name` says of the test images of a data set.
///
/// # Errors
/// A class that ImageNet does not have, weights of another network, or a device that does not take it.
pub fn evaluate(
    name: &str,
    weights: &std::path::Path,
    dataset: Dataset,
    open: impl FnOnce() -> Result<Device>,
) -> Result<Outcome> {
    let sample = dataset.sample(Part::Test);
    let normalisation = dataset.normalisation();
    let set = dataset.into_images();
    if set.class_names.len() < set.classes {
        return Err(Error::usage(
            format!(
                "{}: nothing tells what its classes are called among ImageNet's",
                set.name
            ),
            "give a folder of class folders",
        ));
    }
    let classes = imagenet::classes_of(&set.class_names)?;
    let model = models::build(
        name,
        ModelOptions {
            sample: Some(sample),
            ..ModelOptions::default()
        },
    )?;
    let LoadedWeights { values, notes } = models::load_weights(weights, &model.parameters)?;
    notes.iter().for_each(note);
    let device = open()?;
    let batch = set.test.count.min(BATCH) as u32;
    let predictor = Predictor::new(&device, &model, &values, normalisation, batch)?;
    score(&predictor, &set, &classes)
}

fn score(predictor: &Predictor, set: &ImageSet, classes: &[usize]) -> Result<Outcome> {
    let named = set.class_names.iter().zip(classes);
    let mut outcome = Outcome {
        classes: named
            .map(|(name, &class)| ClassScore {
                name: name.clone(),
                class,
                correct: 0,
                total: 0,
            })
            .collect(),
        loss: 0.0,
    };
    for (batch, labels) in set.test.labels.chunks(BATCH).enumerate() {
        let first = batch * BATCH;
        let pictures = set.test.images(first..first + labels.len());
        let pictures = pictures.collect::<Result<Vec<_>>>()?;
        for (logits, &label) in predictor.logits(&pictures)?.iter().zip(labels) {
            let class = &mut outcome.classes[usize::from(label)];
            let probabilities = probabilities(logits);
            let likeliest = (0..logits.len()).max_by(|&a, &b| logits[a].total_cmp(&logits[b]));
            class.total += 1;
            class.correct += u64::from(likeliest == Some(class.class));
            outcome.loss -= probabilities[class.class].ln();
        }
    }
    outcome.loss /= set.test.count as f64;
    Ok(outcome)
}
