//! The flags that change a recipe.

use clap::Args;

use crate::data::augment::Augmentation;
use crate::error::{Error, Result};
use crate::experiment::{DataKind, Experiment};
use crate::recipe::{Normalization, OptimizerName, Validation};
use crate::train::{Config, MAX_LR};

/// How long a training is: the one point of a recipe that may change while a run is stopped.
#[derive(Args, Clone, Copy, Debug, Default)]
#[command(next_help_heading = "Recipe")]
pub struct LengthFlag {
    /// Passes over the training data; 0 writes the initial weights and evaluates them
    #[arg(long, value_name = "N")]
    epochs: Option<u32>,
}

impl LengthFlag {
    /// The number of epochs, `epochs` if not given.
    ///
    /// # Errors
    /// `Error::Usage` if the schedule of `config` ends before.
    pub fn apply(self, config: &Config, epochs: usize) -> Result<usize> {
        let epochs = self.epochs.map_or(epochs, |epochs| epochs as usize);
        let schedules = config.nets.iter().map(|net| config.schedule_of(net));
        match schedules.filter_map(|schedule| schedule.epochs()).min() {
            Some(longest) if epochs > longest => Err(Error::usage(
                format!("--epochs {epochs}: the phases of the schedule end after {longest}"),
                "use fewer, or give another --schedule",
            )),
            _ => Ok(epochs),
        }
    }
}

/// Flags that stand for what the recipe of an experiment says, where they are given.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Recipe")]
pub struct RecipeFlags {
    /// Samples of a step
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=8192))]
    batch_size: Option<u32>,
    /// Samples that go through a net at once, where they are fewer than those of a step: what gradients of a step take less
    /// memory for. They add up before one update
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=8192))]
    micro_batch: Option<u32>,
    /// The optimiser
    #[arg(long, value_enum)]
    optimizer: Option<OptimizerName>,
    /// The learning rate that the schedule starts from
    #[arg(long, value_name = "RATE", allow_negative_numbers = true)]
    lr: Option<f64>,
    /// The learning rates over the epochs, of all nets: constant, cosine, step:7:0.1, random:3:worse, random:3:not-better,
    /// random-after:100:0.05:3:fresh, divide:3:worse, divide:3:after=2,22-, or phases:0.01x10,0.001x5:fresh with one of the
    /// others behind (:step:7:0.1)
    #[arg(long, value_name = "RULE")]
    schedule: Option<String>,
    /// SGD's momentum
    #[arg(long, value_name = "FRACTION", allow_negative_numbers = true)]
    momentum: Option<f64>,
    /// Use Nesterov's momentum (SGD)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    nesterov: Option<bool>,
    /// The share of the parameters added to their gradients; with adamw, taken from the parameters instead
    #[arg(long, value_name = "FRACTION", allow_negative_numbers = true)]
    weight_decay: Option<f64>,
    /// Scale the gradients down where all of them together are longer than this
    #[arg(long, value_name = "NORM", allow_negative_numbers = true)]
    clip_norm: Option<f64>,
    /// What the schedule and the best epoch are judged by: training samples that are held out (the data set's own
    /// validation samples, or every tenth), or none, and so the test set
    #[arg(long, value_enum)]
    validation: Option<Validation>,
    /// End each phase of the schedule, and the training, with the weights of the best epoch
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    reload_best: Option<bool>,
    /// Stop training a net after N epochs that were no better than its best
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    patience: Option<u32>,
    /// How pixels are normalised
    #[arg(long, value_name = "NAME", value_enum)]
    normalize: Option<Normalization>,
    /// What happens to training images on their way into a batch: none, perspective-rotation, rotation-crop, crop-flip, or
    /// operations such as resize:272+rotate:15+crop:256+flip, behind a / those of evaluation
    #[arg(long, value_name = "NAME|OPERATIONS")]
    augment: Option<Augmentation>,
    /// Train on the images as they are, whatever the recipe says
    #[arg(long, conflicts_with = "augment")]
    no_augment: bool,
    /// Leave the nets' dropout out
    #[arg(long)]
    no_dropout: bool,
}

impl RecipeFlags {
    /// The recipe of an experiment for a data set with the flags on top, for some of its nets.
    ///
    /// # Errors
    /// `Error::Usage` if a flag is out of range or contradicts another or the recipe.
    pub fn config(
        &self,
        experiment: &Experiment,
        nets: &[&str],
        data: Option<&str>,
        length: LengthFlag,
    ) -> Result<Config> {
        let mut config = Config::of_recipe(experiment, nets, data);
        config.batch_size = self.batch_size.unwrap_or(config.batch_size);
        self.set_micro_batch(&mut config)?;
        config.dropout = !self.no_dropout;
        self.set_optimizer(&mut config)?;
        self.set_rates(&mut config, length)?;
        self.set_selection(&mut config)?;
        self.set_pixels(&mut config, experiment)?;
        Ok(config)
    }

