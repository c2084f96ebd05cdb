//! The flags that say what is trained, on what and how: those that `train` and `reproduce` have in common.

use clap::Args;

use super::backbone_flags::BackboneFlags;
use super::data_flags::DataFlags;
use super::recipe_flags::{LengthFlag, RecipeFlags};
use crate::cli::model::ModelFlags;
use crate::error::{Error, Result};
use crate::experiment::Experiment;
use crate::recipe::Normalization;
use crate::train::Config;

/// What is trained, on what and how.
#[derive(Args, Debug)]
pub struct TrainingFlags {
    /// spinal, baseline, both, all, or variants (see `spinal list`), with commas between
    #[arg(long, value_name = "NETS")]
    net: Option<String>,
    #[command(flatten)]
    pub data: DataFlags,
    #[command(flatten)]
    pub length: LengthFlag,
    #[command(flatten)]
    pub recipe: RecipeFlags,
    #[command(flatten)]
    network: ModelFlags,
    #[command(flatten)]
    pub backbone: BackboneFlags,
}

impl TrainingFlags {
    /// The recipe of the experiment with the flags on top, but for the weights to begin with.
    ///
    /// # Errors
    /// `Error::Usage` if a flag contradicts another or the recipe.
    pub fn config(&self, experiment: &Experiment) -> Result<Config> {
        let nets = match self.backbone.net_as_run(experiment)? {
            Some(net) => vec![net],
            None => experiment.select(self.net.as_deref().unwrap_or(experiment.default_net))?,
        };
        let network = self.network.options();
        if network.head.head.is_some() {
            refuse_several("--head: it is for one net", nets.len(), experiment)?;
        }
        let data = self.data.data.as_deref();
        let length = self.length;
        let recipe = self.recipe.config(experiment, &nets, data, length)?;
        let config = Config {
            network: network.or(experiment.head),
            ..self.data.apply(recipe)
        };
        let mut config = self.backbone.apply(config, experiment)?;
        if config.normalization == Normalization::ImageNet && !self.recipe.choose_normalization() {
            config.normalization = Normalization::of_backbone(config.family(experiment));
        }
        Ok(config)
    }
}

/// Refuses more than one net where that makes no sense.
pub fn refuse_several(what: &str, nets: usize, experiment: &Experiment) -> Result<()> {
    if nets == 1 {
        return Ok(());
    }
    Err(Error::usage(
        format!("{what}, and {nets} are to be trained"),
        format!("add --net, one of {}", experiment.nets.join(", ")),
    ))
}
