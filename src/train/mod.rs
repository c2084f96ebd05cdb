//! Training: the epoch loop, and what it needs on the device.

mod config;
mod net;
mod pass;
mod resident;

use std::ops::ControlFlow;
use std::time::Instant;

pub use config::Config;
pub use net::Net;
pub use resident::Dataset;

use crate::checkpoint::NamedTensor;
use crate::data::shuffled_order;
use crate::error::{Error, Result};
use crate::gpu::{Device, Memory};
use crate::layers::{Sample, Source};
use crate::plan::Allocation;
use crate::report::metrics::{EpochRecord, StepRecord};
use crate::report::progress::Progress;
use net::RecordedNet;

/// Samples of an evaluation step.
const TEST_BATCH: u32 = 1000;

/// Hears what happens while nets train.
pub trait Observer {
    /// A step is done. Steps are reported when their epoch is.
    fn step(&mut self, record: &StepRecord) -> Result<()>;
    /// An epoch is done.
    fn epoch(&mut self, record: &EpochRecord) -> Result<()>;
    /// Whether to stop now.
    fn interrupted(&self) -> bool;
}

/// How a training ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// After the last epoch.
    Completed,
    /// By the user, within an epoch.
    Interrupted,
}

/// How a net does on the test data.
#[derive(Clone, Copy, Debug)]
pub struct Score {
    /// The mean loss.
    pub loss: f64,
    /// Correctly classified samples; none for regression.
    pub correct: Option<u64>,
    /// All samples.
    pub total: u64,
}

impl Score {
    /// Correct samples over all samples.
    pub fn accuracy(&self) -> Option<f64> {
        self.correct
            .map(|correct| correct as f64 / self.total as f64)
    }
}

/// Nets on one device and one data set.
pub struct Trainer<'a> {
    device: &'a Device,
    memory: Memory,
    nets: Vec<Net>,
    config: Config,
    train: Source,
    test: Source,
}

impl<'a> Trainer<'a> {
    /// Builds the nets, allocates everything, uploads the data set and lets go of the host's copy.
    ///
    /// With no epochs to train, only what evaluation needs is built.
    pub fn new(device: &'a Device, config: Config, dataset: Dataset) -> Result<Self> {
        let train = dataset.source(dataset.train_count(), config.batch_size);
        let test = dataset.source(dataset.test_count(), TEST_BATCH);
        let to_train = (config.epochs > 0).then_some(&train);

        let mut recorded = Vec::new();
        let mut allocation = Allocation::default();
        for (index, name) in config.nets.iter().enumerate() {
            let model = config.build_model(name, &dataset)?;
            let net = RecordedNet::new(name, model, &config, to_train, &test, device.class());
            allocation.add(index, net.plans());
            recorded.push(net);
        }

        let memory = Memory::allocate(device, &allocation)?;
        dataset.upload(device, &memory, to_train.is_some())?;
        let mut nets = Vec::new();
        for (index, net) in recorded.into_iter().enumerate() {
            let net = net.compile(device, &memory, index)?;
            net.initialize(device, &memory, &config)?;
            nets.push(net);
        }
        Ok(Self {
            device,
            memory,
            nets,
            config,
            train,
            test,
        })
    }

    /// The nets.
    pub fn nets(&self) -> &[Net] {
        &self.nets
    }

    /// Bytes of device memory, as the plans tell.
    pub fn device_bytes(&self) -> u64 {
        self.memory.bytes()
    }

    /// The weights of net number `index`, in PyTorch's order.
    pub fn weights(&self, index: usize) -> Result<Vec<NamedTensor>> {
        self.nets[index].weights(self.device, &self.memory)
    }

    /// Trains every net for the configured epochs, all on the same batches.
    pub fn run(&mut self, observer: &mut dyn Observer) -> Result<End> {
        for epoch in 1..=self.config.epochs {
            let order = self.order(epoch);
            self.memory
                .write_data(self.device, "train.order", bytemuck::cast_slice(&order));
            for index in 0..self.nets.len() {
                if self.epoch(index, epoch, observer)? == End::Interrupted {
                    return Ok(End::Interrupted);
                }
            }
        }
        Ok(End::Completed)
    }

