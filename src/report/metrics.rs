//! `metrics.jsonl`: one JSON object a line, for every step and every epoch of every net.
//!
//! JSON has no NaN or infinity; such a number is written as `null`.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, Serialize};
use sha2::Sha256;
use sha2::digest::Digest;

use super::history::HINT;
use crate::data::digest::hex;
use crate::error::{Error, Result};
use crate::file;

/// One optimisation step: `{"net":"spinal","epoch":1,"step":17,"loss":2.3026,"lr":0.01}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepRecord {
    /// The net of the experiment: `spinal` or `baseline`.
    pub net: String,
    /// The epoch, from 1.
    pub epoch: usize,
    /// The step, counted from the first of the run.
    pub step: u64,
    /// Mean loss over the batch.
    #[serde(deserialize_with = "nan_if_null")]
    pub loss: f32,
    /// Learning rate of this step.
    #[serde(deserialize_with = "nan_if_null")]
    pub lr: f32,
}

/// One epoch: the training loss met on the way, then the whole test set with the weights it ended on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// The net of the experiment: `spinal` or `baseline`.
    pub net: String,
    /// The epoch, from 1; 0 is the evaluation of the initial weights.
    pub epoch: usize,
    /// The learning rate; NaN where nothing was trained.
    #[serde(default = "nan", deserialize_with = "nan_if_null")]
    pub lr: f64,
    /// Mean loss over the training examples of the epoch; NaN where nothing was trained.
    #[serde(default = "nan", deserialize_with = "nan_if_null")]
    pub train_loss: f64,
    /// Mean loss over the held-out training examples, where there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation_loss: Option<f64>,
    /// Fraction of them classified correctly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation_accuracy: Option<f64>,
    /// Mean loss over the test set.
    #[serde(default = "nan", deserialize_with = "nan_if_null")]
    pub test_loss: f64,
    /// Fraction of the test set classified correctly, 0 to 1; none for regression.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_accuracy: Option<f64>,
    /// Wall-clock time of the epoch's training, in seconds.
    #[serde(default = "nan", deserialize_with = "nan_if_null")]
    pub seconds: f64,
    /// Training examples per second.
    #[serde(default = "nan", deserialize_with = "nan_if_null")]
    pub images_per_second: f64,
}

fn nan() -> f64 {
    f64::NAN
}

fn nan_if_null<'de, D: Deserializer<'de>, F: Deserialize<'de> + From<f32>>(
    deserializer: D,
) -> std::result::Result<F, D::Error> {
    let number: Option<F> = Deserialize::deserialize(deserializer)?;
    Ok(number.unwrap_or_else(|| f32::NAN.into()))
}

/// A mean loss from which on a training counts as diverged: the squares of such gradients no longer fit an f32. It is that
/// generous because running statistics that have seen a few batches only may give anything.
pub const DIVERGED: f64 = 1e30;

impl EpochRecord {
    /// Whether a loss of a trained epoch is not a number, or beyond all bounds.
    pub fn has_diverged(&self) -> bool {
        let losses = [self.train_loss, self.test_loss];
        self.epoch > 0 && !losses.iter().all(|&loss| loss < DIVERGED)
    }

    /// Those of one net.
    pub fn of_net(records: &[Self], net: &str) -> Vec<Self> {
        let own = records.iter().filter(|record| record.net == net);
        own.cloned().collect()
    }

    /// What epochs are compared by, the higher the better: the accuracy or, for regression, minus the loss, on the held-out
    /// training examples or, where there are none, on the test set.
    pub fn score(&self) -> f64 {
        match self.validation_loss {
            Some(loss) => self.validation_accuracy.unwrap_or(-loss),
            None => self.test_accuracy.unwrap_or(-self.test_loss),
        }
    }

    /// The first of the records with the highest score.
    pub fn best(records: &[Self]) -> Option<&Self> {
        records.iter().reduce(|best, record| {
            if record.score() > best.score() {
                record
            } else {
                best
            }
        })
    }
}

/// How far a file was written, and what was in it by then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Its length.
    pub bytes: u64,
    /// The SHA-256 of that.
    pub sha256: String,
}

/// The writer of `metrics.jsonl`: buffered, and flushed at the end of every epoch.
#[derive(Debug)]
pub struct Metrics {
    path: PathBuf,
    lines: BufWriter<File>,
    bytes: u64,
    digest: Sha256,
}

