//! The folder of a reproduction: its settings, a run folder for every seed, and what came out.

use std::fs;
use std::path::{Path, PathBuf};

use super::seed::SeedFolder;
use super::settings::Settings;
use crate::error::{Error, Result};
use crate::report::atomic_file;
use crate::report::run_folder::RunFolder;
use crate::resume::{Conditions, Lock};

/// A reproduction on disk.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
    settings: Settings,
    data: Vec<String>,
}

/// What to do about other conditions.
const HINT: &str =
    "go on with the same program, device, flags and files, or choose another folder with --out";

impl Folder {
    /// The folder at `path`, of a reproduction on these data sets or functions; nothing is created.
    ///
    /// # Errors
    /// `Error::File` if there is something else, or a reproduction with other settings.
    pub fn new(path: &Path, settings: Settings, data: &[String]) -> Result<Self> {
        let folder = Self {
            path: path.to_path_buf(),
            settings,
            data: data.to_vec(),
        };
        if folder.settings_path().is_file() {
            folder.settings.check(&folder.settings_path())?;
        } else {
            RunFolder::check(path)?;
        }
        Ok(folder)
    }

    /// What its seeds are trained on and with; nothing before the first.
    ///
    /// # Errors
    /// `Error::File` if that is not known though there are seeds.
    pub fn conditions(&self) -> Result<Option<Conditions>> {
        let path = self.conditions_path();
        if path.is_file() {
            return Conditions::read(&path).map(Some);
        }
        for data in &self.data {
            if !self.names_of_seeds(data)?.is_empty() {
                return Err(Error::file(
                    path,
                    "is missing: nothing tells what the seeds beside it were trained on",
                    "choose another folder with --out",
                ));
            }
        }
        Ok(None)
    }

    /// Refuses conditions other than those of its seeds.
    ///
    /// # Errors
    /// `Error::File`, which names the first difference.
    pub fn check(&self, here: &Conditions) -> Result<()> {
        match self.conditions()? {
            Some(found) => here.check(&found, &self.conditions_path(), HINT),
            None => Ok(()),
        }
    }

