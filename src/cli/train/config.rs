//! The configuration of a training: the recipe of its experiment with the flags on top.

use super::Train;
use crate::error::{Error, Result};
use crate::experiment::{Experiment, OptimizerName};
use crate::train::Config;

impl Train {
    /// The recipe of the experiment with the flags on top.
    pub(super) fn config(&self, experiment: &Experiment) -> Result<Config> {
        let recipe = experiment.recipe;
        let nets = experiment.select(&self.net)?;
        if self.init.is_some() && nets.len() > 1 {
            return Err(Error::usage(
                "--init: the weights belong to one net, and two are to be trained",
                format!("add --net, one of {}", experiment.nets.join(", ")),
            ));
        }
        let optimizer = self.optimizer.unwrap_or(recipe.optimizer);
        if self.momentum.is_some() && optimizer == OptimizerName::Adam {
            return Err(Error::usage(
                "--momentum: Adam has none",
                "leave it out, or add --optimizer sgd",
            ));
        }
        let momentum = match optimizer {
            OptimizerName::Sgd => self.momentum.unwrap_or(recipe.momentum),
            OptimizerName::Adam => 0.0,
        };
        check_range("--momentum", momentum, 0.0, 1.0)?;
        let lr = self.lr.unwrap_or(recipe.lr);
        check_range("--lr", lr, 0.0, 1e6)?;
        Ok(Config {
            experiment: experiment.name.to_owned(),
            nets: nets.into_iter().map(str::to_owned).collect(),
            data: self
                .data
                .clone()
                .unwrap_or_else(|| experiment.default_data().to_owned()),
            limit_train: self.limit_train.map(|limit| limit as usize),
            limit_test: self.limit_test.map(|limit| limit as usize),
            epochs: self.epochs.map_or(recipe.epochs, |epochs| epochs as usize),
            batch_size: self.batch_size.unwrap_or(recipe.batch_size),
            optimizer,
            lr,
            momentum,
            seed: self.seed,
            shuffle: !self.no_shuffle,
            dropout: !self.no_dropout,
            init: self.init.clone(),
        })
    }
}

fn check_range(flag: &str, value: f64, low: f64, high: f64) -> Result<()> {
    if (low..=high).contains(&value) {
        return Ok(());
    }
    Err(Error::usage(
        format!("{flag} {value}: it must be from {low} to {high}"),
        "choose a value in this range",
    ))
}
