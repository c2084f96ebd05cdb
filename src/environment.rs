//! What the bits of a training depend on besides its configuration: the program, the device, and how kernels are chosen.

use serde::{Deserialize, Serialize};
use toml::Table;

use crate::gpu::Device;

/// The packages that this program is built of, with their versions.
const PACKAGES: &str = include_str!("../Cargo.lock");

/// What a training runs on, as `config.toml` says it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Environment {
    /// The version of this program.
    pub spinal: String,
    /// The adapter's name.
    pub adapter: String,
    /// How it is reached.
    pub backend: String,
    /// Its driver, with the version.
    pub driver: String,
    /// `checked` or `trusted`.
    pub checks: String,
    /// How kernels are chosen.
    pub kernels: String,
    /// How exact the factors of products are.
    pub precision: String,
    /// The version of wgpu.
    pub wgpu: String,
    /// The version of naga, which compiles the shaders.
    pub naga: String,
}

impl Environment {
    /// That of the trainings on a device.
    pub fn of(device: &Device) -> Self {
        let (adapter, kernels) = (device.adapter(), device.kernels());
        Self {
            spinal: env!("CARGO_PKG_VERSION").to_owned(),
            adapter: adapter.name.clone(),
            backend: adapter.backend.clone(),
            driver: adapter.driver.clone(),
            checks: device.checks().name().to_owned(),
            kernels: kernels.choice_name().to_owned(),
            precision: kernels.precision().name().to_owned(),
            wgpu: version("wgpu").to_owned(),
            naga: version("naga").to_owned(),
        }
    }

    /// The first entry in which `found` is another, in words: what is there, and what is here.
    pub fn difference(&self, found: &Self) -> Option<String> {
        let table = |of| Table::try_from(of).expect("our own record is valid TOML");
        let (here, found) = (table(self), table(found));
        let mut entries = here.iter().zip(&found);
        let ((key, here), (_, found)) = entries.find(|(here, found)| here != found)?;
        Some(format!("{key} = {found}, and here it is {here}"))
    }
}

/// The version of a package that this program is built of.
///
/// # Panics
/// If it is not built of the package.
pub fn version(package: &str) -> &'static str {
    let start = format!("name = \"{package}\"\nversion = \"");
    let mut entries = PACKAGES.split("[[package]]\n");
    let version = entries.find_map(|entry| entry.strip_prefix(&start)?.split('"').next());
    version.unwrap_or_else(|| panic!("Cargo.lock has no {package}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment() -> Environment {
        let text = |text: &str| text.to_owned();
        Environment {
            spinal: text("0.1.0"),
            adapter: text("Some GPU"),
            backend: text("vulkan"),
            driver: text("driver 1"),
            checks: text("trusted"),
            kernels: text("default"),
            precision: text("f32"),
            wgpu: text("30.0.1"),
            naga: text("30.0.1"),
        }
    }

    #[test]
    fn the_first_difference_is_named() {
        assert_eq!(environment().difference(&environment()), None);
        let other = Environment {
            driver: "driver 2".to_owned(),
            ..environment()
        };
        assert_eq!(
            other.difference(&environment()).unwrap(),
            "driver = \"driver 1\", and here it is \"driver 2\""
        );
    }

    #[test]
    fn versions_are_those_of_the_lock_file() {
        for package in ["wgpu", "naga"] {
            let numbers: Vec<u64> = version(package)
                .split('.')
                .map(|number| number.parse().expect("a release has numbers"))
                .collect();
            assert_eq!(numbers.len(), 3, "{package}");
        }
        assert_eq!(version("spinalnet"), env!("CARGO_PKG_VERSION"));
    }
}