impl Metrics {
    /// Begins the file at `path`, whatever is there.
    ///
    /// # Errors
    /// `Error::File` if it cannot be written.
    pub fn create(path: &Path) -> Result<Self> {
        let file = File::create(path).map_err(|error| cannot_write(path, &error))?;
        Ok(Self {
            path: path.to_path_buf(),
            lines: BufWriter::new(file),
            bytes: 0,
            digest: Sha256::new(),
        })
    }

    /// Goes on behind a mark, and cuts off what a run that was stopped left after it, a torn line too.
    ///
    /// # Errors
    /// `Error::File` if the file cannot be read or written, or is another up to the mark.
    pub fn go_on(path: &Path, mark: &Mark) -> Result<Self> {
        let mut whole = file::read(path, u64::MAX, HINT)?;
        whole.truncate(usize::try_from(mark.bytes).unwrap_or(usize::MAX));
        let mut digest = Sha256::new();
        digest.update(&whole);
        let sha256 = hex(&digest.clone().finalize());
        if (whole.len() as u64, &sha256) != (mark.bytes, &mark.sha256) {
            return Err(Error::file(
                path,
                format!(
                    "its first {} bytes are not those that were there when the checkpoint was written",
                    mark.bytes
                ),
                "put the file back as the run left it, or train anew in another folder",
            ));
        }
        let open = || {
            let file = OpenOptions::new().append(true).open(path)?;
            file.set_len(mark.bytes)?;
            Ok(file)
        };
        let file = open().map_err(|error| cannot_write(path, &error))?;
        Ok(Self {
            path: path.to_path_buf(),
            lines: BufWriter::new(file),
            bytes: mark.bytes,
            digest,
        })
    }

    /// Appends a step.
    ///
    /// # Errors
    /// `Error::File` if the file cannot be written.
    pub fn step(&mut self, record: &StepRecord) -> Result<()> {
        self.append(record)
            .map_err(|error| cannot_write(&self.path, &error))
    }

    /// Appends an epoch and flushes, so that everything up to it can be read.
    ///
    /// # Errors
    /// `Error::File` if the file cannot be written.
    pub fn epoch(&mut self, record: &EpochRecord) -> Result<()> {
        self.append(record)
            .and_then(|()| self.lines.flush())
            .map_err(|error| cannot_write(&self.path, &error))
    }

    /// Brings all lines to the disk, so that a checkpoint may count on them.
    ///
    /// # Errors
    /// `Error::File` if the file cannot be written.
    pub fn sync(&mut self) -> Result<Mark> {
        let flushed = self.lines.flush();
        flushed
            .and_then(|()| self.lines.get_ref().sync_all())
            .map_err(|error| cannot_write(&self.path, &error))?;
        Ok(Mark {
            bytes: self.bytes,
            sha256: hex(&self.digest.clone().finalize()),
        })
    }

    fn append(&mut self, record: &impl Serialize) -> io::Result<()> {
        let mut line = serde_json::to_vec(record)?;
        line.push(b'\n');
        self.bytes += line.len() as u64;
        self.digest.update(&line);
        self.lines.write_all(&line)
    }
}

