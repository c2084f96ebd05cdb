//! What a run leaves on disk and shows while it goes on.

use std::ops::ControlFlow;

use crate::checkpoint::NamedTensor;
use crate::cli::interruption::Interruption;
use crate::cli::output::note;
use crate::error::Result;
use crate::report::metrics::{EpochRecord, Metrics, StepRecord};
use crate::report::progress::Progress;
use crate::report::run_folder::RunFolder;
use crate::reproduce::seed::States;
use crate::train::{EpochStart, Observer};

/// Writes the run to disk and shows it while it goes on.
pub struct Recorder {
    metrics: Metrics,
    /// The epochs so far, of all nets.
    pub epochs: Vec<EpochRecord>,
    interruption: Interruption,
    progress: Option<Progress>,
    states: Option<States>,
}

impl Recorder {
    /// Opens `metrics.jsonl` of a run, to which Ctrl-C puts an end.
    pub fn new(folder: &RunFolder, interruption: Interruption) -> Result<Self> {
        Ok(Self {
            metrics: Metrics::open(&folder.metrics())?,
            epochs: Vec::new(),
            interruption,
            progress: None,
            states: None,
        })
    }

    /// Goes on after these epochs, and keeps the state from which the run can go on later.
    pub fn going_on(self, epochs: Vec<EpochRecord>, states: States) -> Self {
        Self {
            epochs,
            states: Some(states),
            ..self
        }
    }

    /// Writes the evaluation of initial weights.
    pub fn initial(&mut self, record: &EpochRecord) -> Result<()> {
        self.metrics.epoch(record)
    }
}

impl Observer for Recorder {
    fn started(&mut self, epoch: &EpochStart) {
        let progress = Progress::epoch(epoch.net, epoch.epoch, epoch.epochs, epoch.steps.into());
        self.progress = Some(progress.batch_size(epoch.batch_size.into()));
    }

    fn advanced(&mut self, steps: u32) -> ControlFlow<()> {
        if let Some(progress) = &self.progress {
            progress.advance_to(steps.into());
        }
        if self.interruption.is_wished() {
            self.progress = None;
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }

    fn step(&mut self, record: &StepRecord) -> Result<()> {
        self.metrics.step(record)
    }

    fn epoch(&mut self, record: &EpochRecord) -> Result<()> {
        self.epochs.push(record.clone());
        self.metrics.epoch(record)?;
        if let Some(progress) = self.progress.take() {
            progress.finish(record);
        }
        Ok(())
    }

    fn epochs_done(
        &mut self,
        epoch: usize,
        state: &dyn Fn() -> Result<Vec<NamedTensor>>,
    ) -> Result<()> {
        match &mut self.states {
            Some(states) => states.offer(epoch, state),
            None => Ok(()),
        }
    }

    fn stopped(&mut self, net: &str, epoch: usize) {
        note(format!(
            "{net}: stopped after epoch {epoch}, as it got no better"
        ));
    }
}
