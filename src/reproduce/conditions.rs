//! What all trainings of a reproduction have in common besides its settings: `conditions.toml`.
//!
//! A seed that is interrupted goes on to the same bits, and seeds can be compared, only where none of it changes.

use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::Sha256;
use sha2::digest::Digest;

use crate::data::digest::hex;
use crate::environment::Environment;
use crate::error::{Error, Result};
use crate::gpu::Device;
use crate::plan::{Plan, Winners};
use crate::report::history::read_toml;
use crate::tune::Subject;

/// What the trainings of a reproduction run on, and with.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Conditions {
    /// The SHA-256 of the whole data set; none of the functions, which the seed determines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// The SHA-256 of the file of weights that backbones begin with; none where they are drawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<String>,
    /// The SHA-256 of what is dispatched: shaders, constants and grids.
    pub plans: String,
    /// The program and the device.
    pub environment: Environment,
    /// The kernels that were the fastest when the reproduction began, by the keys of their operations.
    #[serde(default, skip_serializing_if = "Winners::is_empty")]
    pub winners: Winners,
}

impl Conditions {
    /// Those of a training on a device by plans of these subjects.
    pub fn on(device: &Device, [data, weights]: [Option<String>; 2], subjects: &[Subject]) -> Self {
        let plans = subjects.iter();
        let plans = plans.map(|subject| (subject.record)(device.kernels()));
        Self {
            data,
            weights,
            plans: digest(plans),
            environment: Environment::of(device),
            winners: device.kernels().winners().cloned().unwrap_or_default(),
        }
    }

    /// Reads a file of them.
    ///
    /// # Errors
    /// `Error::File` if it cannot be read or is none.
    pub(super) fn read(path: &Path) -> Result<Self> {
        read_toml(path)?.try_into().map_err(|error| {
            let what = format!("is not what a reproduction writes: {error}");
            Error::file(path, what, "choose another folder with --out")
        })
    }

    /// The text of the file.
    pub(super) fn text(&self) -> String {
        toml::to_string(self).expect("our own record is valid TOML")
    }

    /// Refuses others than those that were found in the file at `path`.
    pub(super) fn check(&self, found: &Self, path: &Path) -> Result<()> {
        match self.difference(found) {
            None => Ok(()),
            Some(difference) => Err(differs(path, &difference)),
        }
    }

    fn difference(&self, found: &Self) -> Option<String> {
        if let Some(difference) = self.environment.difference(&found.environment) {
            return Some(difference);
        }
        let files = [
            ("data", &found.data, &self.data),
            ("weights", &found.weights, &self.weights),
        ];
        if let Some((what, found, here)) = files.into_iter().find(|(_, found, here)| found != here)
        {
            let text = |hash: &Option<String>| hash.clone().unwrap_or("none".to_owned());
            return Some(format!(
                "{what} = {}, and here it is {}",
                text(found),
                text(here)
            ));
        }
        let others = [
            (self.winners != found.winners, "other kernels as winners"),
            (
                self.plans != found.plans,
                "shaders or shapes of another state of the program",
            ),
        ];
        let differing = others.into_iter().find(|(differs, _)| *differs);
        differing.map(|(_, what)| what.to_owned())
    }
}

/// The SHA-256 of what plans dispatch.
fn digest(plans: impl Iterator<Item = Plan>) -> String {
    let mut digest = Sha256::new();
    for dispatch in plans.flat_map(|plan| plan.dispatches) {
        let (constants, grid) = (&dispatch.constants, dispatch.grid);
        let text = format!("{} {constants:?} {grid:?}\n", dispatch.kernel());
        digest.update(dispatch.shader.source());
        digest.update(text);
    }
    hex(&digest.finalize())
}

/// The refusal to go on with something else than what was found in the file at `path`.
pub(super) fn differs(path: &Path, difference: &str) -> Error {
    Error::file(
        path,
        format!("would not go on bit for bit: it has {difference}"),
        "go on with the same program, device, flags and files, or choose another folder with --out",
    )
}

#[cfg(test)]
pub(super) mod tests {
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
        let error = here.check(&found, &path).err()?;
        assert!(error.hint().contains("--out"));
        Some(error.to_string())
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
