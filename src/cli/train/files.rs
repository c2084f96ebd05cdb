//! The files of a run folder that are written at once: the weights and the curves.

use std::path::Path;

use crate::checkpoint::{self, NamedTensor};
use crate::error::Result;
use crate::models::WeightsMetadata;
use crate::report::curves;
use crate::report::metrics::EpochRecord;
use crate::report::run_folder::RunFolder;
use crate::train::Config;

/// What the files of the weights of one training have in common.
pub struct WeightsFile {
    /// What the files of a net say.
    pub metadata: WeightsMetadata,
    /// The seed of the training.
    pub seed: u64,
}

impl WeightsFile {
    /// Writes the weights that so many whole epochs have made.
    pub fn write(&self, path: &Path, weights: &[NamedTensor], epochs: usize) -> Result<()> {
        let mut entries = self.metadata.entries();
        entries.insert("seed".to_owned(), self.seed.to_string());
        entries.insert("epochs".to_owned(), epochs.to_string());
        checkpoint::save(path, weights, &entries)
    }
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
