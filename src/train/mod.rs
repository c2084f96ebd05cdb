//! Training: the epoch loop, and what it needs on the device.

mod best;
mod config;
mod divergence;
mod fit;
mod net;
mod observer;
mod pass;
mod probe;
mod resident;
mod resume;
mod schedule;
mod score;
mod sources;
mod split;
mod start;

use std::ops::ControlFlow;
use std::rc::Rc;
use std::time::Instant;

pub use config::Config;
pub use net::Net;
pub use observer::{EpochStart, Observer};
pub use resident::Dataset;
pub use schedule::{Disappointment, OptimizerState, Phase, Phases, Rule, Schedule};
pub use score::Score;

use crate::batch::{Part, Sample, Source};
use crate::checkpoint::NamedTensor;
use crate::data::shuffled_order;
use crate::error::Result;
use crate::gpu::{Device, Memory};
use crate::models::{Model, ModelOptions, WeightsMetadata, initial_values};
use crate::plan::{Allocation, ParameterSpec, Role};
use crate::report::metrics::{EpochRecord, StepRecord};
use crate::steps::{device_seed, evaluate_plan, parts_of_step, train_step};
use crate::tune::Subject;
use divergence::Bounds;
use net::RecordedNet;
use score::mean_loss;
use sources::Sources;
use split::Split;
use start::Start;

/// The largest learning rate that may be asked for.
pub const MAX_LR: f64 = 1e6;

/// How a training ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// After the last epoch.
    Completed,
    /// By the user, within an epoch.
    Interrupted,
}

/// Nets on one device and one data set.
pub struct Trainer<'a> {
    device: &'a Device,
    memory: Memory,
    nets: Vec<Net>,
    config: Config,
    split: Split,
    network: ModelOptions,
    normalisation: Option<(Vec<f32>, Vec<f32>)>,
    class_names: Vec<String>,
    bounds: Bounds,
    notes: Vec<String>,
    /// Epochs that all nets have trained, or stopped before.
    epochs_done: usize,
}

/// The training and the evaluation step of every net that `config` trains, for measuring their kernels.
///
/// # Errors
/// As [`Trainer::new`], where the nets and the data set do not fit.
pub fn subjects(config: &Config, dataset: &Dataset) -> Result<Vec<Subject<'static>>> {
    let split = dataset.split(config.validation)?;
    let models = config.build_models(dataset)?;
    let mut subjects = Vec::new();
    for model in models {
        let sources = Sources::new(config, dataset, &split, &model)?;
        let parameters = initial_values(&model.parameters, 1).parameters;
        let (model, optimizer) = (Rc::new(model), Rc::new(config.optimizer()));
        if let Some(source) = sources.train {
            for part in 0..parts_of_step(&source) {
                let (model, optimizer) = (Rc::clone(&model), Rc::clone(&optimizer));
                subjects.push(Subject {
                    record: Box::new(move |kernels| {
                        let batch = source.batch_size;
                        let step = train_step(&model, &source, batch, &**optimizer, kernels);
                        step.parts[part].0.clone()
                    }),
                    parameters: parameters.clone(),
                });
            }
        }
        let source = sources.test;
        subjects.push(Subject {
            record: Box::new(move |kernels| {
                evaluate_plan(&model, &source, source.batch_size, kernels.clone())
            }),
            parameters,
        });
    }
    Ok(subjects)
}

/// Refuses what [`Trainer::new`] would refuse without looking at the device: nets that do not fit the data set, and initial
/// weights that cannot be read or do not fit the nets.
///
/// # Errors
/// As [`Trainer::new`].
pub fn check(config: &Config, dataset: &Dataset) -> Result<()> {
    dataset.split(config.validation)?;
    let models = config.build_models(dataset)?;
    Start::read(config, &models).map(drop)
}

