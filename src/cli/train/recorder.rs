//! What a run leaves on disk and shows while it goes on.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Instant;

use super::files::WeightsFile;
use crate::cli::interruption::Interruption;
use crate::cli::output::note;
use crate::error::Result;
use crate::report::metrics::{EpochRecord, Metrics, StepRecord};
use crate::report::progress::Progress as Line;
use crate::report::run_folder::RunFolder;
use crate::resume::rhythm::Metronome;
use crate::resume::{Conditions, Saved};
use crate::train::{Config, EpochStart, Halt, Observer, Trained};

/// Writes the run to disk and shows it while it goes on.
pub struct Recorder<'a> {
    /// The run.
    pub folder: &'a RunFolder,
    /// What is trained, on what and with.
    pub config: &'a Config,
    /// What else the checkpoint says of that.
    pub conditions: &'a Conditions,
    /// Its `metrics.jsonl`.
    pub metrics: Metrics,
    /// What the files of the weights of every net say.
    pub weights: Vec<WeightsFile>,
    /// What puts an end to it.
    pub interruption: &'a Interruption,
    /// When it is saved.
    pub metronome: Metronome,
    /// Where the training stood when it was saved last.
    pub saved: Option<String>,
    /// The line of the epoch under way.
    pub line: Option<Line>,
}

impl Recorder<'_> {
    /// Writes the checkpoint, and before it what it counts on.
    fn save(&mut self, halt: &Halt) -> Result<()> {
        let since = Instant::now();
        let state = (halt.state)()?;
        let saved = Saved {
            config: self.config.clone(),
            conditions: self.conditions.clone(),
            progress: state.progress.clone(),
            metrics: self.metrics.sync()?,
        };
        saved.write(&self.folder.checkpoint(), &state)?;
        self.saved = Some(state.progress.describe());
        self.metronome.saved(since);
        Ok(())
    }

    fn is_due(&self, halt: &Halt) -> bool {
        let progress = halt.progress;
        let is_epoch = progress.net == 0 && progress.steps == 0;
        let is_due = match is_epoch {
            true => self.metronome.is_epoch(progress.epoch - 1),
            false => self.metronome.is_time(),
        };
        is_due || halt.is_done || self.interruption.is_wished()
    }
}

impl Observer for Recorder<'_> {
    fn started(&mut self, epoch: &EpochStart) {
        let line = Line::epoch(epoch.net, epoch.epoch, epoch.epochs, epoch.steps.into());
        self.line = Some(line.batch_size(epoch.batch_size.into()));
    }

    fn advanced(&mut self, steps: u32) -> ControlFlow<()> {
        if let Some(line) = &self.line {
            line.advance_to(steps.into());
        }
        match self.metronome.is_time() {
            true => ControlFlow::Break(()),
            false => self.scoring(),
        }
    }

    fn scoring(&mut self) -> ControlFlow<()> {
        match self.interruption.is_wished() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }

    fn halted(&mut self, halt: &Halt) -> Result<ControlFlow<()>> {
        if self.is_due(halt) {
            self.save(halt)?;
        }
        let goes_on = self.scoring();
        if goes_on.is_break() {
            self.line = None;
        }
        Ok(goes_on)
    }

    fn step(&mut self, record: &StepRecord) -> Result<()> {
        self.metrics.step(record)
    }

    fn epoch(&mut self, record: &EpochRecord) -> Result<()> {
        self.metrics.epoch(record)?;
        if let Some(line) = self.line.take() {
            line.finish(record);
        }
        Ok(())
    }

    fn trained(&mut self, trained: &Trained) -> Result<()> {
        let net = &self.config.nets[trained.net];
        let file = &self.weights[trained.net];
        let write = |path: PathBuf| file.write(&path, trained.weights, trained.epoch);
        write(self.folder.weights(net))?;
        match trained.is_best {
            true => write(self.folder.best_weights(net)),
            false => Ok(()),
        }
    }

    fn stopped(&mut self, net: &str, epoch: usize) {
        note(format!(
            "{net}: stopped after epoch {epoch}, as it got no better"
        ));
    }
}
