//! The configuration of a training: the recipe of its experiment with the flags on top.

use super::Train;
use crate::error::{Error, Result};
use crate::experiment::Experiment;
use crate::train::Config;

impl Train {
    /// The recipe of the experiment with the flags on top.
    pub(super) fn config(&self, experiment: &Experiment) -> Result<Config> {
        let nets = experiment.select(&self.net)?;
        if self.init.is_some() && nets.len() > 1 {
            return Err(Error::usage(
                "--init: the weights belong to one net, and two are to be trained",
                format!("add --net, one of {}", experiment.nets.join(", ")),
            ));
        }
        let recipe = self.recipe.config(experiment, &nets)?;
        Ok(Config {
            data: self.data.clone().unwrap_or(recipe.data),
            limit_train: self.limit_train.map(|limit| limit as usize),
            limit_test: self.limit_test.map(|limit| limit as usize),
            seed: self.seed,
            shuffle: !self.no_shuffle,
            init: self.init.clone(),
            ..recipe
        })
    }
}
