//! What all trainings of a reproduction have in common: `reproduction.toml`.

use std::path::Path;

use toml::{Table, Value};

use super::protocol::Protocol;
use crate::error::{Error, Result};
use crate::report::history::read_toml;
use crate::train::Config;

/// What `config.toml` of a run says and that differs between the runs of a reproduction.
const OF_A_RUN: [&str; 2] = ["seed", "data"];

/// The settings of a reproduction.
#[derive(Clone, PartialEq, Debug)]
pub struct Settings(Table);

impl Settings {
    /// The protocol, the data sets or functions, and all of a training's configuration but data and seed.
    pub fn new(protocol: Protocol, config: &Config, data: &[String]) -> Self {
        let mut table = Table::try_from(config).expect("our own configuration is valid TOML");
        table.retain(|key, _| !OF_A_RUN.contains(&key));
        table.insert("protocol".to_owned(), protocol.name().into());
        let data = data.iter().cloned().map(Value::from).collect();
        table.insert("data".to_owned(), Value::Array(data));
        Self(table)
    }

    /// The text of the file.
    pub(super) fn text(&self) -> String {
        self.0.to_string()
    }

    /// Refuses a file with other settings.
    pub(super) fn check(&self, path: &Path) -> Result<()> {
        let found = read_toml(path)?;
        let keys = self.0.keys().chain(found.keys());
        let mut differing = keys.filter(|key| found.get(*key) != self.0.get(*key));
        let Some(key) = differing.next() else {
            return Ok(());
        };
        let written = |table: &Table| match table.get(key) {
            Some(value) => format!("{key} = {value}"),
            None => format!("no {key}"),
        };
        Err(Error::file(
            path,
            format!(
                "is of a reproduction with {}, and this one has {}",
                written(&found),
                written(&self.0)
            ),
            "repeat its flags to go on with it, or choose another folder with --out",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment;

    fn config() -> Config {
        Config::of_recipe(experiment::find("mnist-cnn").unwrap(), &["spinal"], None)
    }

    fn refusal(settings: &Settings, other: &Settings) -> Option<String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("reproduction.toml");
        std::fs::write(&path, other.text()).unwrap();
        settings.check(&path).err().map(|error| error.to_string())
    }

    #[test]
    fn the_seed_may_differ_and_nothing_else() {
        let data = ["mnist".to_owned()];
        let settings = Settings::new(Protocol::Fair, &config(), &data);
        let same = |config| Settings::new(Protocol::Fair, &config, &data);
        assert_eq!(refusal(&settings, &same(config())), None);
        let other_seed = Config {
            seed: 9,
            ..config()
        };
        assert_eq!(refusal(&settings, &same(other_seed)), None);

        let refused = |other: &Settings, what: &str| {
            let text = refusal(&settings, other).expect("another setting is refused");
            assert!(text.ends_with(what), "{text}");
        };
        let longer = Config {
            epochs: 9,
            ..config()
        };
        refused(
            &same(longer),
            "with epochs = 9, and this one has epochs = 8",
        );
        let limited = Config {
            limit_train: Some(5),
            ..config()
        };
        refused(
            &same(limited),
            "with limit_train = 5, and this one has no limit_train",
        );
        refused(
            &Settings::new(Protocol::Authors, &config(), &data),
            "with protocol = \"authors\", and this one has protocol = \"fair\"",
        );
        refused(
            &Settings::new(Protocol::Fair, &config(), &["kmnist".to_owned()]),
            "with data = [\"kmnist\"], and this one has data = [\"mnist\"]",
        );
    }
}