fn cannot_write(path: &Path, error: &io::Error) -> Error {
    Error::file(
        path,
        format!("cannot be written: {error}"),
        "check that the folder may be written to and has space left, or choose another with --out",
    )
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn step(loss: f32) -> StepRecord {
        StepRecord {
            net: "spinal".into(),
            epoch: 1,
            step: 17,
            loss,
            lr: 0.01,
        }
    }

    fn epoch(test_accuracy: Option<f64>) -> EpochRecord {
        EpochRecord {
            net: "spinal".into(),
            epoch: 1,
            lr: 0.01,
            train_loss: f64::NAN,
            validation_loss: None,
            validation_accuracy: None,
            test_loss: 0.25,
            test_accuracy,
            seconds: 1.5,
            images_per_second: f64::INFINITY,
        }
    }

    #[test]
    fn lines_have_the_documented_keys_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        let mut metrics = Metrics::create(&path).unwrap();
        metrics.step(&step(2.3125)).unwrap();
        metrics.step(&step(f32::NAN)).unwrap();
        metrics.epoch(&epoch(Some(0.9435))).unwrap();
        metrics.epoch(&epoch(None)).unwrap();
        // Read while the writer lives: an epoch is on disk once it is recorded.
        let expected = [
            r#"{"net":"spinal","epoch":1,"step":17,"loss":2.3125,"lr":0.01}"#,
            r#"{"net":"spinal","epoch":1,"step":17,"loss":null,"lr":0.01}"#,
            r#"{"net":"spinal","epoch":1,"lr":0.01,"train_loss":null,"test_loss":0.25,"test_accuracy":0.9435,"seconds":1.5,"images_per_second":null}"#,
            r#"{"net":"spinal","epoch":1,"lr":0.01,"train_loss":null,"test_loss":0.25,"seconds":1.5,"images_per_second":null}"#,
        ];
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().collect::<Vec<_>>(), expected);
        assert!(text.ends_with('\n'));
    }

    #[test]
    fn held_out_examples_have_their_own_entries_and_decide_the_score() {
        let mut record = epoch(Some(0.75));
        assert_eq!(record.score(), 0.75);
        record.test_accuracy = None;
        assert_eq!(record.score(), -0.25);
        record.validation_loss = Some(0.5);
        assert_eq!(record.score(), -0.5);
        record.validation_accuracy = Some(0.625);
        assert_eq!(record.score(), 0.625);
        let line = serde_json::to_string(&record).unwrap();
        let entries = r#""validation_loss":0.5,"validation_accuracy":0.625,"test_loss":0.25"#;
        assert!(line.contains(entries), "{line}");
    }

    #[test]
    fn the_best_epoch_is_the_first_with_the_highest_score() {
        let accuracies = [0.5, 0.75, 0.25, 0.75];
        let mut records: Vec<_> = accuracies.map(|accuracy| epoch(Some(accuracy))).into();
        for (index, record) in records.iter_mut().enumerate() {
            record.epoch = index + 1;
        }
        assert_eq!(EpochRecord::best(&records).unwrap().epoch, 2);
        assert_eq!(EpochRecord::best(&[]), None);
    }

    #[test]
    fn a_run_goes_on_behind_what_its_checkpoint_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        let mut metrics = Metrics::create(&path).unwrap();
        metrics.step(&step(0.5)).unwrap();
        metrics.epoch(&epoch(None)).unwrap();
        let mark = metrics.sync().unwrap();
        let whole = fs::read_to_string(&path).unwrap();
        let torn = "{\"net\":\"spinal\",\"epoch\":1";
        let second = "{\"net\":\"spinal\",\"epoch\":2}\n";
        for rest in ["", torn, second, &[second, torn].concat()] {
            fs::write(&path, [&whole, rest].concat()).unwrap();
            let mut metrics = Metrics::go_on(&path, &mark).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), whole);
            assert_eq!(metrics.sync().unwrap(), mark);
            metrics.step(&step(0.25)).unwrap();
            let longer = metrics.sync().unwrap();
            let text = fs::read_to_string(&path).unwrap();
            assert_eq!(text.lines().count(), 3);
            assert_eq!(longer.bytes, text.len() as u64);
            Metrics::go_on(&path, &longer).unwrap();
        }
    }

    #[test]
    fn what_a_checkpoint_counts_must_be_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        let mut metrics = Metrics::create(&path).unwrap();
        metrics.step(&step(0.5)).unwrap();
        metrics.epoch(&epoch(None)).unwrap();
        let mark = metrics.sync().unwrap();
        let whole = fs::read(&path).unwrap();
        let mut other = whole.clone();
        other[20] ^= 1;
        for bytes in [&whole[..whole.len() - 1], &[], &other] {
            fs::write(&path, bytes).unwrap();
            let error = Metrics::go_on(&path, &mark).unwrap_err().to_string();
            assert!(error.contains("are not those that were there"), "{error}");
            assert_eq!(fs::read(&path).unwrap(), bytes);
        }
        fs::remove_file(&path).unwrap();
        let error = Metrics::go_on(&path, &mark).unwrap_err().to_string();
        assert!(error.contains("cannot be read"), "{error}");
    }

    #[test]
    fn a_missing_folder_is_an_error_naming_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let error = Metrics::create(&folder.path().join("none/metrics.jsonl")).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("metrics.jsonl: cannot be written"),
            "{error}"
        );
    }
}
