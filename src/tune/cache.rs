//! The winners of earlier measurements on disk: one file for each adapter, driver, mode of checks and compiler of shaders.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Tuned;
use crate::environment::version;
use crate::error::{Error, Result};
use crate::file;
use crate::gpu::Device;
use crate::plan::Winners;
use crate::report::atomic_file;

/// The file of one adapter.
#[derive(Clone, Debug)]
pub struct TuningCache {
    path: PathBuf,
    content: Content,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    device: Identity,
    operations: BTreeMap<String, Winner>,
}

/// What a measurement is valid for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Identity {
    adapter: String,
    backend: String,
    driver: String,
    checks: String,
    wgpu: String,
    naga: String,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Winner {
    kernel: String,
    /// Milliseconds of the winner.
    ms: Option<f64>,
    /// Milliseconds of the layer's first choice.
    default_ms: Option<f64>,
}

/// A cache, and what is to be said about the file it came from.
pub struct Loaded {
    /// The cache; empty if the file is not there or of no use.
    pub cache: TuningCache,
    /// Why the file was ignored.
    pub notice: Option<String>,
}

impl TuningCache {
    /// Reads the device's file in `folder`. One that is corrupt or belongs to another device is ignored, with a notice.
    pub fn load(folder: &Path, device: &Device) -> Loaded {
        let adapter = device.adapter();
        let device = Identity {
            adapter: adapter.name.clone(),
            backend: adapter.backend.clone(),
            driver: adapter.driver.clone(),
            checks: device.checks().name().to_owned(),
            wgpu: version("wgpu").to_owned(),
            naga: version("naga").to_owned(),
        };
        let path = folder.join(device.file_name());
        let (operations, notice) = match read(&path, &device) {
            Ok(operations) => (operations, None),
            Err(reason) => (BTreeMap::new(), Some(reason)),
        };
        let content = Content { device, operations };
        Loaded {
            cache: Self { path, content },
            notice,
        }
    }

    /// The fastest candidates by the keys of their operations.
    pub fn winners(&self) -> Winners {
        let operations = self.content.operations.iter();
        operations
            .map(|(key, winner)| (key.clone(), winner.kernel.clone()))
            .collect()
    }

    /// Takes in measurements.
    pub fn extend<'a>(&mut self, tuned: impl IntoIterator<Item = &'a Tuned>) {
        for operation in tuned {
            let [default_ms, ms] = operation.ms();
            let winner = Winner {
                kernel: operation.winner().to_owned(),
                ms,
                default_ms,
            };
            self.content
                .operations
                .insert(operation.key.clone(), winner);
        }
    }

    /// Writes the file, and the folder if it is not there.
    ///
    /// # Errors
    /// `Error::File` if that is not possible.
    pub fn save(&self) -> Result<()> {
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder).map_err(|error| {
                let hint = "name a folder that can be written to with $SPINAL_CACHE";
                Error::file(folder, format!("cannot be created: {error}"), hint)
            })?;
        }
        let text = serde_json::to_string_pretty(&self.content).expect("our own records are JSON");
        atomic_file::write(&self.path, text.as_bytes())
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Identity {
    /// A name that is readable, and different for different devices.
    fn file_name(&self) -> String {
        let Self {
            adapter,
            backend,
            driver,
            checks,
            wgpu,
            naga,
        } = self;
        let whole = format!("{adapter} {backend} {driver} {checks} wgpu {wgpu} naga {naga}");
        let plain = |letter: char| {
            if letter.is_ascii_alphanumeric() || letter == '.' {
                letter.to_ascii_lowercase()
            } else {
                '-'
            }
        };
        format!("{}.json", whole.chars().map(plain).collect::<String>())
    }
}

/// The operations in a file, none if there is no file, or why they are of no use.
fn read(path: &Path, device: &Identity) -> std::result::Result<BTreeMap<String, Winner>, String> {
    if !path.try_exists().unwrap_or(true) {
        return Ok(BTreeMap::new());
    }
    let because =
        |reason: Error| format!("{reason}; it is ignored, and `spinal tune` writes it anew");
    let ignored = |what: String| because(Error::file(path, what, ""));
    let text = file::read_text(path, "").map_err(because)?;
    let content: Content = serde_json::from_str(&text)
        .map_err(|error| ignored(format!("is no tuning cache: {error}")))?;
    if content.device != *device {
        return Err(ignored(format!(
            "was measured on {} ({}) with naga {}",
            content.device.adapter, content.device.driver, content.device.naga
        )));
    }
    Ok(content.operations)
}
