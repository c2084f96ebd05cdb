//! The configuration of a training: the recipe of its experiment with the flags on top.

use super::Train;
use crate::error::{Error, Result};
use crate::experiment::Experiment;
use crate::train::Config;

impl Train {
    /// The recipe of the experiment with the flags on top.
    pub(super) fn config(&self, experiment: &Experiment) -> Result<Config> {
        let net = self.net.as_deref().unwrap_or(experiment.default_net);
        let nets = experiment.select(net)?;
        let network = self.network.options();
        let one_net = [
            (self.init.is_some(), "--init: the weights belong to one net"),
            (network.head.head.is_some(), "--head: it is for one net"),
        ];
        for (given, what) in one_net {
            if given {
                refuse_several(what, &nets, experiment)?;
            }
        }
        let data = self.data.data.as_deref();
        let recipe = self.recipe.config(experiment, &nets, data)?;
        Ok(Config {
            seed: self.seed,
            shuffle: !self.no_shuffle,
            init: self.init.clone(),
            network,
            ..self.data.apply(recipe)
        })
    }
}

/// Refuses more than one net where that makes no sense.
pub fn refuse_several(what: &str, nets: &[&str], experiment: &Experiment) -> Result<()> {
    if nets.len() == 1 {
        return Ok(());
    }
    Err(Error::usage(
        format!("{what}, and {} are to be trained", nets.len()),
        format!("add --net, one of {}", experiment.nets.join(", ")),
    ))
}
