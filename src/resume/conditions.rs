//! What the bits of a training depend on besides its configuration.
//!
//! A training that is interrupted goes on to the same bits, and the seeds of a reproduction, which keeps them in its
//! `conditions.toml`, can be compared, only where none of it changes.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::environment::Environment;
use crate::error::{Error, Result};
use crate::gpu::Device;
use crate::plan::Winners;
use crate::report::history::read_toml;

/// What a training runs on, and with.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Conditions {
    /// The SHA-256 of the whole data set; none of the functions, which the seed determines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// The SHA-256 of the file of weights that nets or their backbones begin with; none where they are drawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<String>,
    /// The SHA-256 of what is dispatched: shaders, constants and grids.
    pub plans: String,
    /// The program and the device.
    pub environment: Environment,
    /// The kernels that were the fastest when the training began, by the keys of their operations.
    #[serde(default, skip_serializing_if = "Winners::is_empty")]
    pub winners: Winners,
}

impl Conditions {
    /// Those of a training on a device with these files, by plans with this SHA-256.
    pub fn on(device: &Device, [data, weights]: [Option<String>; 2], plans: &str) -> Self {
        Self {
            data,
            weights,
            plans: plans.to_owned(),
            environment: Environment::of(device),
            winners: device.kernels().winners().cloned().unwrap_or_default(),
        }
    }

    /// Reads a file of them.
    ///
    /// # Errors
    /// `Error::File` if it cannot be read or is none.
    pub fn read(path: &Path) -> Result<Self> {
        read_toml(path)?.try_into().map_err(|error| {
            let what = format!("is not what a reproduction writes: {error}");
            Error::file(path, what, "choose another folder with --out")
        })
    }

    /// The text of the file.
    pub fn text(&self) -> String {
        toml::to_string(self).expect("our own record is valid TOML")
    }

    /// Refuses others than those that were found in the file at `path`; `hint` says what to do.
    ///
    /// # Errors
    /// `Error::File`, which names the first difference.
    pub fn check(&self, found: &Self, path: &Path, hint: &str) -> Result<()> {
        refuse(self.difference(found), path, hint)
    }

    /// The same of the files that a training reads. It goes on with no others, whatever the user says.
    ///
    /// # Errors
    /// `Error::File`, which names the first difference.
    pub fn check_files(&self, found: &Self, path: &Path, hint: &str) -> Result<()> {
        refuse(self.difference_of_files(found), path, hint)
    }

    /// The first difference to others, in words.
    pub fn difference(&self, found: &Self) -> Option<String> {
        let environment = self.environment.difference(&found.environment);
        let others = [
            (self.winners != found.winners, "other kernels as winners"),
            (
                self.plans != found.plans,
                "shaders or shapes of another state of the program",
            ),
        ];
        let mut others = others.into_iter().filter(|(differs, _)| *differs);
        environment
            .or_else(|| self.difference_of_files(found))
            .or_else(|| others.next().map(|(_, what)| what.to_owned()))
    }

    fn difference_of_files(&self, found: &Self) -> Option<String> {
        let files = [
            ("data", &found.data, &self.data),
            ("weights", &found.weights, &self.weights),
        ];
        let mut differing = files.into_iter().filter(|(_, found, here)| found != here);
        let (what, found, here) = differing.next()?;
        let text = |hash: &Option<String>| hash.clone().unwrap_or("none".to_owned());
        Some(format!(
            "{what} = {}, and here it is {}",
            text(found),
            text(here)
        ))
    }
}

fn refuse(difference: Option<String>, path: &Path, hint: &str) -> Result<()> {
    let what = |difference| format!("would not go on bit for bit: it has {difference}");
    match difference {
        None => Ok(()),
        Some(difference) => Err(Error::file(path, what(difference), hint)),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Some conditions.
    pub fn conditions() -> Conditions {
        let text = |text: &str| text.to_owned();
        Conditions {
            data: Some(text("5f00")),
            weights: Some(text("3a")),
            plans: text("12ab"),
            environment: Environment {
                spinal: text("0.1.0"),
                adapter: text("Some GPU"),
                backend: text("vulkan"),
                driver: text("driver 1"),
                checks: text("trusted"),
                kernels: text("tuned"),
                precision: text("f32"),
                wgpu: text("30.0.1"),
                naga: text("30.0.1"),
            },
            winners: [(text("linear 2x3 #0a"), text("tiled"))].into(),
        }
    }

    type Change = fn(&mut Conditions);

    fn refusal(here: &Conditions) -> Option<String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("conditions.toml");
        std::fs::write(&path, conditions().text()).unwrap();
        let found = Conditions::read(&path).unwrap();
        assert_eq!(found, conditions());
        let error = here.check(&found, &path, "give --out").err()?;
        assert_eq!(error.hint(), "give --out");
        let of_files = here.check_files(&found, &path, "").is_err();
        let message = error.to_string();
        assert_eq!(
            of_files,
            message.contains("data =") || message.contains("weights =")
        );
        Some(message)
    }

    #[test]
    fn every_difference_is_refused_by_name() {
        assert_eq!(refusal(&conditions()), None);
        let changes: [(Change, &str); 10] = [
            (
                |here| here.environment.adapter.clear(),
                "adapter = \"Some GPU\", and here it is \"\"",
            ),
            (
                |here| here.environment.driver.push('2'),
                "driver = \"driver 1\", and here it is \"driver 12\"",
            ),
            (
                |here| here.environment.checks = "checked".into(),
                "checks = \"trusted\", and here it is \"checked\"",
            ),
            (
                |here| here.environment.kernels = "default".into(),
                "kernels = \"tuned\", and here it is \"default\"",
            ),
            (
                |here| here.environment.precision = "f16".into(),
                "precision = \"f32\", and here it is \"f16\"",
            ),
            (
                |here| here.environment.naga.push('0'),
                "naga = \"30.0.1\", and here it is \"30.0.10\"",
            ),
            (
                |here| here.data = Some("77".into()),
                "data = 5f00, and here it is 77",
            ),
            (
                |here| here.weights = None,
                "weights = 3a, and here it is none",
            ),
            (|here| here.winners.clear(), "other kernels as winners"),
            (
                |here| here.plans.clear(),
                "shaders or shapes of another state of the program",
            ),
        ];
        for (change, expected) in changes {
            let mut here = conditions();
            change(&mut here);
            let message = refusal(&here).expect("a difference is refused");
            assert!(message.ends_with(expected), "{message}");
        }
    }

    #[test]
    fn what_is_no_record_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("conditions.toml");
        std::fs::write(&path, "environment = 7").unwrap();
        let error = Conditions::read(&path).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("is not what a reproduction writes"),
            "{error}"
        );
    }
}
