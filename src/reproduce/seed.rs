//! The run folder of one seed, under another name until it is trained to the end; and the state that it goes on from.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::conditions::differs;
use crate::checkpoint::{self, NamedTensor};
use crate::environment::Environment;
use crate::error::{Error, Result};
use crate::report::history::{History, read_toml};
use crate::report::metrics::{self, EpochRecord};
use crate::report::run_folder::RunFolder;
use crate::train::Trainer;

/// How much longer than writing its state a training goes on before it writes it again.
const PAUSE: u32 = 20;

/// The metadata entry with the number of epochs that a state is after.
const EPOCHS: &str = "epochs";

/// Where the run of a seed lies.
#[derive(Clone, Debug)]
pub struct SeedFolder {
    finished: PathBuf,
    unfinished: PathBuf,
}

/// A run that is to be trained to the end.
#[derive(Debug)]
pub struct UnfinishedSeed {
    /// Its folder, for the time being.
    pub run: RunFolder,
    finished: PathBuf,
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

    /// Begins the run, or goes on with it: then `trainer` is where it was, and the epochs so far are returned.
    ///
    /// # Errors
    /// `Error::File` if the folder cannot be used, does not hold what a run leaves, or holds a run in another environment.
    pub fn start(
        &self,
        trainer: &mut Trainer,
        environment: &Environment,
    ) -> Result<(UnfinishedSeed, Vec<EpochRecord>)> {
        let state = state_path(&self.unfinished);
        if !state.is_file() {
            self.clear()?;
            let run = RunFolder::create(&self.unfinished)?;
            return Ok((self.unfinished(run), Vec::new()));
        }
        let run = RunFolder::existing(&self.unfinished);
        check_environment(environment, &run.config())?;
        let records = resume(trainer, &run, &state)?;
        Ok((self.unfinished(run), records))
    }

    fn unfinished(&self, run: RunFolder) -> UnfinishedSeed {
        UnfinishedSeed {
            run,
            finished: self.finished.clone(),
        }
    }

    /// Removes a run that ended before there was a state to go on from.
    fn clear(&self) -> Result<()> {
        match self.unfinished.exists() {
            true => fs::remove_dir_all(&self.unfinished)
                .map_err(|error| cannot_change(&self.unfinished, &error)),
            false => Ok(()),
        }
    }
}

impl UnfinishedSeed {
    /// What keeps its state.
    pub fn states(&self) -> States {
        States {
            path: state_path(self.run.path()),
            written: Instant::now(),
            pause: Duration::ZERO,
        }
    }

    /// Gives the run its name.
    ///
    /// # Errors
    /// `Error::File` if that is not possible.
    pub fn finish(self) -> Result<()> {
        let state = state_path(self.run.path());
        if state.is_file() {
            fs::remove_file(&state).map_err(|error| cannot_change(&state, &error))?;
        }
        fs::rename(self.run.path(), &self.finished)
            .map_err(|error| cannot_change(&self.finished, &error))
    }
}

/// Writes the state of a training now and then.
#[derive(Debug)]
pub struct States {
    path: PathBuf,
    written: Instant,
    pause: Duration,
}

impl States {
    /// Writes the state after `epochs` epochs, unless the last was written so recently that it would cost too much time.
    ///
    /// # Errors
    /// What reading the state says, or `Error::File` if it cannot be written.
    pub fn offer(
        &mut self,
        epochs: usize,
        state: &dyn Fn() -> Result<Vec<NamedTensor>>,
    ) -> Result<()> {
        if self.written.elapsed() < self.pause {
            return Ok(());
        }
        let started = Instant::now();
        let metadata = BTreeMap::from([(EPOCHS.to_owned(), epochs.to_string())]);
        checkpoint::save(&self.path, &state()?, &metadata)?;
        self.pause = PAUSE * started.elapsed();
        self.written = Instant::now();
        Ok(())
    }
}

/// Refuses an environment other than that which the run's configuration tells.
fn check_environment(here: &Environment, config: &Path) -> Result<()> {
    let found = read_toml(config)?.remove("environment");
    let found = found.and_then(|found| found.try_into::<Environment>().ok());
    let found = found.ok_or_else(|| not_ours(config, "it tells no environment"))?;
    match here.difference(&found) {
        None => Ok(()),
        Some(difference) => Err(differs(config, &difference)),
    }
}

