//! `spinal train`: the main job.

mod backbone_flags;
pub mod data_flags;
pub mod dataset;
pub mod files;
pub mod recipe_flags;
pub mod recorder;
mod summary;
pub mod training_flags;

use std::path::PathBuf;

use clap::Args;
use clap::builder::RangedU64ValueParser;

use super::device::DeviceFlags;
use super::interruption::Interruption;
use super::kernels::note_compilation;
use super::output::{note, print};
use super::text;
use crate::error::{Error, Result};
use crate::experiment::{self, Experiment};
use crate::report::metrics::EpochRecord;
use crate::report::run_folder::RunFolder;
use crate::report::summary::render;
use crate::train::{self, Config, End, Trainer};
use recorder::Recorder;
use training_flags::{TrainingFlags, refuse_several};

/// Flags of `spinal train`.
#[derive(Args, Debug)]
pub struct Train {
    /// What is trained: mnist-cnn, mnist-cnn-ablations, arch2, vgg5, cifar-cnn, cifar-vgg11 (13, 16, 19), cifar-resnet18 (34),
    /// wrn-28-10, wrn-16-8, mlp, custom, regression, regression-ablations; transfer, and by the authors' transfer scripts mnist-vgg19,
    /// fashion-wrn, cifar10-wrn, cifar100-wrn, stl10-wrn, svhn-wrn, cinic10-wrn, caltech101-wrn, birds-wrn, birds-vgg19, cars-wrn,
    /// fruits-wrn, flowers-wrn, hymenoptera-resnet18, monkeys-alexnet
    #[arg(default_value = "mnist-cnn")]
    experiment: String,
    /// Keep the file order of the training samples
    #[arg(long, help_heading = "Data")]
    no_shuffle: bool,
    /// Determines initial weights, order, dropout masks and random learning rates
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Recipe", value_parser = seed_parser())]
    seed: u64,
    /// Start from these weights instead of random ones (with one net)
    #[arg(long, value_name = "FILE.safetensors", help_heading = "Recipe", conflicts_with = "weights", value_parser = text::parser::<PathBuf>())]
    init: Option<PathBuf>,
    /// The run folder; a fresh one under runs/ if not given
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    training: TrainingFlags,
    #[command(flatten)]
    device: DeviceFlags,
}

impl Train {
    /// Trains, and leaves a run folder behind.
    pub fn run(&self) -> Result<()> {
        let experiment = experiment::find(&self.experiment)?;
        let config = self.config(experiment)?;
        if let Some(path) = &self.out {
            RunFolder::check(path)?;
        }
        let (dataset, limits) = dataset::load(&config, experiment)?;
        train::check(&config, &dataset)?;
        let mut device = self.device.open()?;
        let subjects = || train::subjects(&config, &dataset);
        self.device.kernels.refine(&mut device, subjects)?;
        let mut trainer = Trainer::new(&device, config.clone(), dataset)?;
        let folder = match &self.out {
            Some(path) => RunFolder::create(path)?,
            None => RunFolder::fresh(experiment.name)?,
        };
        files::write_config(&folder, &config, &device)?;
        note(format!(
            "device memory: {:.1} MB",
            trainer.device_bytes() as f64 / 1e6
        ));
        note_compilation(&device);

        trainer.notes().iter().for_each(note);
        trainer.micro_batch_note().into_iter().for_each(note);

        let mut recorder = Recorder::new(&folder, Interruption::catch())?;
        let mut summaries = summary::before_training(&mut trainer, &config)?;
        for initial in summaries.iter().filter_map(|net| net.initial.as_ref()) {
            recorder.initial(initial)?;
        }
        let end = trainer.run(&mut recorder);
        let written = files::write_weights(&folder, &trainer, &config);
        let interrupted = end? == End::Interrupted;
        written?;
        for summary in &mut summaries {
            summary.epochs = EpochRecord::of_net(&recorder.epochs, &summary.name);
        }
        files::write_curves(&folder, &config, &recorder.epochs)?;
        let limits = limits.iter().map(|limit| format!("{limit}\n"));
        let limits = limits.collect::<String>();
        print(format!("\n{limits}{}", render(&summaries)))?;
        print(format!("run folder: {}", folder.path().display()))?;
        if interrupted {
            return Err(Error::training(
                "interrupted: the unfinished epoch is not counted",
                format!("the weights so far are in {}", folder.path().display()),
            ));
        }
        Ok(())
    }

    /// The recipe of the experiment with the flags on top.
    fn config(&self, experiment: &Experiment) -> Result<Config> {
        let config = self.training.config(experiment)?;
        if self.init.is_some() {
            let what = "--init: the weights belong to one net";
            refuse_several(what, config.nets.len(), experiment)?;
        }
        // Weights of a whole net leave nothing to begin otherwise.
        let weights = match self.init {
            Some(_) => None,
            None => self.training.backbone.weights(&config, experiment)?,
        };
        Ok(Config {
            weights,
            seed: self.seed,
            shuffle: !self.no_shuffle,
            init: self.init.clone(),
            ..config
        })
    }
}

/// TOML's integers, and so those of `config.toml`, are signed.
fn seed_parser() -> RangedU64ValueParser {
    RangedU64ValueParser::new().range(..=i64::MAX as u64)
}