impl<'a> Trainer<'a> {
    /// Builds the nets, allocates everything, uploads the data set and lets go of the host's copy.
    ///
    /// With no epochs to train, only what evaluation needs is built.
    pub fn new(device: &'a Device, config: Config, dataset: Dataset) -> Result<Self> {
        let split = dataset.split(config.validation)?;
        let mut models = config.build_models(&dataset)?;
        let start = Start::read(&config, &models)?;
        let (network, normalisation) = (config.model_options(&dataset), dataset.normalisation());
        let (bounds, class_names) = (Bounds::of(&dataset), dataset.class_names());
        let mut dataset = dataset;
        if probe::applies(&config) {
            let values = start.values(&models[0]);
            dataset = probe::dataset(device, &config, dataset, &models[0], &values)?;
            let Sample::Features { features } = dataset.sample(Part::Train) else {
                unreachable!("features were made");
            };
            let take = |model: &mut Model| model.take_features(features);
            models.iter_mut().for_each(take);
        }

        let mut recorded = Vec::new();
        let mut allocation = Allocation::default();
        for (index, (name, model)) in config.nets.iter().zip(models).enumerate() {
            let sources = Sources::new(&config, &dataset, &split, &model)?;
            let net = RecordedNet::new(device, name, model, &config, sources)?;
            allocation.add(index, net.plans());
            recorded.push(net);
        }

        let memory = Memory::allocate(device, &allocation)?;
        if let Some(net) = recorded.first() {
            net.sources.write_orders(device, &memory, &split);
        }
        dataset.upload(device, &memory, config.epochs > 0)?;
        let mut nets = Vec::new();
        for (index, net) in recorded.into_iter().enumerate() {
            let net = net.compile(device, &memory, index)?;
            net.initialize(device, &memory, &start);
            nets.push(net);
        }
        Ok(Self {
            device,
            memory,
            nets,
            config,
            split,
            network,
            normalisation,
            class_names,
            bounds,
            notes: start.notes,
            epochs_done: 0,
        })
    }

    /// The nets.
    pub fn nets(&self) -> &[Net] {
        &self.nets
    }

    /// What there is to tell of the files that weights were read from, a line each.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Bytes of device memory, as the plans tell.
    pub fn device_bytes(&self) -> u64 {
        self.memory.bytes()
    }

    /// What a step in micro-batches does otherwise than one in a whole, if nets here do.
    pub fn micro_batch_note(&self) -> Option<String> {
        let samples = self.config.micro_batch?;
        // The statistics of frozen layers stay as they are.
        let is_kept = |spec: &ParameterSpec| spec.role == Role::Statistic && spec.rate != 0.0;
        let mut nets = self.nets.iter();
        nets.find(|net| net.model().parameters.specs().iter().any(is_kept))?;
        Some(format!(
            "batch normalisation sees micro-batches of {samples}, as where gradients are accumulated in PyTorch"
        ))
    }

    /// The weights of net number `index`, in PyTorch's order.
    pub fn weights(&self, index: usize) -> Result<Vec<NamedTensor>> {
        self.nets[index].weights(self.device, &self.memory)
    }

    /// What a file of the weights of net number `index` says about them.
    pub fn metadata(&self, index: usize) -> WeightsMetadata {
        WeightsMetadata {
            model: self.nets[index].model().name.clone(),
            network: self.network,
            normalisation: self.normalisation.clone(),
            evaluation: self.config.augment.evaluation(),
            class_names: self.class_names.clone(),
        }
    }

    /// Trains every net for the configured epochs, all on the same batches. If so configured, each ends with the weights of
    /// its best epoch, also where the user stops the training.
    pub fn run(&mut self, observer: &mut dyn Observer) -> Result<End> {
        let end = self.epochs(observer)?;
        if self.config.reload_best {
            for net in &self.nets {
                net.reload_best(self.device, &self.memory);
            }
        }
        Ok(end)
    }

    /// Loss and accuracy of net number `index` on the test data.
    pub fn evaluate(&mut self, index: usize) -> Result<Score> {
        self.score(index, self.nets[index].sources.test)
    }

    /// The scores of net number `index` as it is, as the record of epoch 0.
    pub fn scores(&mut self, index: usize) -> Result<EpochRecord> {
        let validation = self.nets[index].sources.validation;
        let validation = validation
            .map(|source| self.score(index, source))
            .transpose()?;
        let test = self.evaluate(index)?;
        Ok(EpochRecord {
            net: self.nets[index].name().to_owned(),
            epoch: 0,
            lr: f64::NAN,
            train_loss: f64::NAN,
            validation_loss: validation.map(|score| score.loss),
            validation_accuracy: validation.and_then(|score| score.accuracy()),
            test_loss: test.loss,
            test_accuracy: test.accuracy(),
            seconds: 0.0,
            images_per_second: f64::NAN,
        })
    }

    fn epochs(&mut self, observer: &mut dyn Observer) -> Result<End> {
        for epoch in self.epochs_done + 1..=self.config.epochs {
            if self.nets.iter().all(|net| net.stopped) {
                break;
            }
            let order = self.order(epoch);
            self.memory
                .write_data(self.device, "train.order", bytemuck::cast_slice(&order));
            for index in 0..self.nets.len() {
                if self.nets[index].stopped {
                    continue;
                }
                if self.epoch(index, epoch, observer)? == End::Interrupted {
                    return Ok(End::Interrupted);
                }
            }
            self.epochs_done = epoch;
            observer.epochs_done(epoch, &|| self.state())?;
        }
        Ok(End::Completed)
    }

