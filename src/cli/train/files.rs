//! The files of a run folder that are written at once: the configuration, the weights and the curves.

use crate::checkpoint;
use crate::environment::Environment;
use crate::error::Result;
use crate::gpu::Device;
use crate::report::metrics::EpochRecord;
use crate::report::run_folder::RunFolder;
use crate::report::{atomic_file, curves};
use crate::train::{Config, Trainer};

/// `config.toml`: the configuration, and for the record the program and the device.
#[derive(serde::Serialize)]
struct ConfigFile<'a> {
    #[serde(flatten)]
    config: &'a Config,
    environment: Environment,
}

/// Writes `config.toml`.
pub fn write_config(folder: &RunFolder, config: &Config, device: &Device) -> Result<()> {
    let file = ConfigFile {
        config,
        environment: Environment::of(device),
    };
    let text = toml::to_string(&file).expect("our own configuration is valid TOML");
    atomic_file::write(&folder.config(), text.as_bytes())
}

/// Writes the weights of every net.
pub fn write_weights(folder: &RunFolder, trainer: &Trainer, config: &Config) -> Result<()> {
    for (index, net) in config.nets.iter().enumerate() {
        let mut metadata = trainer.metadata(index).entries();
        metadata.insert("seed".to_owned(), config.seed.to_string());
        checkpoint::save(&folder.weights(net), &trainer.weights(index)?, &metadata)?;
    }
    Ok(())
}

/// Draws the curves of every net from the epochs of all.
pub fn write_curves(folder: &RunFolder, config: &Config, epochs: &[EpochRecord]) -> Result<()> {
    let of_net = |net: &String| curves::Curve {
        name: net.clone(),
        runs: vec![EpochRecord::of_net(epochs, net)],
    };
    let row = curves::Row {
        title: format!("{} on {}", config.experiment, config.data),
        nets: config.nets.iter().map(of_net).collect(),
    };
    curves::write(&folder.curves(), &[row])
}
