//! The epochs: nothing is read back between the steps of one, but where the training halts.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use super::observer::{EpochStart, Halt, Observer, Trained};
use super::score::mean_loss;
use super::{End, Trainer};
use crate::batch::Source;
use crate::data::shuffled_order;
use crate::error::{Error, Result};
use crate::models::named_weights;
use crate::report::metrics::{EpochRecord, StepRecord};
use crate::steps::device_seed;

/// How long steps go on unseen. To look at their losses costs as much as a submission takes to begin.
const UNSEEN: Duration = Duration::from_secs(5);

impl Trainer<'_> {
    /// Trains every net for the configured epochs, all on the same batches, from where the training stands. If so configured,
    /// each ends with the weights of its best epoch.
    ///
    /// # Errors
    /// `Error::Training` if a net diverges, and what the device or the observer say.
    pub fn run(&mut self, observer: &mut dyn Observer) -> Result<End> {
        while !self.is_done() {
            let goes_on = self.epoch(observer)?;
            if goes_on.is_break() && !self.is_done() {
                return Ok(End::Interrupted);
            }
        }
        if self.config.reload_best {
            for net in &self.nets {
                net.reload_best(self.device, &self.memory);
            }
        }
        Ok(End::Completed)
    }

    fn is_done(&self) -> bool {
        self.progress.epoch > self.config.epochs || self.nets.iter().all(|net| net.stopped)
    }

    /// The epoch under way of the net under way, or what is left of it.
    fn epoch(&mut self, observer: &mut dyn Observer) -> Result<ControlFlow<()>> {
        if self.nets[self.progress.net].stopped {
            self.progress.turn(self.nets.len());
            return Ok(ControlFlow::Continue(()));
        }
        if self.train_steps(observer)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
        let Some(record) = self.score_epoch(observer)? else {
            // Whatever the observer says: an evaluation that was broken off is taken up by another run.
            let _ = self.halt(observer)?;
            return Ok(ControlFlow::Break(()));
        };
        let losses = self.losses()?;
        self.report_steps(&losses, observer)?;
        observer.epoch(&record)?;
        let step = self.bounds.unsound_step(self.steps_before(), &losses);
        if let Some(cause) = step.or_else(|| self.bounds.unsound_score(&record)) {
            return Err(self.divergence(&cause)?);
        }
        self.finish(record, observer)?;
        self.halt(observer)
    }

    /// The steps of the epoch that are left, unless the observer puts an end to them.
    fn train_steps(&mut self, observer: &mut dyn Observer) -> Result<ControlFlow<()>> {
        self.write_epoch();
        let (index, source) = (self.progress.net, self.train_source());
        observer.started(&EpochStart {
            net: self.nets[index].name(),
            epoch: self.progress.epoch,
            epochs: self.config.epochs,
            steps: source.steps(),
            batch_size: source.batch_size,
        });
        while self.progress.steps < source.steps() {
            let started = Instant::now();
            let order = || self.order(self.progress.epoch);
            let stream = self.streams.of(&self.memory, &source, order);
            let pass = self.nets[index].train.as_mut();
            let pass = pass.expect("there is a source to train on");
            let first = self.progress.steps;
            let mut progress = |steps| {
                let goes_on = observer.advanced(steps);
                match started.elapsed() < UNSEEN {
                    true => goes_on,
                    false => ControlFlow::Break(()),
                }
            };
            let done = pass.run(self.device, first, stream.as_ref(), &mut progress)?;
            self.progress.steps = done;
            self.progress.seconds += started.elapsed().as_secs_f64();
            if done < source.steps() {
                self.check_steps(observer)?;
                if self.halt(observer)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Writes what the steps of the epoch need: the order of the samples, the schedule, and where they begin.
    fn write_epoch(&mut self) {
        let (epoch, net) = (self.progress.epoch, &self.nets[self.progress.net]);
        let steps = self.train_source().steps();
        let (order, schedule) = (self.order(epoch), net.schedule(steps));
        let write = |label, bytes| self.memory.write_data(self.device, label, bytes);
        write("train.order", bytemuck::cast_slice(&order));
        write("train.schedule", bytemuck::cast_slice(&schedule));
        self.set_step("train", self.progress.steps, self.steps_before());
    }

    /// Hands the training to the observer where it stands still.
    fn halt(&mut self, observer: &mut dyn Observer) -> Result<ControlFlow<()>> {
        observer.halted(&Halt {
            progress: &self.progress,
            is_done: self.is_done(),
            state: &|| self.state(),
        })
    }

    /// The losses of the steps of the epoch so far.
    pub(super) fn losses(&self) -> Result<Vec<f32>> {
        let mut losses: Vec<f32> = self.memory.read_data(self.device, "train.losses")?;
        losses.truncate(self.progress.steps as usize);
        Ok(losses)
    }

    /// Refuses to go on after a step whose loss is not a number or beyond all bounds.
    fn check_steps(&self, observer: &mut dyn Observer) -> Result<()> {
        let losses = self.losses()?;
        let Some(cause) = self.bounds.unsound_step(self.steps_before(), &losses) else {
            return Ok(());
        };
        self.report_steps(&losses, observer)?;
        Err(self.divergence(&cause)?)
    }

    fn report_steps(&self, losses: &[f32], observer: &mut dyn Observer) -> Result<()> {
        let net = &self.nets[self.progress.net];
        for (step, &loss) in (self.steps_before() + 1..).zip(losses) {
            observer.step(&StepRecord {
                net: net.name().to_owned(),
                epoch: self.progress.epoch,
                step,
                loss,
                lr: net.course.lr() as f32,
            })?;
        }
        Ok(())
    }

    /// The record of the epoch, scored with the weights that it ended on; nothing if the observer broke that off.
    fn score_epoch(&mut self, observer: &mut dyn Observer) -> Result<Option<EpochRecord>> {
        let (index, source) = (self.progress.net, self.train_source());
        let scores = self.scores_unless(index, &mut || observer.scoring())?;
        let seconds = self.progress.seconds;
        let train_loss = mean_loss(&self.losses()?, &source);
        Ok(scores.map(|scores| EpochRecord {
            epoch: self.progress.epoch,
            lr: self.nets[index].course.lr(),
            train_loss,
            seconds,
            images_per_second: f64::from(source.count) / seconds,
            ..scores
        }))
    }

    /// Does what the score of the epoch calls for before the next: keeps or reloads weights, sets the learning rate, renews
    /// the optimiser, or stops the net.
    fn finish(&mut self, record: EpochRecord, observer: &mut dyn Observer) -> Result<()> {
        let (device, memory) = (self.device, &self.memory);
        let (index, steps) = (self.progress.net, self.train_source().steps());
        let values = memory.read_values(device, index)?;
        let net = &mut self.nets[index];
        if let Some(cause) = net.unsound_weights(&values) {
            return Err(net.divergence(record.epoch, &cause));
        }
        let verdict = net.judge(record.epoch, record.score(), steps, &self.config);
        observer.trained(&Trained {
            net: index,
            epoch: record.epoch,
            is_best: verdict.is_best,
            weights: &named_weights(&net.model().parameters, &values),
        })?;
        if verdict.is_best && self.config.reload_best {
            net.best.values = Some(values);
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
        self.progress.records.push(record);
        self.progress.turn(self.nets.len());
        Ok(())
    }

    /// The error of the net under way, whose loss says `cause`, and its weights perhaps where.
    fn divergence(&self, cause: &str) -> Result<Error> {
        let net = &self.nets[self.progress.net];
        let values = self.memory.read_values(self.device, net.index)?;
        let place = net.unsound_weights(&values);
        let place = place.map_or(String::new(), |place| format!(", and {place}"));
        Ok(net.divergence(self.progress.epoch, &format!("{cause}{place}")))
    }

    /// The same for all nets.
    pub(super) fn train_source(&self) -> Source {
        let source = self.nets.first().and_then(|net| net.sources.train);
        source.expect("there are epochs to train")
    }

    /// Steps of the epochs before this one.
    fn steps_before(&self) -> u64 {
        (self.progress.epoch as u64 - 1) * u64::from(self.train_source().steps())
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

    /// Sets the device's step state of a mode: seed, steps of the epoch, steps of the training.
    pub(super) fn set_step(&self, prefix: &str, in_epoch: u32, steps_before: u64) {
        let in_training = steps_before as u32 + in_epoch;
        let state = [device_seed(self.config.seed), in_epoch, in_training, 0];
        let label = format!("{prefix}.step");
        self.memory
            .write_data(self.device, &label, bytemuck::cast_slice(&state));
    }
}
