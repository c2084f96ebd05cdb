//! Several runs of one experiment as one table: mean and standard deviation over the runs, beside the paper's curve.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::history::{History, read_toml, unreadable};
use super::limits;
use super::number;
use super::paper::mnist_curve::{self, MNIST_CNN};
use super::statistics::mean_and_deviation;
use crate::error::{Error, Result};

/// Test accuracies in percent by net and epoch, one for each run.
#[derive(Default, Debug)]
pub struct Runs {
    /// The first run's folder and what is the same of all of them.
    first: Option<(PathBuf, Table)>,
    /// The folder of each seed.
    seeds: BTreeMap<i64, PathBuf>,
    /// What did not go as it was meant to.
    marks: Vec<String>,
    accuracies: BTreeMap<String, BTreeMap<usize, Vec<f64>>>,
}

impl Runs {
    /// Reads the run folders. They differ in their seeds and in nothing else but the machine.
    ///
    /// # Errors
    /// A file that is missing or not what a run writes, a seed that is there twice, or folders of different settings.
    pub fn read(folders: &[impl AsRef<Path>]) -> Result<Self> {
        let mut runs = Self::default();
        for folder in folders {
            let folder = folder.as_ref();
            let config = runs.read_config(folder)?;
            let history = runs.read_metrics(&folder.join("metrics.jsonl"))?;
            runs.mark(folder, &config, &history);
        }
        if runs.accuracies.is_empty() {
            return Err(Error::usage(
                "these runs have no accuracies to average",
                "for regression, `spinal reproduce` compares losses",
            ));
        }
        Ok(runs)
    }

    fn read_config(&mut self, folder: &Path) -> Result<Table> {
        let path = folder.join("config.toml");
        let config = read_toml(&path)?;
        if text_of(&config, "experiment").is_none() {
            return Err(unreadable(&path, &"it names no experiment"));
        }
        let seed = integer(&config, "seed");
        let seed = seed.ok_or_else(|| unreadable(&path, &"it names no seed"))?;
        if let Some(other) = self.seeds.insert(seed, folder.to_path_buf()) {
            return Err(Error::file(
                folder,
                format!("is a run of seed {seed}, as {} is", other.display()),
                "give every run once, each of a seed of its own",
            ));
        }
        let mut settings = config.clone();
        for key in ["seed", "environment"] {
            settings.remove(key);
        }
        match &self.first {
            None => self.first = Some((folder.to_path_buf(), settings)),
            Some((first, expected)) => check_same(folder, &settings, first, expected)?,
        }
        Ok(config)
    }

    fn read_metrics(&mut self, path: &Path) -> Result<History> {
        let history = History::read(path)?;
        if history.epochs.is_empty() {
            return Err(unreadable(path, &"it has no epochs"));
        }
        let mut seen = BTreeSet::new();
        for record in &history.epochs {
            let (net, epoch) = (&record.net, record.epoch);
            if !seen.insert((net, epoch)) {
                let what = format!("epoch {epoch} of {net} is there twice");
                return Err(unreadable(path, &what));
            }
            let Some(accuracy) = record.test_accuracy else {
                continue;
            };
            if !(0.0..=1.0).contains(&accuracy) {
                let accuracy = number::plain(accuracy);
                let what =
                    format!("epoch {epoch} of {net} has the accuracy {accuracy}, expected 0 to 1");
                return Err(unreadable(path, &what));
            }
            let epochs = self.accuracies.entry(net.clone()).or_default();
            epochs.entry(epoch).or_default().push(100.0 * accuracy);
        }
        Ok(history)
    }

