//! The passes of a training over its data set.

use super::config::Config;
use super::resident::Dataset;
use super::split::Split;
use crate::gpu::{Device, Memory};
use crate::layers::{Part, Source};

/// Samples of an evaluation step.
const EVALUATION_BATCH: u32 = 1000;

/// What nets are trained on and scored on.
pub(super) struct Sources {
    /// None where nothing is trained.
    pub train: Option<Source>,
    /// None where nothing is trained, or nothing held out.
    pub validation: Option<Source>,
    pub test: Source,
}

impl Sources {
    pub fn new(config: &Config, dataset: &Dataset, split: &Split) -> Self {
        let trains = config.epochs > 0;
        let source = |part, count, batch_size| dataset.source(part, count, batch_size);
        let (train, validation) = (split.train.len(), split.validation.len());
        Self {
            train: trains.then(|| source(Part::Train, train, config.batch_size)),
            validation: (trains && validation > 0)
                .then(|| source(Part::Validation, validation, EVALUATION_BATCH)),
            test: source(Part::Test, dataset.test_count(), EVALUATION_BATCH),
        }
    }

    /// Writes the orders that never change: those of the evaluations.
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
