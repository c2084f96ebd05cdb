//! What a run leaves on disk and shows while it goes on.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::cli::output::note;
use crate::error::Result;
use crate::report::metrics::{EpochRecord, Metrics, StepRecord};
use crate::report::progress::Progress;
use crate::report::run_folder::RunFolder;
use crate::train::{EpochStart, Observer};

/// Writes the run to disk and shows it while it goes on.
pub struct Recorder {
    metrics: Metrics,
    /// The epochs so far, of all nets.
    pub epochs: Vec<EpochRecord>,
    interrupted: Arc<AtomicBool>,
    progress: Option<Progress>,
}

impl Recorder {
    /// Opens `metrics.jsonl`, and takes Ctrl-C for the wish to stop.
    pub fn new(folder: &RunFolder) -> Result<Self> {
        let interrupted = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&interrupted);
        let caught = ctrlc::set_handler(move || flag.store(true, Ordering::Relaxed));
        if let Err(error) = caught {
            note(format!(
                "note: Ctrl-C will end the run without saving: {error}"
            ));
        }
        Ok(Self {
            metrics: Metrics::open(&folder.metrics())?,
            epochs: Vec::new(),
            interrupted,
            progress: None,
        })
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
        if self.interrupted.load(Ordering::Relaxed) {
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

    fn stopped(&mut self, net: &str, epoch: usize) {
        note(format!(
            "{net}: stopped after epoch {epoch}, as it got no better"
        ));
    }
}
