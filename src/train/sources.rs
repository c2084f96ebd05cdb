//! The passes of a net over its data set.

use super::config::Config;
use super::fit;
use super::resident::Dataset;
use super::split::Split;
use crate::batch::{Part, Source};
use crate::error::{Error, Result};
use crate::gpu::{Device, Memory};
use crate::models::Model;
use crate::plan::Limits;
use crate::steps::largest_activation;

/// Samples of an evaluation step, at most.
const EVALUATION_BATCH: u32 = 1000;

/// Bytes of an activation in an evaluation step, at most: half of what every adapter binds.
const EVALUATION_BYTES: u64 = 64 << 20;

/// What a net is trained on and scored on. Nothing in it depends on the other nets of the training, and no bit of a score does.
#[derive(Clone, Copy)]
pub(super) struct Sources {
    /// None where nothing is trained.
    pub train: Option<Source>,
    /// None where nothing is trained, or nothing held out.
    pub validation: Option<Source>,
    pub test: Source,
}

impl Sources {
    /// Refuses steps that are too small for the model.
    pub fn new(
        config: &Config,
        dataset: &Dataset,
        split: &Split,
        model: &Model,
        limits: &Limits,
    ) -> Result<Self> {
        let evaluation_batch = evaluation_batch(model);
        let trains = config.epochs > 0;
        let source = |part, count, batch_size| Source {
            transforms: config.augment.transforms(),
            evaluation: config.augment.evaluation(),
            ..dataset.source(part, count, batch_size, limits)
        };
        let (train, validation) = (split.train.len(), split.validation.len());
        let sources = Self {
            train: trains.then(|| Source {
                micro_batch: config.micro_batch,
                ..source(Part::Train, train, config.batch_size)
            }),
            validation: (trains && validation > 0)
                .then(|| source(Part::Validation, validation, evaluation_batch)),
            test: source(Part::Test, dataset.test_count(), evaluation_batch),
        };
        if let Some(train) = &sources.train {
            fit::check_indices(model, train)?;
        }
        sources.check_batches(model)?;
        Ok(sources)
    }

    fn check_batches(&self, model: &Model) -> Result<()> {
        let Some(train) = self.train else {
            return Ok(());
        };
        let needed = model.smallest_batch();
        let steps = std::iter::once(train.batch_size).chain(train.ragged_batch());
        let passes = steps.flat_map(|batch| train.micro_batches(batch));
        let smallest = passes.map(|(samples, _)| samples).min().unwrap_or(needed);
        if smallest >= needed {
            return Ok(());
        }
        if let Some(samples) = train.micro_batch {
            return Err(Error::usage(
                format!(
                    "micro-batches of {samples} would leave one of {smallest}, and {} normalises batches: it needs {needed}",
                    model.name
                ),
                "choose another --micro-batch, --batch-size or --limit-train",
            ));
        }
        Err(Error::usage(
            format!(
                "the last step of an epoch would have {smallest} of {} samples, and {} normalises batches: it needs {needed}",
                train.count, model.name
            ),
            "choose another --batch-size or --limit-train",
        ))
    }

    /// Writes the orders that never change and that all nets share: those of the evaluations.
    pub fn write_orders(&self, device: &Device, memory: &Memory, split: &Split) {
        let write = |source: Source, order: &[u32]| {
            let label = format!("{}.order", source.part.prefix());
            memory.write_data(device, &label, bytemuck::cast_slice(order));
        };
        if let Some(validation) = self.validation {
            write(validation, &split.validation);
        }
        let all: Vec<u32> = (0..self.test.count).collect();
        write(self.test, &all);
    }
}

/// Samples of an evaluation step: as many as keep every activation small enough.
pub(super) fn evaluation_batch(model: &Model) -> u32 {
    let fitting = EVALUATION_BYTES / largest_activation(model).max(1);
    fitting.clamp(1, EVALUATION_BATCH.into()) as u32
}