    /// Notes the nets of a run that diverged or were not trained to their end.
    fn mark(&mut self, folder: &Path, config: &Table, history: &History) {
        let nets = config.get("nets").and_then(Value::as_array);
        let planned = integer(config, "epochs").and_then(|epochs| usize::try_from(epochs).ok());
        // Patience ends a training early, as it is meant to.
        let planned = planned.filter(|_| !config.contains_key("patience"));
        for net in nets.into_iter().flatten().filter_map(Value::as_str) {
            let records = history.of_net(net);
            let diverged = records.iter().find(|record| record.has_diverged());
            let last = records.last().map_or(0, |record| record.epoch);
            let folder = folder.display();
            match (diverged, planned) {
                (Some(record), _) => self.marks.push(format!(
                    "{folder}: {net} diverged in epoch {}",
                    record.epoch
                )),
                (None, Some(planned)) if last < planned => self.marks.push(format!(
                    "{folder}: {net} was trained for {last} of {planned} epochs"
                )),
                _ => {}
            }
        }
    }

    /// What the runs used of their data set, where that is not all.
    fn limits(&self) -> Option<String> {
        let (_, settings) = self.first.as_ref()?;
        let limit = |key| integer(settings, key).map(|limit| limit as usize);
        limits::describe(limit("limit_train"), limit("limit_test"))
    }

    /// The table in Markdown.
    pub fn render(&self) -> String {
        let limits = self
            .limits()
            .map(|limits| format!("Limited: {limits}.\n\n"));
        let mut text = limits.unwrap_or_default();
        for mark in &self.marks {
            let _ = writeln!(text, "Not as planned: {mark}.\n");
        }
        text.push_str("| net | epoch | runs | test accuracy % | sd |");
        let experiment = self.first.as_ref();
        let experiment = experiment.and_then(|(_, settings)| text_of(settings, "experiment"));
        let with_paper = experiment == Some("mnist-cnn");
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

/// Refuses settings that are not the first run's, by the first that differs.
fn check_same(folder: &Path, settings: &Table, first: &Path, expected: &Table) -> Result<()> {
    let keys: BTreeSet<&String> = settings.keys().chain(expected.keys()).collect();
    let differs = |key: &&String| settings.get(*key) != expected.get(*key);
    let Some(key) = keys.into_iter().find(differs) else {
        return Ok(());
    };
    let value = |table: &Table| {
        let value = table.get(key).map(ToString::to_string);
        value.unwrap_or_else(|| "not given".to_owned())
    };
    Err(Error::file(
        folder,
        format!(
            "its {key} is {}, and {} in {}",
            value(settings),
            value(expected),
            first.display()
        ),
        "give runs that differ in their seeds only",
    ))
}

fn text_of<'a>(table: &'a Table, key: &str) -> Option<&'a str> {
    table.get(key)?.as_str()
}

