//! What a run folder tells when it is read again.

use std::collections::HashMap;
use std::path::Path;

use serde::Deserialize;

use super::metrics::{EpochRecord, StepRecord};
use crate::error::{Error, Result};
use crate::file;

/// The records of a run's `metrics.jsonl`.
#[derive(Debug, Default)]
pub struct History {
    /// Of every net, in the order of the file.
    pub epochs: Vec<EpochRecord>,
    /// The loss of the last step of each net in each epoch.
    last_losses: HashMap<(String, usize), f32>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Record {
    Step(StepRecord),
    Epoch(EpochRecord),
}

impl History {
    /// Reads `metrics.jsonl`. Of a run that goes on, or that was killed, the last line may be torn: that is left out.
    ///
    /// # Errors
    /// `Error::File` if the file is missing, or another line is not what a run writes.
    pub fn read(path: &Path) -> Result<Self> {
        let mut history = Self::default();
        let text = read(path)?;
        let mut lines = text.lines().enumerate().peekable();
        while let Some((number, line)) = lines.next() {
            let record = match serde_json::from_str(line) {
                Ok(record) => record,
                Err(_) if lines.peek().is_none() && !text.ends_with('\n') => break,
                Err(error) => {
                    return Err(unreadable(path, &format!("line {}: {error}", number + 1)));
                }
            };
            match record {
                Record::Step(step) => {
                    let key = (step.net, step.epoch);
                    history.last_losses.insert(key, step.loss);
                }
                Record::Epoch(epoch) => history.epochs.push(epoch),
            }
        }
        Ok(history)
    }

    /// The epochs of a net.
    pub fn of_net(&self, net: &str) -> Vec<EpochRecord> {
        EpochRecord::of_net(&self.epochs, net)
    }

    /// The training loss of a net on the last batch of an epoch.
    pub fn last_loss(&self, net: &str, epoch: usize) -> Option<f64> {
        let loss = self.last_losses.get(&(net.to_owned(), epoch));
        loss.map(|&loss| loss.into())
    }
}

/// Reads a TOML file of ours.
///
/// # Errors
/// `Error::File` if the file is missing or not TOML.
pub fn read_toml(path: &Path) -> Result<toml::Table> {
    read(path)?
        .parse()
        .map_err(|error| unreadable(path, &error))
}

fn read(path: &Path) -> Result<String> {
    file::read_text(path, HINT)
}

/// What to do about a file that is not as a run left it.
pub(super) const HINT: &str =
    "give folders that `spinal train --out` or `spinal reproduce` wrote, with all their files";

/// The error of such a file.
pub(super) fn unreadable(path: &Path, problem: &dyn std::fmt::Display) -> Error {
    let problem = problem.to_string();
    let line = problem.lines().next().unwrap_or_default();
    Error::file(path, format!("cannot be read: {line}"), HINT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(text: &str) -> Result<History> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        std::fs::write(&path, text).unwrap();
        History::read(&path)
    }

    #[test]
    fn records_come_back_bit_for_bit() {
        let record = EpochRecord {
            net: "spinal".into(),
            epoch: 1,
            lr: 0.1 + 0.2,
            train_loss: f64::NAN,
            validation_loss: None,
            validation_accuracy: Some(1.0 / 3.0),
            test_loss: 5e-324,
            test_accuracy: Some(0.943_499_999_999_999_9),
            seconds: 1.5,
            images_per_second: f64::INFINITY,
        };
        let read = history(&serde_json::to_string(&record).unwrap()).unwrap();
        let [found] = &read.epochs[..] else {
            panic!("{read:?}");
        };
        assert!(found.train_loss.is_nan() && found.images_per_second.is_nan());
        let finite = |record: &EpochRecord| EpochRecord {
            train_loss: 0.0,
            images_per_second: 0.0,
            ..record.clone()
        };
        assert_eq!(finite(found), finite(&record));
    }

    #[test]
    fn the_last_step_of_an_epoch_counts() {
        let step = |net, epoch, step, loss| {
            format!(r#"{{"net":"{net}","epoch":{epoch},"step":{step},"loss":{loss},"lr":0.01}}"#)
        };
        let lines = [
            step("spinal", 1, 1, "0.5"),
            step("spinal", 1, 2, "0.25"),
            step("baseline", 1, 2, "0.75"),
            step("spinal", 2, 3, "null"),
        ];
        let read = history(&lines.join("\n")).unwrap();
        assert_eq!(read.last_loss("spinal", 1), Some(0.25));
        assert_eq!(read.last_loss("baseline", 1), Some(0.75));
        assert!(read.last_loss("spinal", 2).unwrap().is_nan());
        assert_eq!(read.last_loss("spinal", 3), None);
    }

    #[test]
    fn a_torn_last_line_is_left_out_and_any_other_refused_by_its_number() {
        let whole = "{\"net\":\"spinal\",\"epoch\":1}\n";
        let torn = "{\"net\":\"spi";
        let read = history(&format!("{whole}{torn}")).unwrap();
        assert_eq!(read.epochs.len(), 1);
        assert_eq!(history(torn).unwrap().epochs, []);
        let error = history(&format!("{whole}{torn}\n{whole}")).unwrap_err();
        assert!(error.to_string().contains("line 2"), "{error}");
    }
}
