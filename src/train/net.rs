//! One net on the device: its passes, its optimiser, its weights in and out.

use super::best::Best;
use super::config::Config;
use super::pass::{Pass, PassPlans};
use super::schedule::{Course, OptimizerState};
use super::sources::Sources;
use super::start::Start;
use super::{divergence, fit};
use crate::batch::Source;
use crate::checkpoint::NamedTensor;
use crate::error::{Error, Result};
use crate::gpu::{Device, Memory};
use crate::models::{self, Model};
use crate::optim::{Optimizer, ScheduleEntry};
use crate::plan::{ParameterSpec, Plan, Role, Values};
use crate::steps;

/// A net and its plans, recorded but not yet on a device.
pub(super) struct RecordedNet {
    name: String,
    model: Model,
    pub sources: Sources,
    optimizer: Box<dyn Optimizer>,
    course: Course,
    train: Option<PassPlans>,
    validate: Option<PassPlans>,
    test: PassPlans,
}

impl RecordedNet {
    /// Records the passes of `model` over its sources.
    ///
    /// # Errors
    /// `Error::Adapter` if a training step does not fit the adapter.
    pub fn new(
        device: &Device,
        name: &str,
        model: Model,
        config: &Config,
        sources: Sources,
    ) -> Result<Self> {
        let (optimizer, kernels) = (config.optimizer(), device.kernels());
        let step =
            |source: &Source, batch| steps::train_step(&model, source, batch, &*optimizer, kernels);
        let record = |source: Source| {
            let fit = fit::Step {
                device,
                model: &model,
                source: &source,
                record: &|source| step(source, source.batch_size),
            };
            fit.check()?;
            Ok(PassPlans::record(&source, |batch| step(&source, batch)))
        };
        let train = sources.train.map(record).transpose()?;
        let evaluate = |source| {
            PassPlans::record(&source, |batch| {
                steps::evaluate_plan(&model, &source, batch, kernels).into()
            })
        };
        let validate = sources.validation.map(evaluate);
        let test = evaluate(sources.test);
        let schedule = config.schedule_of(name);
        Ok(Self {
            name: name.to_owned(),
            model,
            sources,
            optimizer,
            course: Course::new(schedule, config.lr, config.epochs, config.seed),
            train,
            validate,
            test,
        })
    }

    pub fn plans(&self) -> impl Iterator<Item = &Plan> {
        let passes = self.train.iter().chain(&self.validate).chain([&self.test]);
        passes.flat_map(PassPlans::plans)
    }

    pub fn compile(self, device: &Device, memory: &Memory, index: usize) -> Result<Net> {
        let compile = |plans: PassPlans| plans.compile(device, memory, index);
        Ok(Net {
            name: self.name,
            index,
            model: self.model,
            sources: self.sources,
            optimizer: self.optimizer,
            optimizer_steps: 0,
            course: self.course,
            best: Best::new(),
            stopped: false,
            train: self.train.map(compile).transpose()?,
            validate: self.validate.map(compile).transpose()?,
            test: compile(self.test)?,
        })
    }
}

/// A net on the device.
pub struct Net {
    name: String,
    pub(super) index: usize,
    model: Model,
    pub(super) sources: Sources,
    optimizer: Box<dyn Optimizer>,
    /// Steps since the optimiser was new.
    optimizer_steps: u64,
    pub(super) course: Course,
    pub(super) best: Best,
    /// Whether it is not trained any more.
    pub(super) stopped: bool,
    pub(super) train: Option<Pass>,
    pub(super) validate: Option<Pass>,
    pub(super) test: Pass,
}

/// What the score of an epoch calls for before the next.
#[derive(Clone, Copy, Debug)]
pub(super) struct Verdict {
    /// The epoch is the best so far.
    pub is_best: bool,
    /// The best weights are to be gone back to.
    pub reload_best: bool,
    /// Momentum and moments are to be forgotten.
    pub renew_optimizer: bool,
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

