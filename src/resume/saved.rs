//! The checkpoint of a run: `checkpoint.safetensors`.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::conditions::Conditions;
use super::config_file::config_difference;
use crate::checkpoint;
use crate::error::{Error, Result};
use crate::report::metrics::Mark;
use crate::train::{Config, Progress, State, Trainer};

/// What a checkpoint says besides the tensors, each an entry of its metadata.
#[derive(Clone, Debug)]
pub struct Saved {
    /// The configuration of the training.
    pub config: Config,
    /// What it was trained on and with.
    pub conditions: Conditions,
    /// Where it stood.
    pub progress: Progress,
    /// How far `metrics.jsonl` was written.
    pub metrics: Mark,
}

impl Saved {
    /// Reads all but the tensors; nothing where there is no file.
    ///
    /// # Errors
    /// `Error::File` if the file cannot be read, is damaged, or is not a checkpoint.
    pub fn read(path: &Path) -> Result<Option<Self>> {
        if !path.try_exists().unwrap_or(true) {
            return Ok(None);
        }
        let entries = checkpoint::metadata(path)?;
        Ok(Some(Self {
            config: entry(path, &entries, "config")?,
            conditions: entry(path, &entries, "conditions")?,
            progress: entry(path, &entries, "progress")?,
            metrics: entry(path, &entries, "metrics")?,
        }))
    }

    /// Writes the file with the tensors of a state; an old one is replaced only by a whole new one.
    ///
    /// # Errors
    /// `Error::File` if that is not possible.
    pub fn write(&self, path: &Path, state: &State) -> Result<()> {
        let entries = BTreeMap::from([
            ("config".to_owned(), json(&self.config)),
            ("conditions".to_owned(), json(&self.conditions)),
            ("progress".to_owned(), json(&self.progress)),
            ("metrics".to_owned(), json(&self.metrics)),
        ]);
        checkpoint::save(path, &state.tensors, &entries)
    }

    /// Refuses a configuration other than that of the training, but for the number of epochs, which may be raised.
    ///
    /// # Errors
    /// `Error::File`, with what is another.
    pub fn check(&self, here: &Config, path: &Path) -> Result<()> {
        let fewer = format!(
            "epochs = {}, expected at most {}",
            self.config.epochs, here.epochs
        );
        let difference = config_difference(&self.config, here);
        match difference.or((self.config.epochs > here.epochs).then_some(fewer)) {
            None => Ok(()),
            Some(difference) => Err(not_ours(path, &difference)),
        }
    }

    /// Lets a training go on from the tensors of the file.
    ///
    /// # Errors
    /// `Error::File` if they are not those of such a training.
    pub fn resume(&self, path: &Path, trainer: &mut Trainer) -> Result<()> {
        let tensors = checkpoint::load(path, &trainer.state_shapes(&self.progress))?;
        let state = State {
            progress: self.progress.clone(),
            tensors,
        };
        let resumed = trainer.resume(state);
        resumed.map_err(|what| not_ours(path, &what))
    }
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("our own records are valid JSON")
}

fn entry<T: DeserializeOwned>(
    path: &Path,
    entries: &BTreeMap<String, String>,
    name: &str,
) -> Result<T> {
    let text = entries.get(name);
    let text = text.ok_or_else(|| not_ours(path, &format!("it has no entry {name}")))?;
    serde_json::from_str(text).map_err(|error| not_ours(path, &format!("{name}: {error}")))
}

fn not_ours(path: &Path, what: &str) -> Error {
    Error::file(
        path,
        format!("is not a checkpoint of this training: {what}"),
        "put the files of the run back as it left them, or train anew in another folder",
    )
}