    fn set_micro_batch(&self, config: &mut Config) -> Result<()> {
        config.micro_batch = self.micro_batch;
        match self.micro_batch {
            Some(samples) if samples > config.batch_size => Err(Error::usage(
                format!(
                    "--micro-batch {samples}: a step has {} samples",
                    config.batch_size
                ),
                "choose fewer, or a larger --batch-size",
            )),
            _ => Ok(()),
        }
    }

    /// What happens to images before a net sees them.
    fn set_pixels(&self, config: &mut Config, experiment: &Experiment) -> Result<()> {
        let flag = match (self.normalize, self.augment) {
            (Some(_), _) => Some("--normalize"),
            (None, Some(_)) => Some("--augment"),
            (None, None) => None,
        };
        if let (Some(flag), DataKind::Regression) = (flag, experiment.data) {
            return Err(Error::usage(
                format!("{flag}: {} has no pixels", experiment.name),
                "leave it out",
            ));
        }
        config.normalization = self.normalize.unwrap_or(config.normalization);
        config.augment = match self.no_augment {
            true => Augmentation::None,
            false => self.augment.unwrap_or(config.augment),
        };
        Ok(())
    }

    /// Whether `--normalize` is among them.
    pub fn choose_normalization(&self) -> bool {
        self.normalize.is_some()
    }

    /// Whether `--validation` is among them.
    pub fn choose_validation(&self) -> bool {
        self.validation.is_some()
    }

    fn set_optimizer(&self, config: &mut Config) -> Result<()> {
        config.optimizer = self.optimizer.unwrap_or(config.optimizer);
        if config.optimizer != OptimizerName::Sgd {
            self.refuse_momentum()?;
            (config.momentum, config.nesterov) = (0.0, false);
        }
        config.momentum = self.momentum.unwrap_or(config.momentum);
        Error::refuse_outside("--momentum", config.momentum, 0.0, 1.0)?;
        config.nesterov = self.nesterov.unwrap_or(config.nesterov);
        if config.nesterov && config.momentum == 0.0 {
            return Err(Error::usage(
                "--nesterov: there is no momentum",
                "add --momentum, or use --nesterov=false",
            ));
        }
        config.weight_decay = self.weight_decay.unwrap_or(config.weight_decay);
        Error::refuse_outside("--weight-decay", config.weight_decay, 0.0, 1.0)?;
        config.clip_norm = self.clip_norm.or(config.clip_norm);
        // Below the 1e-6 that is added to the norm, clipping would be no longer what it says.
        Error::refuse_outside("--clip-norm", config.clip_norm.unwrap_or(1.0), 1e-6, 1e6)
    }

    fn refuse_momentum(&self) -> Result<()> {
        let flag = match (self.momentum, self.nesterov) {
            (Some(_), _) => "--momentum",
            (None, Some(true)) => "--nesterov",
            _ => return Ok(()),
        };
        Err(Error::usage(
            format!("{flag}: Adam has no such momentum"),
            "leave it out, or add --optimizer sgd",
        ))
    }

    /// Epochs, learning rate and schedule.
    fn set_rates(&self, config: &mut Config, length: LengthFlag) -> Result<()> {
        if let Some(schedule) = &self.schedule {
            config.schedule = schedule.parse()?;
            config.net_schedules.clear();
            config.epochs = config.schedule.epochs().unwrap_or(config.epochs);
        }
        config.lr = self.lr.unwrap_or(config.lr);
        Error::refuse_outside("--lr", config.lr, 0.0, MAX_LR)?;
        if let Some(phases) = &config.schedule.phases {
            if self.lr.is_some() {
                return Err(Error::usage(
                    "--lr: the phases of the schedule have rates of their own",
                    "leave it out, or give another --schedule",
                ));
            }
            config.lr = phases.list[0].lr;
        }
        config.epochs = length.apply(config, config.epochs)?;
        Ok(())
    }

    /// What the best epoch is, and what follows from it.
    fn set_selection(&self, config: &mut Config) -> Result<()> {
        config.validation = self.validation.unwrap_or(config.validation);
        config.reload_best = self.reload_best.unwrap_or(config.reload_best);
        config.patience = self.patience.map(|epochs| epochs as usize);
        let flag = match (self.patience, self.reload_best) {
            (Some(_), _) => "--patience",
            (None, Some(true)) => "--reload-best",
            _ => return Ok(()),
        };
        if config.epochs == 0 {
            return Err(Error::usage(
                format!("{flag}: without epochs there is no best one"),
                "leave it out, or use more --epochs",
            ));
        }
        Ok(())
    }
}
