//! What a training begins with, or goes on from.

use std::path::Path;

use super::Train;
use crate::cli::device::DeviceFlags;
use crate::cli::output::note;
use crate::error::{Error, Result};
use crate::report::run_folder::RunFolder;
use crate::resume::{Change, Conditions, ConfigFile, Lock, Saved};
use crate::train::{Config, Progress, Rule};

/// The start of a training.
pub struct Start {
    /// Its configuration.
    pub config: Config,
    /// The device that it is trained on.
    pub device: DeviceFlags,
    /// The run that it goes on with.
    pub run: Option<StoppedRun>,
}

/// A run that was stopped.
pub struct StoppedRun {
    /// Its folder, where nobody else works any more.
    pub folder: RunFolder,
    /// What keeps others out.
    pub _lock: Lock,
    /// What it goes on from; nothing if it was stopped before there was something.
    pub saved: Option<Saved>,
    /// What has become otherwise, and does now.
    pub history: Vec<Change>,
}

impl Start {
    /// A training with this configuration.
    pub fn fresh(config: Config, flags: &Train) -> Self {
        Self {
            config,
            device: flags.device.clone(),
            run: None,
        }
    }

    /// The run in a folder, perhaps with more epochs.
    ///
    /// # Errors
    /// `Error::File` if another process works in the folder, or if it is not as a run left it; `Error::Usage` if the run has
    /// more epochs than are asked for.
    pub fn stopped(path: &Path, flags: &Train) -> Result<Self> {
        let folder = RunFolder::existing(path);
        let lock = Lock::of(path)?;
        let ConfigFile {
            mut config,
            environment,
            mut history,
        } = ConfigFile::read(&folder.config())?;
        let saved = Saved::read(&folder.checkpoint())?;
        if let Some(saved) = &saved {
            saved.check(&config, &folder.config())?;
        }
        let epochs = flags.training.length.apply(&config, config.epochs)?;
        if epochs < config.epochs {
            return Err(Error::usage(
                format!("--epochs {epochs}: the run has {} already", config.epochs),
                "use more, or leave it out",
            ));
        }
        if epochs > config.epochs {
            let what = format!("epochs = {}, and from here on {epochs}", config.epochs);
            let new = Progress::new();
            let progress = saved.as_ref().map_or(&new, |saved| &saved.progress);
            history.push(Change::new(progress, what));
            if config.schedule.rule == Rule::Cosine && config.schedule.phases.is_none() {
                note(
                    "note: the cosine spans all epochs from here on; the ones so far had the rates of a shorter one",
                );
            }
            config.epochs = epochs;
        }
        let known = saved
            .as_ref()
            .map_or(&environment, |saved| &saved.conditions.environment);
        let device = match flags.resume_anyway {
            true => flags.device.or_mode(known),
            false => flags.device.or(known),
        };
        Ok(Self {
            config,
            device,
            run: Some(StoppedRun {
                folder,
                _lock: lock,
                saved,
                history,
            }),
        })
    }
}

impl StoppedRun {
    /// Refuses to go on under other conditions, or writes down that it does `anyway`.
    ///
    /// # Errors
    /// `Error::File`, which names the first difference.
    pub fn check(&mut self, here: &Conditions, anyway: bool) -> Result<()> {
        let Some(saved) = &self.saved else {
            return Ok(());
        };
        let (found, path) = (&saved.conditions, self.folder.checkpoint());
        here.check_files(
            found,
            &path,
            "go on with the same files, or train anew in another folder",
        )?;
        if let (true, Some(difference)) = (anyway, here.difference(found)) {
            note(format!(
                "note: going on otherwise, not bit for bit: it had {difference}"
            ));
            self.history.push(Change::new(&saved.progress, difference));
            return Ok(());
        }
        here.check(
            found,
            &path,
            "go on with the same program and device, or add --resume-anyway",
        )
    }
}
