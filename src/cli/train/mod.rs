//! `spinal train`: the main job.

mod backbone_flags;
pub mod checkpoint_flags;
pub mod data_flags;
pub mod dataset;
mod files;
pub mod recipe_flags;
mod recorder;
pub mod run;
mod start;
mod summary;
pub mod training_flags;

use std::path::PathBuf;

use clap::Args;
use clap::builder::RangedU64ValueParser;

use super::command;
use super::device::DeviceFlags;
use super::interruption::Interruption;
use super::kernels::note_compilation;
use super::output::{note, print};
use super::text;
use crate::data::digest;
use crate::environment::Environment;
use crate::error::Result;
use crate::experiment::{self, Experiment};
use crate::report::run_folder::RunFolder;
use crate::report::summary::render;
use crate::resume::{Conditions, ConfigFile, Lock};
use crate::train::{self, Config, End, Trainer};
use checkpoint_flags::CheckpointFlags;
use run::Run;
use start::{Start, StoppedRun};
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
    /// Go on with the run in this folder, bit for bit as if it had never stopped; --epochs may be raised
    #[arg(long, value_name = "RUN", help_heading = "Checkpoints", conflicts_with_all = NOT_ON_RESUME)]
    resume: Option<PathBuf>,
    /// Go on also with another device, driver or program, which gives other bits and is written into the run's config.toml
    #[arg(long, help_heading = "Checkpoints", requires = "resume")]
    resume_anyway: bool,
    #[command(flatten)]
    checkpoints: CheckpointFlags,
    #[command(flatten)]
    device: DeviceFlags,
}

/// What a run that goes on has decided already, by argument or group of arguments.
const NOT_ON_RESUME: [&str; 10] = [
    "experiment",
    "no_shuffle",
    "seed",
    "init",
    "out",
    "net",
    "DataFlags",
    "RecipeFlags",
    "ModelFlags",
    "BackboneFlags",
];

impl Train {
    /// Trains, and leaves a run folder behind.
    pub fn run(&self) -> Result<()> {
        let Start {
            config,
            device: flags,
            mut run,
        } = self.start()?;
        let experiment = experiment::find(&config.experiment)?;
        let mut dataset = dataset::read(&config, experiment)?;
        let digests = [dataset.digest()?, digest_of_weights(&config)?];
        let limits = dataset::limit(&mut dataset, &config);
        train::check(&config, &dataset)?;
        let mut device = flags.open()?;
        let saved = run.as_ref().and_then(|run| run.saved.as_ref());
        match saved.filter(|_| !self.resume_anyway) {
            Some(saved) => flags.kernels.keep(&mut device, &saved.conditions.winners),
            None => {
                let limits = device.limits().clone();
                let subjects = || train::subjects(&config, &dataset, &limits);
                flags.kernels.refine(&mut device, subjects)?;
            }
        }
        let mut trainer = Trainer::new(&device, config.clone(), dataset)?;
        let conditions = Conditions::on(&device, digests, trainer.plans());
        if let Some(run) = &mut run {
            run.check(&conditions, self.resume_anyway)?;
        }
        let run = match run {
            Some(run) => run,
            None => self.folder(&config)?,
        };
        note(format!(
            "device memory: {:.1} MB",
            trainer.device_bytes() as f64 / 1e6
        ));
        note_compilation(&device);
        trainer.notes().iter().for_each(note);
        trainer.micro_batch_note().into_iter().for_each(note);

        let (folder, interruption) = (&run.folder, Interruption::catch());
        let path = folder.path().display().to_string();
        let words = ["spinal", "train", "--resume", &path];
        let command = command::quoted(words.map(str::to_owned).into_iter());
        let training = Run {
            folder,
            file: ConfigFile {
                config,
                environment: Environment::of(&device),
                history: run.history,
            },
            conditions,
            rhythm: self.checkpoints.rhythm(),
            interruption: &interruption,
            command: &command,
        };
        let (end, records) = training.train(&mut trainer, run.saved)?;
        let limits = limits.iter().map(|limit| format!("{limit}\n"));
        let limits = limits.collect::<String>();
        let table = render(&summary::of(&trainer, &records));
        let printed =
            print(format!("\n{limits}{table}")).and_then(|()| print(format!("run folder: {path}")));
        if end == End::Interrupted {
            // Whether or not somebody is there to read the table.
            return Err(interruption.error(
                format!("interrupted {}: it is saved", trainer.progress().describe()),
                format!("go on with: {command}"),
            ));
        }
        printed
    }

