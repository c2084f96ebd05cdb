//! What the closing table of a run knows before anything is trained.

use crate::error::Result;
use crate::report::summary::NetSummary;
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
