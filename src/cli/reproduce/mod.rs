//! `spinal reproduce`: what the Spinal layer is worth.

mod trainings;

use std::path::PathBuf;

use clap::Args;

use super::command;
use super::device::DeviceFlags;
use super::output::print;
use super::train::checkpoint_flags::CheckpointFlags;
use super::train::training_flags::TrainingFlags;
use crate::data::regression::Target;
use crate::error::{Error, Result};
use crate::experiment::{self, DataKind, Experiment};
use crate::reproduce::outcome::Task;
use crate::reproduce::{Folder, Outcome, Protocol, Settings};
use crate::train::Config;
use trainings::Trainings;

/// Where reproductions without `--out` go, in the working directory.
const REPRODUCTIONS: &str = "reproductions";

/// Flags of `spinal reproduce`.
#[derive(Args, Debug)]
pub struct Reproduce {
    /// The experiment (see `spinal train --help`)
    experiment: String,
    /// Train with the seeds 1 to N; those that are trained already are kept
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=1000))]
    seeds: u64,
    /// How epochs are selected, and by which schedules nets are trained
    #[arg(long, value_enum, default_value = "fair")]
    protocol: Protocol,
    /// The folder of the reproduction, which goes on if it was interrupted; reproductions/EXPERIMENT-PROTOCOL if not given
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    training: TrainingFlags,
    #[command(flatten)]
    checkpoints: CheckpointFlags,
    #[command(flatten)]
    device: DeviceFlags,
}

impl Reproduce {
    /// Trains the seeds that are missing, and tells what came out.
    pub fn run(&self) -> Result<()> {
        let experiment = experiment::find(&self.experiment)?;
        let config = self.config(experiment)?;
        let data = self.data_sets(experiment);
        let settings = Settings::new(self.protocol, &config, &data);
        let folder = Folder::new(&self.out(), settings, &data)?;
        let command = command::line();
        let task = Task {
            experiment,
            protocol: self.protocol,
            config: &config,
            command: &command,
        };
        let trainings = Trainings {
            folder: &folder,
            task: &task,
            flags: &self.device,
            rhythm: self.checkpoints.rhythm(),
        };
        trainings.run(self.seeds)?;
        if let Some(outcome) = Outcome::read(&folder, &task)? {
            outcome.write(&folder)?;
            print(format!("\n{}", outcome.markdown()))?;
        }
        print(format!("reproduction: {}", folder.path().display()))
    }

    /// What all trainings have in common.
    fn config(&self, experiment: &Experiment) -> Result<Config> {
        if self.training.recipe.choose_validation() {
            return Err(Error::usage(
                "--validation: the protocol decides on it",
                "use --protocol fair to hold samples out, or --protocol authors not to",
            ));
        }
        let config = self.training.config(experiment)?;
        if config.epochs == 0 {
            return Err(Error::usage(
                "--epochs 0: without training there is nothing to compare",
                "use at least one",
            ));
        }
        let weights = self.training.backbone.weights(&config, experiment)?;
        Ok(self.protocol.apply(Config { weights, ..config }))
    }

    /// The data sets or functions: of regression all, if none is named.
    fn data_sets(&self, experiment: &Experiment) -> Vec<String> {
        match (&self.training.data.data, experiment.data) {
            (Some(data), _) => vec![data.clone()],
            (None, DataKind::Regression) => Target::ALL.map(|f| f.name().to_owned()).into(),
            (None, DataKind::Images) => vec![experiment.default_data.to_owned()],
        }
    }

    fn out(&self) -> PathBuf {
        let name = || format!("{}-{}", self.experiment, self.protocol.name());
        let default = || PathBuf::from(REPRODUCTIONS).join(name());
        self.out.clone().unwrap_or_else(default)
    }
}