fn resume(trainer: &mut Trainer, run: &RunFolder, state: &Path) -> Result<Vec<EpochRecord>> {
    let epochs = checkpoint::metadata(state)?;
    let epochs = epochs.get(EPOCHS).and_then(|epochs| epochs.parse().ok());
    let epochs: usize = epochs.ok_or_else(|| not_ours(state, "it tells no number of epochs"))?;
    let tensors = checkpoint::load(state, &trainer.state_shapes())?;
    metrics::truncate(&run.metrics(), epochs)?;
    let records = History::read(&run.metrics())?.epochs;
    if !is_complete(&records, epochs) {
        return Err(not_ours(&run.metrics(), "epochs are missing"));
    }
    trainer.resume(tensors, &records);
    Ok(records)
}

/// Whether every net has its epochs in order, and one of them all.
fn is_complete(records: &[EpochRecord], epochs: usize) -> bool {
    let mut done: BTreeMap<&str, usize> = BTreeMap::new();
    for record in records {
        let net = done.entry(&record.net).or_default();
        *net += 1;
        if record.epoch != *net {
            return false;
        }
    }
    done.values().max() == Some(&epochs)
}

fn state_path(folder: &Path) -> PathBuf {
    folder.join("state.safetensors")
}

fn not_ours(path: &Path, what: &str) -> Error {
    Error::file(
        path,
        format!("is not what an interrupted run leaves: {what}"),
        "remove its folder to train this seed anew",
    )
}

fn cannot_change(path: &Path, error: &std::io::Error) -> Error {
    Error::file(
        path,
        format!("cannot be replaced: {error}"),
        "check that the folder may be written to",
    )
}

#[cfg(test)]
mod tests {
    use super::super::conditions::tests::conditions;
    use super::*;

    fn records(epochs: &[(&str, usize)]) -> Vec<EpochRecord> {
        let record = |&(net, epoch): &(&str, usize)| {
            let line = format!(r#"{{"net":"{net}","epoch":{epoch}}}"#);
            serde_json::from_str(&line).unwrap()
        };
        epochs.iter().map(record).collect()
    }

    #[test]
    fn a_history_without_gaps_is_complete() {
        let whole = records(&[("a", 1), ("b", 1), ("a", 2)]);
        assert!(is_complete(&whole, 2));
        assert!(!is_complete(&whole, 3));
        assert!(!is_complete(&records(&[("a", 2)]), 2));
        assert!(!is_complete(&[], 1));
    }

    #[test]
    fn a_run_goes_on_in_its_own_environment_only() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("config.toml");
        let here = conditions().environment;
        let written = toml::to_string(&here).unwrap();
        fs::write(&config, format!("seed = 1\n[environment]\n{written}")).unwrap();
        check_environment(&here, &config).unwrap();
        let other = Environment {
            checks: "checked".to_owned(),
            ..here.clone()
        };
        let error = check_environment(&other, &config).unwrap_err().to_string();
        assert!(
            error.contains("has checks = \"trusted\", and here it is \"checked\""),
            "{error}"
        );
        fs::write(&config, "seed = 1\n").unwrap();
        let error = check_environment(&here, &config).unwrap_err().to_string();
        assert!(error.contains("tells no environment"), "{error}");
    }

    #[test]
    fn states_are_written_only_as_often_as_they_are_cheap() {
        let folder = tempfile::tempdir().unwrap();
        let mut states = States {
            path: state_path(folder.path()),
            written: Instant::now(),
            pause: Duration::ZERO,
        };
        let tensor = NamedTensor {
            name: "spinal.parameters".into(),
            shape: vec![1],
            values: vec![0.5],
        };
        let state = || Ok(vec![tensor.clone()]);
        states.offer(3, &state).unwrap();
        let path = state_path(folder.path());
        let epochs = || checkpoint::metadata(&path).unwrap()[EPOCHS].clone();
        assert_eq!(epochs(), "3");
        states.pause = Duration::from_secs(3600);
        states.offer(4, &state).unwrap();
        assert_eq!(epochs(), "3");
    }
}
