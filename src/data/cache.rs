//! Where fetched data sets lie.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// The environment variable that names the folder.
pub const CACHE_VARIABLE: &str = "SPINAL_CACHE";

/// The folder of fetched data sets, each in a folder of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// The folder given; else `$SPINAL_CACHE`, `$XDG_CACHE_HOME/spinalnet` or `~/.cache/spinalnet`.
    ///
    /// # Errors
    /// None of them.
    pub fn choose(folder: Option<&Path>) -> Result<Self> {
        let home = std::env::home_dir();
        Self::choose_from(folder, |name| std::env::var_os(name), home)
    }

    fn choose_from(
        folder: Option<&Path>,
        variable: impl Fn(&str) -> Option<OsString>,
        home: Option<PathBuf>,
    ) -> Result<Self> {
        let path = |name: &str| {
            let value = variable(name).filter(|value| !value.is_empty());
            value.map(PathBuf::from)
        };
        // The XDG base directory specification asks to ignore a relative path.
        let xdg = path("XDG_CACHE_HOME").filter(|path| path.is_absolute());
        let home = home.filter(|home| home.is_absolute());
        folder
            .map(Path::to_path_buf)
            .or_else(|| path(CACHE_VARIABLE))
            .or_else(|| xdg.map(|xdg| xdg.join("spinalnet")))
            .or_else(|| home.map(|home| home.join(".cache/spinalnet")))
            .map(|folder| Self { folder })
            .ok_or_else(|| {
                Error::usage(
                    "there is no folder for fetched data: neither a home folder nor a cache is set",
                    format!("give --cache DIR, or set {CACHE_VARIABLE}"),
                )
            })
    }

    /// The folder of fetched data sets.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder in which the files of a package lie once they are all there.
    pub fn package(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The folder of pictures that were decoded once.
    pub fn decoded_pictures(&self) -> PathBuf {
        self.folder.join("pictures")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(
        flag: Option<&str>,
        variables: &[(&str, &str)],
        home: Option<&str>,
    ) -> Result<PathBuf> {
        let variable = |name: &str| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| OsString::from(value))
        };
        let home = home.map(PathBuf::from);
        let cache = Cache::choose_from(flag.map(Path::new), variable, home)?;
        Ok(cache.folder().to_path_buf())
    }

    #[cfg(unix)]
    #[test]
    fn flag_then_variable_then_xdg_then_home() {
        let all = [("SPINAL_CACHE", "own"), ("XDG_CACHE_HOME", "/xdg")];
        let home = Some("/home/me");
        let is = |found: Result<PathBuf>, expected: &str| {
            assert_eq!(found.unwrap(), Path::new(expected));
        };
        is(choose(Some("flag"), &all, home), "flag");
        is(choose(None, &all, home), "own");
        is(choose(None, &all[1..], home), "/xdg/spinalnet");
        is(choose(None, &[], home), "/home/me/.cache/spinalnet");
        let useless = [("SPINAL_CACHE", ""), ("XDG_CACHE_HOME", "relative")];
        is(choose(None, &useless, home), "/home/me/.cache/spinalnet");
    }

    #[test]
    fn no_place_at_all_is_an_error() {
        let error = choose(None, &[], None).unwrap_err();
        assert!(error.hint().contains("--cache DIR"));
        assert!(choose(None, &[], Some("")).is_err());
    }
}