    /// Creates it where it is missing. What is trained under these conditions from now on is trained under them to the end.
    /// Several processes may do so together; then they train different seeds.
    ///
    /// # Errors
    /// `Error::File` if it cannot be created, or if its seeds have other conditions.
    pub fn open(&self, conditions: &Conditions) -> Result<()> {
        let settings = self.settings_path();
        if !settings.is_file() {
            fs::create_dir_all(&self.path).map_err(|error| {
                Error::file(
                    &self.path,
                    format!("cannot be created: {error}"),
                    "choose a folder that you may write to with --out",
                )
            })?;
        }
        let _lock = Lock::wait_for(&self.path);
        if !settings.is_file() {
            RunFolder::check(&self.path)?;
            atomic_file::write(&settings, self.settings.text().as_bytes())?;
        }
        self.settings.check(&settings)?;
        self.check(conditions)?;
        if !self.conditions_path().is_file() {
            atomic_file::write(&self.conditions_path(), conditions.text().as_bytes())?;
        }
        Ok(())
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The data sets or functions.
    pub fn data(&self) -> &[String] {
        &self.data
    }

    /// The run of a seed on one of the data sets.
    pub fn seed(&self, data: &str, seed: u64) -> SeedFolder {
        SeedFolder::new(self.runs_on(data).join(format!("seed-{seed}")))
    }

    /// The seeds that are trained to the end on one of the data sets, ascending.
    ///
    /// # Errors
    /// `Error::File` if the folder cannot be read.
    pub fn finished_seeds(&self, data: &str) -> Result<Vec<u64>> {
        let names = self.names_of_seeds(data)?.into_iter();
        let mut seeds: Vec<u64> = names.filter_map(|name| name.parse().ok()).collect();
        seeds.sort_unstable();
        Ok(seeds)
    }

    /// What follows `seed-` in the names of the runs on one of the data sets.
    fn names_of_seeds(&self, data: &str) -> Result<Vec<String>> {
        let runs = self.runs_on(data);
        if !runs.is_dir() {
            return Ok(Vec::new());
        }
        let unreadable = |error| {
            Error::file(
                &runs,
                format!("cannot be read: {error}"),
                "check that you may read it",
            )
        };
        let mut names = Vec::new();
        for entry in fs::read_dir(&runs).map_err(unreadable)? {
            let name = entry.map_err(unreadable)?.file_name();
            let name = name.to_str().and_then(|name| name.strip_prefix("seed-"));
            names.extend(name.map(str::to_owned));
        }
        Ok(names)
    }

    /// `report.md`: what came out, for a person.
    pub fn report(&self) -> PathBuf {
        self.path.join("report.md")
    }

    /// `results.json`: what came out, for a program.
    pub fn results(&self) -> PathBuf {
        self.path.join("results.json")
    }

    /// `curves.svg`: the learning curves of all seeds.
    pub fn curves(&self) -> PathBuf {
        self.path.join("curves.svg")
    }

    fn settings_path(&self) -> PathBuf {
        self.path.join("reproduction.toml")
    }

    fn conditions_path(&self) -> PathBuf {
        self.path.join("conditions.toml")
    }

    /// Several data sets have folders of their own.
    fn runs_on(&self, data: &str) -> PathBuf {
        match self.data.len() {
            1 => self.path.clone(),
            _ => self.path.join(data),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment;
    use crate::reproduce::Protocol;
    use crate::resume::conditions::tests::conditions;
    use crate::train::Config;

    fn config(epochs: usize) -> Config {
        let experiment = experiment::find("mnist-cnn").unwrap();
        Config {
            epochs,
            ..Config::of_recipe(experiment, &["spinal", "baseline"], None)
        }
    }

    fn folder(path: &Path, epochs: usize) -> Result<Folder> {
        let config = config(epochs);
        let data = ["mnist".to_owned()];
        let settings = Settings::new(Protocol::Fair, &config, &data);
        Folder::new(path, settings, &data)
    }

    #[test]
    fn a_folder_goes_on_with_the_same_settings_only() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("deep/reproduction");
        let first = folder(&path, 1).unwrap();
        assert!(!path.exists());
        first.open(&conditions()).unwrap();
        folder(&path, 1).unwrap().open(&conditions()).unwrap();
        let error = folder(&path, 2).unwrap_err();
        assert!(error.to_string().contains("epochs = 1"), "{error}");

        let other = root.path().join("other");
        fs::create_dir(&other).unwrap();
        fs::write(other.join("notes"), "").unwrap();
        let error = folder(&other, 1).unwrap_err();
        assert!(error.to_string().contains("not empty"), "{error}");
    }

    #[test]
    fn two_processes_do_not_work_on_one_seed() {
        let root = tempfile::tempdir().unwrap();
        let folder = folder(&root.path().join("reproduction"), 1).unwrap();
        folder.open(&conditions()).unwrap();
        folder.open(&conditions()).unwrap();
        let start = |seed| {
            let seed = folder.seed("mnist", seed);
            seed.start(&config(1), &conditions()).unwrap()
        };
        let first = start(1).unwrap();
        assert!(folder.seed("mnist", 1).is_taken());
        assert!(start(1).is_none());
        start(2).unwrap();
        fs::write(first.run.checkpoint(), "").unwrap();
        first.finish().unwrap();
        assert!(folder.seed("mnist", 1).is_finished());
        assert!(start(1).is_none());
        assert!(!folder.seed("mnist", 1).unfinished().exists());
    }

    #[test]
    fn seeds_are_trained_under_the_conditions_of_the_first() {
        let root = tempfile::tempdir().unwrap();
        let folder = folder(&root.path().join("reproduction"), 1).unwrap();
        assert_eq!(folder.conditions().unwrap(), None);
        folder.check(&conditions()).unwrap();
        folder.open(&conditions()).unwrap();
        assert_eq!(folder.conditions().unwrap(), Some(conditions()));
        folder.check(&conditions()).unwrap();
        let mut other = conditions();
        other.environment.driver.push('2');
        for refused in [folder.check(&other), folder.open(&other)] {
            let error = refused.unwrap_err().to_string();
            assert!(error.contains("has driver = \"driver 1\""), "{error}");
        }

        fs::remove_file(folder.path().join("conditions.toml")).unwrap();
        assert_eq!(folder.conditions().unwrap(), None);
        fs::create_dir(folder.path().join("seed-1.unfinished")).unwrap();
        let error = folder.check(&conditions()).unwrap_err();
        assert!(error.to_string().contains("is missing"), "{error}");
    }

    #[test]
    fn unfinished_seeds_do_not_count() {
        let root = tempfile::tempdir().unwrap();
        let folder = folder(&root.path().join("reproduction"), 1).unwrap();
        assert!(folder.finished_seeds("mnist").unwrap().is_empty());
        for name in ["seed-10", "seed-2", "seed-3.unfinished", "seeds"] {
            fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        assert_eq!(folder.finished_seeds("mnist").unwrap(), [2, 10]);
    }
}
