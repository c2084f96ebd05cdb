//! The flags of transferred initialisation: which backbone, what it begins with, and what of it is trained.

use std::path::PathBuf;

use clap::Args;

use crate::error::{Error, Result};
use crate::experiment::Experiment;
use crate::models::{self, Freeze, HeadOptions};
use crate::pretrained;
use crate::train::Config;

/// What stands for random weights.
const RANDOM: &str = "none";

/// Which backbone is trained, and from where.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Backbone")]
pub struct BackboneFlags {
    /// The backbone of a transfer experiment: alexnet, vgg11 (13, 16, 19, each with _bn), resnet18 (34, 50, 101, 152),
    /// wide_resnet50_2, wide_resnet101_2, resnext50_32x4d, efficientnet_lite0
    #[arg(long, value_name = "NAME")]
    backbone: Option<String>,
    /// What the backbone begins with: a file of weights, the name of published ones (see `spinal weights list`), or none for
    /// random ones; the published ones of the backbone if not given
    #[arg(long, value_name = "FILE|NAME|none")]
    weights: Option<String>,
    /// The layers that are not trained: none, backbone (all but the head), or until:LAYER
    #[arg(long, value_name = "LAYERS", default_value_t)]
    freeze: Freeze,
    /// Multiply the learning rate of the backbone by this
    #[arg(
        long,
        value_name = "FACTOR",
        default_value_t = 1.0,
        allow_negative_numbers = true
    )]
    lr_backbone: f64,
    /// Repeat the mistake of the authors' script, where it has one: train vgg19_bn with ImageNet's classifier
    #[arg(long, conflicts_with_all = ["net", "backbone"])]
    as_run: bool,
}

/// What the authors' scripts with a dead head train.
const AS_RUN: (&str, &str, u32) = ("vgg19_bn", models::ORIGINAL, 1000);

impl BackboneFlags {
    /// The net that is trained instead of those of the experiment, if its mistake is repeated.
    ///
    /// # Errors
    /// `Error::Usage` if the authors' script makes none.
    pub fn net_as_run(&self, experiment: &Experiment) -> Result<Option<&'static str>> {
        match (self.as_run, experiment.caveat) {
            (false, _) => Ok(None),
            (true, Some(_)) => Ok(Some(AS_RUN.1)),
            (true, None) => Err(Error::usage(
                format!("--as-run: {} is as the authors run it", experiment.name),
                "leave it out, or choose cifar10-wrn or svhn-wrn",
            )),
        }
    }

    /// The configuration with these choices.
    ///
    /// # Errors
    /// `Error::Usage` if the experiment has no such backbone.
    pub fn apply(&self, mut config: Config, experiment: &Experiment) -> Result<Config> {
        self.set_training(&mut config)?;
        if let Some(name) = &self.backbone {
            check_backbone(name, experiment)?;
            config.backbone = Some(name.clone());
        }
        if self.as_run {
            let (family, _, classes) = AS_RUN;
            config.backbone = Some(family.to_owned());
            config.network.head = HeadOptions::UNCHANGED;
            config.network.classes = Some(classes);
        }
        Ok(config)
    }

    /// The weights that the backbone begins with.
    ///
    /// # Errors
    /// `Error::Usage` or `Error::File` if there are no such weights, or they have not been fetched.
    pub fn weights(&self, config: &Config, experiment: &Experiment) -> Result<Option<PathBuf>> {
        let published = experiment.is_transfer().then(|| config.family(experiment));
        let weights = self.weights.as_deref().or(published);
        let weights = weights.filter(|weights| *weights != RANDOM);
        weights
            .map(|weights| pretrained::resolve(weights, None))
            .transpose()
    }

    /// What is trained, and how fast.
    fn set_training(&self, config: &mut Config) -> Result<()> {
        config.freeze = self.freeze.clone();
        config.lr_backbone = self.lr_backbone;
        if self.freeze == Freeze::Backbone && self.lr_backbone != 1.0 {
            return Err(Error::usage(
                "--lr-backbone: the backbone is frozen",
                "leave it out, or use another --freeze",
            ));
        }
        // A rate of 0 would compute gradients for nothing.
        Error::refuse_outside("--lr-backbone", self.lr_backbone, 1e-6, 1e3)
    }
}

fn check_backbone(name: &str, experiment: &Experiment) -> Result<()> {
    if !experiment.is_transfer() {
        return Err(Error::usage(
            format!("--backbone {name}: {} has its own", experiment.name),
            "leave it out, or train the experiment transfer",
        ));
    }
    if models::is_imagenet_backbone(name) {
        return Ok(());
    }
    let backbones: Vec<&str> = models::imagenet_backbones().collect();
    Err(Error::usage(
        format!("--backbone {name}: there is no such backbone"),
        format!("choose one of {}", backbones.join(", ")),
    ))
}