    /// A training as the flags have it, or the run that it goes on with.
    fn start(&self) -> Result<Start> {
        if let Some(path) = &self.resume {
            return Start::stopped(path, self);
        }
        let config = self.config(experiment::find(&self.experiment)?)?;
        if let Some(path) = &self.out {
            RunFolder::check(path)?;
        }
        Ok(Start::fresh(config, self))
    }

    /// A folder for a new run.
    fn folder(&self, config: &Config) -> Result<StoppedRun> {
        let folder = match &self.out {
            Some(path) => RunFolder::create(path)?,
            None => RunFolder::fresh(&config.experiment)?,
        };
        Ok(StoppedRun {
            _lock: Lock::of(folder.path())?,
            folder,
            saved: None,
            history: Vec::new(),
        })
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

/// The SHA-256 of the file of weights that a training begins with.
pub fn digest_of_weights(config: &Config) -> Result<Option<String>> {
    let path = config.weights.as_deref().or(config.init.as_deref());
    path.map(digest::of_file).transpose()
}

/// TOML's integers, and so those of `config.toml`, are signed.
fn seed_parser() -> RangedU64ValueParser {
    RangedU64ValueParser::new().range(..=i64::MAX as u64)
}

#[cfg(test)]
mod tests {
    use clap::error::ErrorKind;
    use clap::{Arg, CommandFactory, Parser};

    use super::*;

    #[derive(Parser, Debug)]
    struct Program {
        #[command(flatten)]
        _train: Train,
    }

    fn parse(words: &[&str]) -> clap::error::Result<Program> {
        Program::try_parse_from([&["spinal"], words].concat())
    }

    /// The argument, if that is not enough with some value that it takes.
    fn words(argument: &Arg) -> Vec<String> {
        let possible = argument.get_possible_values();
        let possible = possible.iter().map(|value| value.get_name().to_owned());
        let values = ["1", "none", "mlp"].map(str::to_owned);
        let flag = argument.get_long().map(|flag| format!("--{flag}"));
        let with = |value: String| match &flag {
            Some(flag) => vec![flag.clone(), value],
            None => vec![value],
        };
        let alone = flag.iter().map(|flag| vec![flag.clone()]);
        let mut tries = alone.chain(possible.chain(values).map(with));
        let is_right = |words: &Vec<String>| {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            parse(&words).is_ok()
        };
        let found = tries.find(is_right);
        found.unwrap_or_else(|| panic!("no value for {argument:?}"))
    }

    #[test]
    fn a_run_that_goes_on_takes_a_number_of_epochs_checkpoints_and_a_device() {
        let accepted = [
            "epochs",
            "resume_anyway",
            "checkpoint_every",
            "adapter",
            "backend",
            "checked",
            "kernels",
            "precision",
            "tune_seconds",
        ];
        let mut refused = 0;
        for argument in Program::command().get_arguments() {
            let name = argument.get_id().as_str();
            if name == "resume" || name == "resume_anyway" {
                continue;
            }
            let words = words(argument);
            let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
            words.extend(["--resume", "run"]);
            match parse(&words) {
                Ok(_) => assert!(accepted.contains(&name), "{name} is passed over"),
                Err(error) => {
                    assert!(!accepted.contains(&name), "{name}: {error}");
                    assert_eq!(error.kind(), ErrorKind::ArgumentConflict, "{name}: {error}");
                    refused += 1;
                }
            }
        }
        assert!(refused > 40, "{refused}");
        parse(&["--resume", "run", "--resume-anyway"]).unwrap();
        assert!(parse(&["--resume-anyway"]).is_err());
    }
}
