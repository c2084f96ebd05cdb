//! What a run shows at its end: the table and the picture.

use crate::cli::output::print;
use crate::error::Result;
use crate::report::curves;
use crate::report::run_folder::RunFolder;
use crate::report::summary::{self, NetSummary};
use crate::steps::multiplications;
use crate::train::{Config, Trainer};

/// What each net costs and, if nothing is trained, how its initial weights do.
pub fn before_training(trainer: &mut Trainer, config: &Config) -> Result<Vec<NetSummary>> {
    (0..config.nets.len())
        .map(|index| {
            let model = trainer.nets()[index].model();
            let (parameters, multiplications) = (model.parameters.count(), multiplications(model));
            let name = config.nets[index].clone();
            let initial = match config.epochs {
                0 => Some(trainer.scores(index)?),
                _ => None,
            };
            Ok(NetSummary {
                name,
                parameters,
                multiplications,
                epochs: Vec::new(),
                initial,
            })
        })
        .collect()
}

/// Draws the curves and prints the table.
pub fn finish(folder: &RunFolder, config: &Config, summaries: Vec<NetSummary>) -> Result<()> {
    let title = format!("{} on {}", config.experiment, config.data);
    let nets: Vec<_> = summaries
        .iter()
        .map(|net| curves::Curve {
            name: net.name.clone(),
            runs: vec![net.epochs.clone()],
        })
        .collect();
    curves::write(&folder.curves(), &[curves::Row { title, nets }])?;
    print(format!("\n{}", summary::render(&summaries)))?;
    print(format!("run folder: {}", folder.path().display()))
}