fn integer(table: &Table, key: &str) -> Option<i64> {
    table.get(key)?.as_integer()
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
    use tempfile::TempDir;

    use super::*;

    /// Two runs of one epoch, `a` and `b`.
    struct Pair(TempDir);

    impl Pair {
        fn new() -> Self {
            let pair = Self(tempfile::tempdir().unwrap());
            for (name, seed, accuracy) in [("a", 1, 0.94), ("b", 2, 0.95)] {
                std::fs::create_dir(pair.folder(name)).unwrap();
                pair.configure(name, &format!("seed = {seed}"));
                pair.record(name, &epoch(1, accuracy));
            }
            pair
        }

        fn folder(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn configure(&self, name: &str, lines: &str) {
            let common = "experiment = \"mnist-cnn\"\nnets = [\"spinal\"]\nepochs = 1";
            let config = format!("{common}\n{lines}\n");
            std::fs::write(self.folder(name).join("config.toml"), config).unwrap();
        }

        fn record(&self, name: &str, lines: &str) {
            std::fs::write(self.folder(name).join("metrics.jsonl"), lines).unwrap();
        }

        fn read(&self) -> Result<Runs> {
            Runs::read(&[self.folder("a"), self.folder("b")])
        }

        fn table(&self) -> String {
            self.read().unwrap().render()
        }

        fn assert_refused(&self, what: &str) {
            let message = self.read().unwrap_err().to_string();
            assert!(message.contains(what), "no `{what}` in {message}");
        }
    }

    fn epoch(epoch: usize, accuracy: f64) -> String {
        format!(
            "{{\"net\":\"spinal\",\"epoch\":{epoch},\"train_loss\":0.5,\"test_loss\":0.5,\"test_accuracy\":{accuracy}}}\n"
        )
    }

    #[test]
    fn runs_are_averaged_and_held_against_the_paper() {
        let table = Pair::new().table();
        assert!(table.starts_with("| net |"), "{table}");
        assert!(
            table.contains("| spinal | 1 | 2 | 94.50 | 0.71 | 94.35 | +-0.45 | yes |"),
            "{table}"
        );
    }

    #[test]
    fn limits_are_shown() {
        let pair = Pair::new();
        pair.configure("a", "seed = 1\nlimit_test = 2000");
        pair.configure("b", "seed = 2\nlimit_test = 2000");
        let table = pair.table();
        let expected = "Limited: at most 2,000 test samples, not the whole";
        assert!(table.starts_with(expected), "{table}");
    }

    #[test]
    fn runs_that_differ_in_more_than_seed_and_machine_are_refused() {
        let pair = Pair::new();
        pair.configure("a", "seed = 1\nlr = 0.1");
        pair.assert_refused("its lr is not given, and 0.1 in ");
        pair.configure("b", "seed = 2\nlr = 0.01");
        pair.assert_refused("its lr is 0.01, and 0.1 in ");
        pair.configure(
            "b",
            "seed = 2\nlr = 0.1\n[environment]\nadapter = \"other\"",
        );
        assert!(pair.read().is_ok());
    }

    #[test]
    fn one_run_is_no_two_seeds() {
        let pair = Pair::new();
        let again = pair.folder("a").join(".");
        let message = Runs::read(&[pair.folder("a"), again]).unwrap_err();
        assert!(message.to_string().contains("is a run of seed 1, as"));
        pair.configure("b", "seed = 1");
        pair.assert_refused("is a run of seed 1, as");
    }

    #[test]
    fn doubled_lines_are_refused() {
        let pair = Pair::new();
        pair.record("b", &epoch(1, 0.95).repeat(2));
        pair.assert_refused("epoch 1 of spinal is there twice");
    }

    #[test]
    fn what_is_no_accuracy_is_refused() {
        for accuracy in [97.47, -0.1, 1e308] {
            let pair = Pair::new();
            pair.record("b", &epoch(1, accuracy));
            let accuracy = number::plain(accuracy);
            pair.assert_refused(&format!("has the accuracy {accuracy}, expected 0 to 1"));
        }
    }

    #[test]
    fn runs_without_epochs_are_refused() {
        let pair = Pair::new();
        pair.record("b", "");
        pair.assert_refused("metrics.jsonl: cannot be read: it has no epochs");
    }

    #[test]
    fn runs_without_accuracies_are_refused() {
        let pair = Pair::new();
        for name in ["a", "b"] {
            pair.record(name, "{\"net\":\"spinal\",\"epoch\":1,\"test_loss\":0.5}\n");
        }
        pair.assert_refused("no accuracies to average");
    }

    #[test]
    fn diverged_and_killed_runs_are_marked() {
        let pair = Pair::new();
        for (name, seed) in [("a", 1), ("b", 2)] {
            pair.configure(name, &format!("seed = {seed}"));
        }
        let lost =
            r#"{"net":"spinal","epoch":1,"train_loss":1e37,"test_loss":null,"test_accuracy":0.1}"#;
        pair.record("a", lost);
        pair.record("b", &epoch(0, 0.1));
        let table = pair.table();
        let [a, b] = ["a", "b"].map(|name| pair.folder(name));
        for expected in [
            format!(
                "Not as planned: {}: spinal diverged in epoch 1.",
                a.display()
            ),
            format!(
                "Not as planned: {}: spinal was trained for 0 of 1 epochs.",
                b.display()
            ),
        ] {
            assert!(table.contains(&expected), "no `{expected}` in {table}");
        }
    }

    #[test]
    fn patience_ends_a_training_as_planned() {
        let pair = Pair::new();
        for (name, seed) in [("a", 1), ("b", 2)] {
            pair.configure(name, &format!("seed = {seed}\npatience = 3"));
            pair.record(name, &epoch(0, 0.1));
        }
        assert!(pair.table().starts_with("| net |"));
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
