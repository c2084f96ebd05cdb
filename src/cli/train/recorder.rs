//! What a run leaves on disk while it goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::cli::output::note;
use crate::error::Result;
use crate::report::metrics::{EpochRecord, Metrics, StepRecord};
use crate::report::run_folder::RunFolder;
use crate::train::Observer;

/// Writes the run to disk while it goes on.
pub struct Recorder {
    metrics: Metrics,
    /// The epochs so far, of all nets.
    pub epochs: Vec<EpochRecord>,
    interrupted: Arc<AtomicBool>,
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
        })
    }

    /// Writes the evaluation of initial weights.
    pub fn initial(&mut self, record: &EpochRecord) -> Result<()> {
        self.metrics.epoch(record)
    }
}

impl Observer for Recorder {
    fn step(&mut self, record: &StepRecord) -> Result<()> {
        self.metrics.step(record)
    }

    fn epoch(&mut self, record: &EpochRecord) -> Result<()> {
        self.epochs.push(record.clone());
        self.metrics.epoch(record)
    }

    fn interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }
}
