//! The run folder of one seed, under another name until it is trained to the end.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::report::run_folder::RunFolder;
use crate::resume::{Conditions, ConfigFile, Lock, Saved};
use crate::train::Config;

/// What to do about a run that cannot go on.
const HINT: &str = "go on with the same program, device, flags and files, or remove the folder to train this seed anew";

/// Where the run of a seed lies.
#[derive(Clone, Debug)]
pub struct SeedFolder {
    finished: PathBuf,
    unfinished: PathBuf,
}

/// A run that is to be trained to the end, and that nobody else works on.
#[derive(Debug)]
pub struct UnfinishedSeed {
    /// Its folder, for the time being.
    pub run: RunFolder,
    /// What it goes on from; nothing if it begins.
    pub saved: Option<Saved>,
    finished: PathBuf,
    _lock: Lock,
}

impl SeedFolder {
    pub(super) fn new(finished: PathBuf) -> Self {
        let mut name = OsString::from(finished.file_name().unwrap_or_default());
        name.push(".unfinished");
        Self {
            unfinished: finished.with_file_name(name),
            finished,
        }
    }

    /// Whether it is trained to the end.
    pub fn is_finished(&self) -> bool {
        self.finished.is_dir()
    }

    /// The run folder once it is.
    pub fn finished(&self) -> &Path {
        &self.finished
    }

    /// The run folder until then.
    pub fn unfinished(&self) -> &Path {
        &self.unfinished
    }

    /// Whether another process is working on it.
    pub fn is_taken(&self) -> bool {
        self.unfinished.is_dir() && Lock::try_of(&self.unfinished).is_none()
    }

    /// Begins the run, or takes it up where it was stopped; nothing if another process works on it, or has finished it by now.
    ///
    /// # Errors
    /// `Error::File` if the folder cannot be used, does not hold what a run of `config` leaves, or holds one under other
    /// conditions.
    pub fn start(&self, config: &Config, here: &Conditions) -> Result<Option<UnfinishedSeed>> {
        if !self.unfinished.is_dir() {
            RunFolder::create(&self.unfinished)?;
        }
        let Some(lock) = Lock::try_of(&self.unfinished) else {
            return Ok(None);
        };
        if self.is_finished() {
            // Its folder was renamed, and the new one is empty.
            let _ = fs::remove_dir(&self.unfinished);
            return Ok(None);
        }
        let run = RunFolder::existing(&self.unfinished);
        let saved = Saved::read(&run.checkpoint())?;
        match &saved {
            Some(saved) => check(saved, &run, config, here)?,
            None => clear(run.path()).map_err(|error| cannot_change(run.path(), &error))?,
        }
        Ok(Some(UnfinishedSeed {
            run,
            saved,
            finished: self.finished.clone(),
            _lock: lock,
        }))
    }
}

/// Refuses a run that is not of `config`, or that does not go on here.
fn check(saved: &Saved, run: &RunFolder, config: &Config, here: &Conditions) -> Result<()> {
    let path = run.checkpoint();
    let file = ConfigFile::read(&run.config())?;
    saved.check(&file.config, &run.config())?;
    saved.check(config, &path)?;
    here.check(&saved.conditions, &path, HINT)
}

/// Removes what a run left that ended before there was a checkpoint. The folder itself, which is locked, stays.
fn clear(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        fs::remove_file(entry?.path())?;
    }
    Ok(())
}

impl UnfinishedSeed {
    /// Gives the run its name.
    ///
    /// # Errors
    /// `Error::File` if that is not possible.
    pub fn finish(self) -> Result<()> {
        let checkpoint = self.run.checkpoint();
        fs::remove_file(&checkpoint).map_err(|error| cannot_change(&checkpoint, &error))?;
        fs::rename(self.run.path(), &self.finished)
            .map_err(|error| cannot_change(&self.finished, &error))
    }
}

fn cannot_change(path: &Path, error: &io::Error) -> Error {
    Error::file(
        path,
        format!("cannot be replaced: {error}"),
        "check that the folder may be written to",
    )
}
