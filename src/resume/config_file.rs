//! `config.toml` of a run folder: the configuration, and for the record the program, the device, and what became otherwise.

use serde::{Deserialize, Serialize};
use std::path::Path;
use toml::Table;

use crate::environment::Environment;
use crate::error::{Error, Result};
use crate::report::atomic_file;
use crate::report::history::read_toml;
use crate::train::{Config, Progress};

/// What the file says besides the configuration.
const RECORDS: [&str; 2] = ["environment", "history"];

/// The file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ConfigFile {
    /// The configuration.
    #[serde(flatten)]
    pub config: Config,
    /// The program and the device.
    pub environment: Environment,
    /// What became otherwise while the run went on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<Change>,
}

/// What became otherwise where a run went on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Change {
    /// The day, in UTC.
    pub date: String,
    /// Where the training stood.
    pub place: String,
    /// What it was, and what it is from there on.
    pub what: String,
}

impl Change {
    /// One of today.
    pub fn new(progress: &Progress, what: impl Into<String>) -> Self {
        Self {
            date: time::OffsetDateTime::now_utc().date().to_string(),
            place: progress.describe(),
            what: what.into(),
        }
    }
}

impl ConfigFile {
    /// Reads the file.
    ///
    /// # Errors
    /// `Error::File` if it cannot be read, or has entries that no run writes.
    pub fn read(path: &Path) -> Result<Self> {
        let table = read_toml(path)?;
        let file: Self = table.clone().try_into().map_err(|error: toml::de::Error| {
            let what = error.message().lines().next().unwrap_or_default();
            not_ours(path, what)
        })?;
        let understood = Table::try_from(&file).expect("our own configuration is valid TOML");
        match difference(&table, &understood, &[]) {
            None => Ok(file),
            Some(difference) => Err(not_ours(path, &format!("it has {difference}"))),
        }
    }

    /// Writes the file.
    ///
    /// # Errors
    /// `Error::File` if that is not possible.
    pub fn write(&self, path: &Path) -> Result<()> {
        let text = toml::to_string(self).expect("our own configuration is valid TOML");
        atomic_file::write(path, text.as_bytes())
    }
}

/// The first entry of a configuration that another has otherwise, in words; the number of epochs may differ.
pub(super) fn config_difference(found: &Config, here: &Config) -> Option<String> {
    let table = |config| Table::try_from(config).expect("our own configuration is valid TOML");
    difference(&table(found), &table(here), &["epochs"])
}

/// The first entry that tables have not in common, in words: `lr = 0.1, expected lr = 0.01`.
fn difference(found: &Table, expected: &Table, passed_over: &[&str]) -> Option<String> {
    let keys = expected.keys().chain(found.keys());
    let mut differing = keys
        .filter(|key| !passed_over.contains(&key.as_str()))
        .filter(|key| found.get(*key) != expected.get(*key));
    let key = differing.next()?;
    let text = |table: &Table| match table.get(key) {
        Some(_) if RECORDS.contains(&key.as_str()) => format!("another {key}"),
        Some(value) => format!("{key} = {value}"),
        None => format!("no {key}"),
    };
    Some(format!("{}, expected {}", text(found), text(expected)))
}

fn not_ours(path: &Path, what: &str) -> Error {
    Error::file(
        path,
        format!("is not the configuration of a run: {what}"),
        "put the file back as the run left it, or train anew in another folder",
    )
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::conditions::tests::conditions;
    use super::*;
    use crate::experiment;

    /// Some configuration.
    pub fn config() -> Config {
        let experiment = experiment::find("mnist-cnn").unwrap();
        Config::of_recipe(experiment, &["spinal"], None)
    }

    fn file(config: Config) -> ConfigFile {
        ConfigFile {
            config,
            environment: conditions().environment,
            history: Vec::new(),
        }
    }

    fn written(file: &ConfigFile) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        file.write(&path).unwrap();
        (folder, path)
    }

    /// Every kind of entry, and the recipes of all experiments.
    #[test]
    fn every_configuration_comes_back() {
        let mut rich = Config {
            backbone: Some("resnet18".to_owned()),
            limit_train: Some(7),
            image_size: Some(64),
            micro_batch: Some(8),
            clip_norm: Some(0.1 + 0.2),
            patience: Some(3),
            seed: i64::MAX as u64,
            freeze: "until:layer2".parse().unwrap(),
            lr_backbone: 0.1,
            weights: Some("a/b \"c\"".into()),
            schedule: "phases:0.02x2,0.01x3:fresh:step:1:0.5".parse().unwrap(),
            augment: "resize:272+rotate:15+crop:256+flip".parse().unwrap(),
            ..config()
        };
        rich.network.head.spinal_width = Some(9);
        rich.network.head.spinal_dropout = Some(0.3);
        let schedule = "divide:3:after=2,5-9,22-".parse().unwrap();
        rich.net_schedules = [("baseline".to_owned(), schedule)].into();
        let all = experiment::all();
        let all = all.map(|experiment| Config::of_recipe(experiment, experiment.nets, None));
        for config in all.chain([rich]) {
            let mut file = file(config);
            file.history = vec![Change::new(
                &Progress::new(),
                "epochs = 3, and from here on 5",
            )];
            let (_folder, path) = written(&file);
            let found = ConfigFile::read(&path).unwrap();
            assert_eq!(toml::to_string(&found), toml::to_string(&file));
            assert_eq!(config_difference(&found.config, &file.config), None);
        }
    }

    #[test]
    fn what_no_run_writes_is_refused_in_one_line() {
        let (_folder, path) = written(&file(config()));
        let text = std::fs::read_to_string(&path).unwrap();
        let cases = [
            (
                "lr = 0.01",
                "lr = \"x\"",
                "is not the configuration of a run",
            ),
            ("lr = 0.01", "le = 0.01", "missing field `lr`"),
            (
                "schedule = \"constant\"",
                "schedule = \"constand\"",
                "no such schedule",
            ),
            (
                "shuffle = true",
                "shuffle = true\nlimit_tran = 5",
                "limit_tran = 5, expected no limit_tran",
            ),
            (
                "[environment]",
                "[environmend]",
                "missing field `environment`",
            ),
            ("[network]", "[network", "cannot be read"),
        ];
        for (from, to, expected) in cases {
            assert!(text.contains(from), "{from} in {text}");
            std::fs::write(&path, text.replace(from, to)).unwrap();
            let error = ConfigFile::read(&path).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
            assert_eq!(error.lines().count(), 1, "{error}");
        }
    }

    #[test]
    fn only_the_number_of_epochs_may_be_another() {
        let longer = Config {
            epochs: 99,
            ..config()
        };
        assert_eq!(config_difference(&config(), &longer), None);
        let faster = Config {
            lr: 0.1,
            ..config()
        };
        assert_eq!(
            config_difference(&faster, &config()).unwrap(),
            "lr = 0.1, expected lr = 0.01"
        );
    }
}