    /// What the next `steps` steps, an epoch, need from the host.
    pub(super) fn schedule(&self, steps: u32) -> Vec<ScheduleEntry> {
        let lr = self.course.lr() as f32;
        let first = self.optimizer_steps + 1;
        (first..first + u64::from(steps))
            .map(|step| self.optimizer.schedule(lr, step))
            .collect()
    }

    /// Hears the score of an epoch of `steps` steps: sets the learning rate of the next, and stops the net where it gets no
    /// better.
    pub(super) fn judge(
        &mut self,
        epoch: usize,
        score: f64,
        steps: u32,
        config: &Config,
    ) -> Verdict {
        self.optimizer_steps += u64::from(steps);
        let better = self.best.hear(epoch, score);
        let next = self.course.finish(epoch, score);
        let renew_optimizer = next.optimizer == OptimizerState::Fresh;
        if renew_optimizer {
            self.optimizer_steps = 0;
        }
        let patience = config.patience.unwrap_or(usize::MAX);
        self.stopped = self.best.age(epoch) >= patience && epoch < config.epochs;
        Verdict {
            is_best: better,
            reload_best: next.phase_ended && config.reload_best,
            renew_optimizer,
        }
    }

    /// The buffers that weights are in: those of [`Values`](crate::plan::Values).
    pub(super) fn weight_labels(&self) -> Vec<&'static str> {
        match self.model.parameters.statistics_elements() {
            0 => vec!["parameters"],
            _ => vec!["parameters", "statistics"],
        }
    }

    /// The buffers that go on from step to step.
    pub(super) fn state_labels(&self) -> Vec<&'static str> {
        let mut labels = self.weight_labels();
        labels.extend(self.optimizer.state());
        labels
    }

    /// Makes momentum and moments those of a new optimiser.
    pub(super) fn clear_optimizer(&self, device: &Device, memory: &Memory) {
        for label in self.optimizer.state() {
            memory.clear_state(device, self.index, label);
        }
    }

    /// Goes back to the weights of the best epoch, if there was one.
    pub(super) fn reload_best(&self, device: &Device, memory: &Memory) {
        if let Some(values) = &self.best.values {
            memory.write_values(device, self.index, values);
        }
    }

    /// What is no number among the values of a buffer that goes on from step to step, by the name of its tensor.
    pub(super) fn unsound(&self, label: &str, values: &[f32]) -> Option<String> {
        let place = values.iter().position(|value| !value.is_finite())?;
        let role = match label {
            "statistics" => Role::Statistic,
            _ => Role::Learnable,
        };
        let holds = |spec: &&ParameterSpec| {
            let start = spec.offset as usize;
            spec.role == role && (start..start + spec.device_elements as usize).contains(&place)
        };
        let spec = self.model.parameters.specs().iter().find(holds);
        let name = spec.map_or("padding", |spec| &spec.name);
        Some(format!("the {label} of {name} hold {}", values[place]))
    }

    /// The same of its weights.
    pub(super) fn unsound_weights(&self, values: &Values) -> Option<String> {
        let unsound = self.unsound("parameters", &values.parameters);
        unsound.or_else(|| self.unsound("statistics", &values.statistics))
    }

    /// The error of a training that diverged in an epoch.
    pub(super) fn divergence(&self, epoch: usize, cause: &str) -> Error {
        divergence::error(&self.name, epoch, self.course.lr(), cause)
    }

    /// Writes the first weights to the device.
    pub(super) fn initialize(&self, device: &Device, memory: &Memory, start: &Start) {
        memory.write_values(device, self.index, &start.values(&self.model));
    }

    /// The weights in PyTorch's order.
    pub(super) fn weights(&self, device: &Device, memory: &Memory) -> Result<Vec<NamedTensor>> {
        let values = memory.read_values(device, self.index)?;
        Ok(models::named_weights(&self.model.parameters, &values))
    }
}
