//! One net on the device: its passes, its weights in and out.

use super::config::Config;
use super::pass::{Pass, PassPlans};
use crate::checkpoint::NamedTensor;
use crate::error::Result;
use crate::gpu::{Device, Memory};
use crate::layers::Source;
use crate::models::{self, Model};
use crate::optim::{Optimizer, ScheduleEntry};
use crate::plan::{AdapterClass, Plan};
use crate::steps;

/// A net and its plans, recorded but not yet on a device.
pub(super) struct RecordedNet {
    name: String,
    model: Model,
    optimizer: Box<dyn Optimizer>,
    train: Option<PassPlans>,
    evaluate: PassPlans,
}

impl RecordedNet {
    /// Records the evaluation of `model` and, if there is a source for it, the training.
    pub fn new(
        name: &str,
        model: Model,
        config: &Config,
        train: Option<&Source>,
        test: &Source,
        class: AdapterClass,
    ) -> Self {
        let optimizer = config.optimizer();
        let train = train.map(|source| {
            PassPlans::record(source, |batch| {
                steps::train_plan(&model, source, batch, &*optimizer, class)
            })
        });
        let evaluate = PassPlans::record(test, |batch| {
            steps::evaluate_plan(&model, test, batch, class)
        });
        Self {
            name: name.to_owned(),
            model,
            optimizer,
            train,
            evaluate,
        }
    }

    pub fn plans(&self) -> impl Iterator<Item = &Plan> {
        self.train
            .iter()
            .chain([&self.evaluate])
            .flat_map(PassPlans::plans)
    }

    pub fn compile(self, device: &Device, memory: &Memory, index: usize) -> Result<Net> {
        let train = self
            .train
            .map(|plans| plans.compile(device, memory, index))
            .transpose()?;
        let evaluate = self.evaluate.compile(device, memory, index)?;
        Ok(Net {
            name: self.name,
            index,
            model: self.model,
            optimizer: self.optimizer,
            train,
            evaluate,
        })
    }
}

/// A net on the device.
pub struct Net {
    name: String,
    index: usize,
    model: Model,
    optimizer: Box<dyn Optimizer>,
    pub(super) train: Option<Pass>,
    pub(super) evaluate: Pass,
}

impl Net {
    /// Its short name: `spinal`, `baseline`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The network.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// What the steps of an epoch need from the host, the first of them being step `first` of the training, from 1.
    pub(super) fn schedule(&self, lr: f64, first: u64, steps: u32) -> Vec<ScheduleEntry> {
        (0..u64::from(steps))
            .map(|step| self.optimizer.schedule(lr as f32, first + step))
            .collect()
    }

    /// Draws the parameters, or reads them from a file, and writes them to the device.
    pub(super) fn initialize(
        &self,
        device: &Device,
        memory: &Memory,
        config: &Config,
    ) -> Result<()> {
        let parameters = &self.model.parameters;
        let values = match &config.init {
            Some(path) => models::load_weights(path, parameters)?,
            None => models::initial_values(parameters, config.seed),
        };
        memory.write_values(device, self.index, &values);
        Ok(())
    }

    /// The weights in PyTorch's order.
    pub(super) fn weights(&self, device: &Device, memory: &Memory) -> Result<Vec<NamedTensor>> {
        let values = memory.read_values(device, self.index)?;
        Ok(models::named_weights(&self.model.parameters, &values))
    }
}
