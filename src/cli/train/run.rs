//! A training in its run folder, from the start or from where it was stopped, to its end or until it is stopped again.

use super::files::{WeightsFile, write_curves};
use super::recorder::Recorder;
use crate::cli::interruption::Interruption;
use crate::cli::output::note;
use crate::error::{Error, Result};
use crate::report::atomic_file;
use crate::report::metrics::{EpochRecord, Metrics};
use crate::report::run_folder::RunFolder;
use crate::resume::rhythm::Metronome;
use crate::resume::{Conditions, ConfigFile, Rhythm, Saved};
use crate::train::{Config, End, Trainer};

/// The training. Nobody else may be working in its folder.
pub struct Run<'a> {
    /// Its folder.
    pub folder: &'a RunFolder,
    /// Its configuration, as `config.toml` is to have it from now on.
    pub file: ConfigFile,
    /// What it is trained on and with.
    pub conditions: Conditions,
    /// How often it is saved.
    pub rhythm: Rhythm,
    /// What puts an end to it.
    pub interruption: &'a Interruption,
    /// The command that goes on with it.
    pub command: &'a str,
}

impl Run<'_> {
    /// Trains, from where `saved` says if there is something saved. Returns how it ended, and all its epochs; without any, the
    /// scores of the initial weights.
    ///
    /// # Errors
    /// `Error::File` if the folder cannot be written, or is not as the run left it; and what the training says. Then the
    /// checkpoint is whole, and the hint says how to go on with it.
    pub fn train(
        &self,
        trainer: &mut Trainer,
        saved: Option<Saved>,
    ) -> Result<(End, Vec<EpochRecord>)> {
        let mut recorder = self.recorder(trainer, saved)?;
        if self.config().epochs == 0 {
            return Ok((End::Completed, self.without_epochs(trainer, recorder)?));
        }
        let end = trainer.run(&mut recorder);
        let end = end.map_err(|error| self.with_way_on(error, recorder.saved.as_deref()))?;
        if end == End::Interrupted {
            self.write_unfinished(trainer, &recorder)?;
        } else if self.config().reload_best {
            for index in 0..self.config().nets.len() {
                self.write_weights(trainer, index, &recorder)?;
            }
        }
        let records = trainer.progress().records.clone();
        write_curves(self.folder, self.config(), &records)?;
        Ok((end, records))
    }

    fn config(&self) -> &Config {
        &self.file.config
    }

    fn recorder(&self, trainer: &mut Trainer, saved: Option<Saved>) -> Result<Recorder<'_>> {
        let folder = self.folder;
        atomic_file::remove_partials(folder.path())?;
        let metrics = match &saved {
            Some(saved) => {
                saved.resume(&folder.checkpoint(), trainer)?;
                let (folder, place) = (folder.path().display(), saved.progress.describe());
                note(format!("going on in {folder}, {place}"));
                Metrics::go_on(&self.folder.metrics(), &saved.metrics)?
            }
            None => Metrics::create(&folder.metrics())?,
        };
        self.file.write(&folder.config())?;
        let weights = (0..self.config().nets.len()).map(|index| WeightsFile {
            metadata: trainer.metadata(index),
            seed: self.config().seed,
        });
        Ok(Recorder {
            folder,
            config: self.config(),
            conditions: &self.conditions,
            metrics,
            weights: weights.collect(),
            interruption: self.interruption,
            metronome: Metronome::new(self.rhythm),
            saved: saved.map(|saved| saved.progress.describe()),
            line: None,
        })
    }

    /// Scores the initial weights, and writes them.
    fn without_epochs(
        &self,
        trainer: &mut Trainer,
        mut recorder: Recorder,
    ) -> Result<Vec<EpochRecord>> {
        let mut records = Vec::new();
        for index in 0..self.config().nets.len() {
            let record = trainer.scores(index)?;
            recorder.metrics.epoch(&record)?;
            self.write_weights(trainer, index, &recorder)?;
            records.push(record);
        }
        write_curves(self.folder, self.config(), &[])?;
        Ok(records)
    }

    /// Writes the weights of the net that was stopped in its first epoch, which has no others.
    fn write_unfinished(&self, trainer: &Trainer, recorder: &Recorder) -> Result<()> {
        let progress = trainer.progress();
        match (progress.epoch, progress.steps) {
            (1, steps) if steps > 0 => self.write_weights(trainer, progress.net, recorder),
            _ => Ok(()),
        }
    }

    /// Writes the weights of a net as they are on the device.
    fn write_weights(&self, trainer: &Trainer, index: usize, recorder: &Recorder) -> Result<()> {
        let net = &self.config().nets[index];
        let records = trainer.progress().records.iter();
        let epochs = records.filter(|record| record.net == *net).count();
        let weights = trainer.weights(index)?;
        recorder.weights[index].write(&self.folder.weights(net), &weights, epochs)
    }

    /// The error with what is left of the training in its hint.
    fn with_way_on(&self, mut error: Error, saved: Option<&str>) -> Error {
        let Some(place) = saved else { return error };
        let path = self.folder.checkpoint();
        match &mut error {
            Error::Training { hint, .. } => {
                hint.push_str(&format!(
                    "; the last checkpoint is {}, {place}",
                    path.display()
                ));
            }
            Error::File { hint, .. } | Error::Adapter { hint, .. } => {
                hint.push_str(&format!("; then go on {place} with: {}", self.command));
            }
            Error::Usage { .. } | Error::Interrupted { .. } => {}
        }
        error
    }
}
