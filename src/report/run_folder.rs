//! The folder of one training run: never an old run's, and named here file by file.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Where runs without `--out` go, in the working directory.
const RUNS: &str = "runs";

/// An empty folder that this run alone writes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    /// Refuses a `path` that [`create`](Self::create) would refuse, as far as can be told without creating anything.
    ///
    /// # Errors
    /// `Error::File` if `path` is a file or a folder with something in it.
    pub fn check(path: &Path) -> Result<()> {
        let occupied = fs::read_dir(path).map(|mut entries| entries.next().is_some());
        match occupied {
            Ok(true) => Err(Error::file(
                path,
                "exists and is not empty; a run never overwrites another",
                "choose another folder with --out",
            )),
            Ok(false) => Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(cannot_create(path, &error)),
        }
    }

    /// Creates the folder at `path` with its parents, or takes an empty one that is there.
    ///
    /// # Errors
    /// `Error::File` if `path` is a file or a folder with something in it, or cannot be created; nothing
    /// is left behind then.
    pub fn create(path: &Path) -> Result<Self> {
        Self::check(path)?;
        if !path.is_dir() {
            in_parent(path.parent().unwrap_or(path), || fs::create_dir(path))
                .map_err(|error| cannot_create(path, &error))?;
        }
        Ok(Self {
            path: path.to_path_buf(),
        })
    }

    /// Creates `runs/EXPERIMENT-NUMBER` with the first free number from 0001.
    ///
    /// Two runs that start together get different folders.
    ///
    /// # Errors
    /// `Error::File` if it cannot be created; nothing is left behind then.
    pub fn fresh(experiment: &str) -> Result<Self> {
        Self::fresh_in(Path::new(RUNS), experiment)
    }

    fn fresh_in(runs: &Path, experiment: &str) -> Result<Self> {
        let first_free = || {
            let mut number = 1;
            loop {
                let path = runs.join(format!("{experiment}-{number:04}"));
                match fs::create_dir(&path) {
                    Err(error) if error.kind() == ErrorKind::AlreadyExists => number += 1,
                    outcome => return outcome.map(|()| path),
                }
            }
        };
        match in_parent(runs, first_free) {
            Ok(path) => Ok(Self { path }),
            Err(error) => Err(cannot_create(&runs.join(experiment), &error)),
        }
    }

    /// The folder of a run that goes on.
    pub fn existing(path: &Path) -> Self {
        Self {
            path: path.to_path_buf(),
        }
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// `config.toml`: everything needed to repeat the run.
    pub fn config(&self) -> PathBuf {
        self.path.join("config.toml")
    }

    /// `metrics.jsonl`: a line per step and per epoch.
    pub fn metrics(&self) -> PathBuf {
        self.path.join("metrics.jsonl")
    }

    /// `curves.svg`: the learning curves.
    pub fn curves(&self) -> PathBuf {
        self.path.join("curves.svg")
    }

    /// `<net>.safetensors`: the weights of a net, as its last epoch left them.
    pub fn weights(&self, net: &str) -> PathBuf {
        self.path.join(format!("{net}.safetensors"))
    }

    /// `<net>.best.safetensors`: the weights of its best epoch.
    pub fn best_weights(&self, net: &str) -> PathBuf {
        self.path.join(format!("{net}.best.safetensors"))
    }

    /// `checkpoint.safetensors`: what the run goes on from.
    pub fn checkpoint(&self) -> PathBuf {
        self.path.join("checkpoint.safetensors")
    }
}

/// Runs `create` with the folder `parent` made where it is missing; if that fails, what was made is removed.
fn in_parent<T>(parent: &Path, create: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let missing: Vec<&Path> = parent
        .ancestors()
        .take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists())
        .collect();
    fs::create_dir_all(parent)
        .and_then(|()| create())
        .inspect_err(|_| {
            for folder in missing {
                // One that was never made, or that another run uses by now, is rightly not removed.
                let _ = fs::remove_dir(folder);
            }
        })
}

fn cannot_create(path: &Path, error: &io::Error) -> Error {
    Error::file(
        path,
        format!("cannot be used as the run's folder: {error}"),
        "choose a folder that you may write to with --out",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn creates_parents_and_takes_an_empty_folder() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a/b/run");
        let folder = RunFolder::create(&path).unwrap();
        assert!(path.is_dir());
        assert_eq!(RunFolder::create(&path).unwrap(), folder);
        assert_eq!(folder.weights("spinal"), path.join("spinal.safetensors"));
    }

    #[test]
    fn refuses_a_folder_with_something_in_it() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("metrics.jsonl"), "old").unwrap();
        let error = RunFolder::create(root.path()).unwrap_err();
        assert!(
            error.to_string().contains("exists and is not empty"),
            "{error}"
        );
        assert!(error.hint().contains("--out"));
    }

    #[test]
    fn failure_leaves_nothing_behind() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("file"), "").unwrap();
        let too_long = "x".repeat(300);
        for path in [
            "file".into(),
            "file/run".into(),
            format!("new/parent/{too_long}"),
        ] {
            let error = RunFolder::create(&root.path().join(path)).unwrap_err();
            assert!(
                error
                    .to_string()
                    .contains("cannot be used as the run's folder"),
                "{error}"
            );
        }
        assert!(RunFolder::fresh_in(&root.path().join("runs"), &too_long).is_err());
        assert_eq!(names(root.path()), ["file"]);
    }

    #[test]
    fn fresh_takes_the_first_free_number() {
        let root = tempfile::tempdir().unwrap();
        let runs = root.path().join("runs");
        fs::create_dir_all(runs.join("mnist-cnn-0002")).unwrap();
        for _ in 0..2 {
            RunFolder::fresh_in(&runs, "mnist-cnn").unwrap();
        }
        RunFolder::fresh_in(&runs, "regression").unwrap();
        let expected = [
            "mnist-cnn-0001",
            "mnist-cnn-0002",
            "mnist-cnn-0003",
            "regression-0001",
        ];
        assert_eq!(names(&runs), expected);
    }

    #[test]
    fn runs_that_start_together_get_different_folders() {
        let root = tempfile::tempdir().unwrap();
        let runs = root.path().join("runs");
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| RunFolder::fresh_in(&runs, "mnist-cnn").unwrap());
            }
        });
        assert_eq!(names(&runs).len(), 8);
    }
}