    fn epoch(&mut self, index: usize, epoch: usize, observer: &mut dyn Observer) -> Result<End> {
        let source = self.train_source();
        let lr = self.nets[index].course.lr();
        let schedule = self.nets[index].next_steps(source.steps());
        self.memory.write_data(
            self.device,
            "train.schedule",
            bytemuck::cast_slice(&schedule),
        );
        let steps_before = (epoch as u64 - 1) * u64::from(source.steps());
        self.set_step("train", steps_before);

        let started = Instant::now();
        if self.train_steps(index, epoch, observer)?.is_break() {
            return Ok(End::Interrupted);
        }
        let seconds = started.elapsed().as_secs_f64();

        let losses: Vec<f32> = self.memory.read_data(self.device, "train.losses")?;
        for (step, &loss) in (steps_before + 1..).zip(&losses) {
            observer.step(&StepRecord {
                net: self.nets[index].name().to_owned(),
                epoch,
                step,
                loss,
                lr: lr as f32,
            })?;
        }
        let record = EpochRecord {
            epoch,
            lr,
            train_loss: mean_loss(&losses, &source),
            seconds,
            images_per_second: f64::from(source.count) / seconds,
            ..self.scores(index)?
        };
        observer.epoch(&record)?;
        self.bounds.check(&record, &losses)?;
        self.prepare_next(index, &record, observer)?;
        Ok(End::Completed)
    }

    /// The steps of an epoch, nothing read back between them, unless the user stops them.
    fn train_steps(
        &mut self,
        index: usize,
        epoch: usize,
        observer: &mut dyn Observer,
    ) -> Result<ControlFlow<()>> {
        let source = self.train_source();
        let net = &mut self.nets[index];
        observer.started(&EpochStart {
            net: net.name(),
            epoch,
            epochs: self.config.epochs,
            steps: source.steps(),
            batch_size: source.batch_size,
        });
        let pass = net.train.as_mut().expect("there is a source to train on");
        pass.run(self.device, &mut |done| observer.advanced(done))
    }

    /// Does what the score of an epoch calls for before the next: keeps or reloads weights, sets the learning rate, renews
    /// the optimiser, or stops.
    fn prepare_next(
        &mut self,
        index: usize,
        record: &EpochRecord,
        observer: &mut dyn Observer,
    ) -> Result<()> {
        let (device, memory) = (self.device, &self.memory);
        let net = &mut self.nets[index];
        let verdict = net.judge(record.epoch, record.score(), &self.config);
        if verdict.keep_best {
            net.keep_best(device, memory)?;
        }
        if verdict.reload_best {
            net.reload_best(device, memory);
        }
        if verdict.renew_optimizer {
            net.clear_optimizer(device, memory);
        }
        if net.stopped {
            observer.stopped(net.name(), record.epoch);
        }
        Ok(())
    }

    /// Loss and accuracy of net number `index` on the samples of an evaluation.
    fn score(&mut self, index: usize, source: Source) -> Result<Score> {
        self.set_step("test", 0);
        let net = &mut self.nets[index];
        let pass = match source.part {
            Part::Validation => net.validate.as_mut(),
            _ => Some(&mut net.test),
        };
        let pass = pass.expect("there is a pass for every source");
        // Nothing interrupts an evaluation, so it always runs to its end.
        let _ = pass.run(self.device, &mut |_| ControlFlow::Continue(()))?;
        let label = |name: &str| format!("{}.{name}", source.part.prefix());
        // The buffers have room for the net with the most steps.
        let mut losses: Vec<f32> = self.memory.read_data(self.device, &label("losses"))?;
        losses.truncate(source.steps() as usize);
        let correct = match source.sample {
            Sample::Row { .. } => None,
            Sample::Image { .. } | Sample::Features { .. } => {
                let counts: Vec<u32> = self.memory.read_data(self.device, &label("correct"))?;
                let counts = counts.into_iter().take(losses.len());
                Some(counts.map(u64::from).sum())
            }
        };
        Ok(Score {
            loss: mean_loss(&losses, &source),
            correct,
            total: source.count.into(),
        })
    }

    /// The same for all nets.
    fn train_source(&self) -> Source {
        let source = self.nets.first().and_then(|net| net.sources.train);
        source.expect("there are epochs to train")
    }

    /// The training samples in the order of an epoch.
    fn order(&self, epoch: usize) -> Vec<u32> {
        let train = &self.split.train;
        if !self.config.shuffle {
            return train.clone();
        }
        shuffled_order(train.len(), self.config.seed, epoch as u64)
            .into_iter()
            .map(|place| train[place as usize])
            .collect()
    }

    /// Sets the device's step state of a mode: seed, step of the epoch, step of the training.
    fn set_step(&self, prefix: &str, steps_before: u64) {
        let state = [device_seed(self.config.seed), 0, steps_before as u32, 0];
        self.memory.write_data(
            self.device,
            &format!("{prefix}.step"),
            bytemuck::cast_slice(&state),
        );
    }
}