    /// Loss and accuracy of net number `index` on the test data.
    pub fn evaluate(&mut self, index: usize) -> Result<Score> {
        self.set_step("test", 0);
        let pass = &mut self.nets[index].evaluate;
        // Nothing interrupts an evaluation, so it always runs to its end.
        let _ = pass.run(self.device, &mut |_| ControlFlow::Continue(()))?;
        let losses: Vec<f32> = self.memory.read_data(self.device, "test.losses")?;
        let correct = match self.test.sample {
            Sample::Row { .. } => None,
            Sample::Image { .. } => {
                let counts: Vec<u32> = self.memory.read_data(self.device, "test.correct")?;
                Some(counts.into_iter().map(u64::from).sum())
            }
        };
        Ok(Score {
            loss: mean_loss(&losses, &self.test),
            correct,
            total: self.test.count.into(),
        })
    }

    fn epoch(&mut self, index: usize, epoch: usize, observer: &mut dyn Observer) -> Result<End> {
        let steps = self.train.steps();
        let steps_before = (epoch as u64 - 1) * u64::from(steps);
        let schedule = self.nets[index].schedule(self.config.lr, steps_before + 1, steps);
        self.memory.write_data(
            self.device,
            "train.schedule",
            bytemuck::cast_slice(&schedule),
        );
        self.set_step("train", steps_before);

        let started = Instant::now();
        let Some(progress) = self.train_steps(index, epoch, &*observer)? else {
            return Ok(End::Interrupted);
        };
        let seconds = started.elapsed().as_secs_f64();

        let net = self.nets[index].name().to_owned();
        let losses: Vec<f32> = self.memory.read_data(self.device, "train.losses")?;
        for (step, &loss) in (steps_before + 1..).zip(&losses) {
            let lr = self.config.lr as f32;
            observer.step(&StepRecord {
                net: net.clone(),
                epoch,
                step,
                loss,
                lr,
            })?;
        }
        let test = self.evaluate(index)?;
        let record = EpochRecord {
            net,
            epoch,
            train_loss: mean_loss(&losses, &self.train),
            test_loss: test.loss,
            test_accuracy: test.accuracy(),
            seconds,
            images_per_second: f64::from(self.train.count) / seconds,
        };
        observer.epoch(&record)?;
        progress.finish(&record);
        self.refuse_divergence(&record)?;
        Ok(End::Completed)
    }

    /// The steps of an epoch, nothing read back between them. `None` if the user stopped them.
    fn train_steps(
        &mut self,
        index: usize,
        epoch: usize,
        observer: &dyn Observer,
    ) -> Result<Option<Progress>> {
        let net = &mut self.nets[index];
        let progress = Progress::epoch(
            net.name(),
            epoch,
            self.config.epochs,
            self.train.steps().into(),
        )
        .batch_size(self.train.batch_size.into());
        let pass = net
            .train
            .as_mut()
            .expect("a trainer with epochs has training plans");
        let end = pass.run(self.device, &mut |done| {
            progress.advance_to(done.into());
            if observer.interrupted() {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })?;
        Ok(end.is_continue().then_some(progress))
    }

    fn order(&self, epoch: usize) -> Vec<u32> {
        if self.config.shuffle {
            shuffled_order(self.train.count as usize, self.config.seed, epoch as u64)
        } else {
            (0..self.train.count).collect()
        }
    }

    /// Sets the device's step state of a mode: seed, step of the epoch, step of the training.
    fn set_step(&self, prefix: &str, steps_before: u64) {
        let seed = (self.config.seed ^ (self.config.seed >> 32)) as u32;
        let state = [seed, 0, steps_before as u32, 0];
        self.memory.write_data(
            self.device,
            &format!("{prefix}.step"),
            bytemuck::cast_slice(&state),
        );
    }

    fn refuse_divergence(&self, record: &EpochRecord) -> Result<()> {
        if record.train_loss.is_finite() && record.test_loss.is_finite() {
            return Ok(());
        }
        Err(Error::training(
            format!(
                "{}: the training diverged in epoch {}, its loss is not a number",
                record.net, record.epoch
            ),
            format!("use a smaller --lr than {}", self.config.lr),
        ))
    }
}

/// The mean over samples of losses that are means over steps.
fn mean_loss(losses: &[f32], source: &Source) -> f64 {
    let samples =
        |step: usize| (source.count - step as u32 * source.batch_size).min(source.batch_size);
    let sum: f64 = losses
        .iter()
        .enumerate()
        .map(|(step, &loss)| f64::from(loss) * f64::from(samples(step)))
        .sum();
    sum / f64::from(source.count)
}
