//! Several runs of one experiment as one table: mean and standard deviation over the runs, beside the paper's curve.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use super::history::{History, read_toml, unreadable};
use super::limits;
use super::paper::mnist_curve::{self, MNIST_CNN};
use super::statistics::mean_and_deviation;
use crate::error::{Error, Result};

/// Test accuracies in percent by net and epoch, one for each run.
#[derive(Default, Debug)]
pub struct Runs {
    experiment: Option<String>,
    /// What the runs used of their data set, where that is not all.
    limits: Option<String>,
    accuracies: BTreeMap<String, BTreeMap<usize, Vec<f64>>>,
}

impl Runs {
    /// Reads the run folders. All must be of one experiment, with the same limits.
    ///
    /// # Errors
    /// A file that is missing or not what a run writes, or folders of different experiments or limits.
    pub fn read(folders: &[impl AsRef<Path>]) -> Result<Self> {
        let mut runs = Self::default();
        for folder in folders {
            let folder = folder.as_ref();
            runs.read_config(&folder.join("config.toml"))?;
            runs.read_metrics(&folder.join("metrics.jsonl"))?;
        }
        Ok(runs)
    }

    fn read_config(&mut self, path: &Path) -> Result<()> {
        let config = read_toml(path)?;
        let experiment = config.get("experiment").and_then(|value| value.as_str());
        let experiment = experiment.ok_or_else(|| unreadable(path, &"it names no experiment"))?;
        let limit = |key: &str| {
            let limit = config.get(key).and_then(|value| value.as_integer());
            limit.map(|limit| limit as usize)
        };
        let limits = limits::describe(limit("limit_train"), limit("limit_test"));
        if self.experiment.is_some() && self.limits != limits {
            return Err(Error::usage(
                format!(
                    "{} is a run with other limits (--limit-train, --limit-test) than the first",
                    path.display()
                ),
                "give runs on the same samples",
            ));
        }
        self.limits = limits;
        match &self.experiment {
            Some(first) if first != experiment => Err(Error::usage(
                format!(
                    "{} is a run of {experiment}, and the first of {first}",
                    path.display()
                ),
                "give runs of one experiment",
            )),
            _ => {
                self.experiment = Some(experiment.to_owned());
                Ok(())
            }
        }
    }

    fn read_metrics(&mut self, path: &Path) -> Result<()> {
        for record in History::read(path)?.epochs {
            if let Some(accuracy) = record.test_accuracy {
                let epochs = self.accuracies.entry(record.net).or_default();
                let of_epoch = epochs.entry(record.epoch).or_default();
                of_epoch.push(100.0 * accuracy);
            }
        }
        Ok(())
    }

    /// The table in Markdown.
    pub fn render(&self) -> String {
        let limits = self.limits.iter();
        let mut text: String = limits
            .map(|limits| format!("Limited: {limits}.\n\n"))
            .collect();
        text.push_str("| net | epoch | runs | test accuracy % | sd |");
        let with_paper = self.experiment.as_deref() == Some("mnist-cnn");
        text.push_str(if with_paper {
            " paper % | band | inside |\n"
        } else {
            "\n"
        });
        text.push_str(if with_paper {
            "|---|---|---|---|---|---|---|---|\n"
        } else {
            "|---|---|---|---|---|\n"
        });
        for (net, epochs) in &self.accuracies {
            for (&epoch, accuracies) in epochs {
                let (mean, deviation) = mean_and_deviation(accuracies);
                let runs = accuracies.len();
                let _ = write!(
                    text,
                    "| {net} | {epoch} | {runs} | {mean:.2} | {deviation:.2} |"
                );
                if with_paper {
                    text.push_str(&beside_paper(net, epoch, mean));
                }
                text.push('\n');
            }
        }
        text
    }
}

fn beside_paper(net: &str, epoch: usize, mean: f64) -> String {
    let curve = MNIST_CNN.iter().find(|curve| curve.net == net);
    let Some(accuracy) = curve.and_then(|curve| curve.at(epoch)) else {
        return " | | |".to_owned();
    };
    let band = mnist_curve::band(epoch);
    let inside = if (mean - accuracy).abs() <= band {
        "yes"
    } else {
        "no"
    };
    format!(" {accuracy:.2} | +-{band:.2} | {inside} |")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(folder: &Path, experiment: &str, accuracy: f64) {
        std::fs::create_dir_all(folder).unwrap();
        std::fs::write(
            folder.join("config.toml"),
            format!("experiment = \"{experiment}\"\n"),
        )
        .unwrap();
        let line = format!("{{\"net\":\"spinal\",\"epoch\":1,\"test_accuracy\":{accuracy}}}\n");
        std::fs::write(folder.join("metrics.jsonl"), line).unwrap();
    }

    #[test]
    fn runs_are_averaged_and_held_against_the_paper() {
        let dir = tempfile::tempdir().unwrap();
        let folders = [dir.path().join("a"), dir.path().join("b")];
        run(&folders[0], "mnist-cnn", 0.94);
        run(&folders[1], "mnist-cnn", 0.95);
        let table = Runs::read(&folders).unwrap().render();
        assert!(
            table.contains("| spinal | 1 | 2 | 94.50 | 0.71 | 94.35 | +-0.45 | yes |"),
            "{table}"
        );
    }

    #[test]
    fn limits_are_shown_and_must_be_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let folders = [dir.path().join("a"), dir.path().join("b")];
        for folder in &folders {
            run(folder, "mnist-cnn", 0.94);
        }
        let limit = |folder: &Path| {
            let config = "experiment = \"mnist-cnn\"\nlimit_test = 2000\n";
            std::fs::write(folder.join("config.toml"), config).unwrap();
        };
        limit(&folders[1]);
        let error = Runs::read(&folders).unwrap_err();
        assert!(error.to_string().contains("other limits"), "{error}");
        limit(&folders[0]);
        let table = Runs::read(&folders).unwrap().render();
        assert!(
            table.starts_with("Limited: at most 2,000 test samples, not the whole"),
            "{table}"
        );
    }

    #[test]
    fn runs_of_two_experiments_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let folders = [dir.path().join("a"), dir.path().join("b")];
        run(&folders[0], "mnist-cnn", 0.94);
        run(&folders[1], "mlp", 0.95);
        let error = Runs::read(&folders).unwrap_err();
        assert!(error.to_string().contains("is a run of mlp"), "{error}");
    }

    #[test]
    fn a_folder_that_is_no_run_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let error = Runs::read(&[dir.path()]).unwrap_err();
        assert!(
            error.to_string().contains("config.toml: cannot be read"),
            "{error}"
        );
    }
}
