//! `spinal train`: the main job.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;

use super::device::DeviceFlags;
use super::output::print;
use crate::checkpoint;
use crate::data::{self, regression};
use crate::error::{Error, Result};
use crate::experiment::{self, DataKind, Experiment, OptimizerName};
use crate::gpu::Device;
use crate::report::metrics::{EpochRecord, Metrics, StepRecord};
use crate::report::run_folder::RunFolder;
use crate::report::summary::{self, NetSummary};
use crate::report::{atomic_file, curves};
use crate::steps::multiplications;
use crate::train::{Config, Dataset, End, Observer, Trainer};

/// Flags of `spinal train`.
#[derive(Args, Debug)]
pub struct Train {
    /// mnist-cnn, mlp or regression
    #[arg(default_value = "mnist-cnn")]
    experiment: String,
    /// spinal, baseline, both, or a variant (see `spinal list`)
    #[arg(long, default_value = "both")]
    net: String,
    /// A data set by name (mnist, fashion-mnist), a folder of IDX files, or for regression a function: sum, sin-sum,
    /// product, sin-product
    #[arg(long, value_name = "NAME|DIR", help_heading = "Data")]
    data: Option<String>,
    /// Use only the first N training samples
    #[arg(long, value_name = "N", help_heading = "Data", value_parser = clap::value_parser!(u32).range(1..))]
    limit_train: Option<u32>,
    /// Use only the first N test samples
    #[arg(long, value_name = "N", help_heading = "Data", value_parser = clap::value_parser!(u32).range(1..))]
    limit_test: Option<u32>,
    /// Keep the file order of the training samples
    #[arg(long, help_heading = "Data")]
    no_shuffle: bool,
    /// Passes over the training data; 0 writes the initial weights and evaluates them
    #[arg(long, value_name = "N", help_heading = "Recipe")]
    epochs: Option<usize>,
    /// Samples of a step
    #[arg(long, value_name = "N", help_heading = "Recipe", value_parser = clap::value_parser!(u32).range(1..=8192))]
    batch_size: Option<u32>,
    /// The optimiser
    #[arg(long, value_enum, help_heading = "Recipe")]
    optimizer: Option<OptimizerName>,
    /// The learning rate
    #[arg(long, value_name = "RATE", help_heading = "Recipe")]
    lr: Option<f64>,
    /// SGD's momentum
    #[arg(long, value_name = "FRACTION", help_heading = "Recipe")]
    momentum: Option<f64>,
    /// Determines initial weights, order and dropout masks
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Recipe")]
    seed: u64,
    /// Leave the nets' dropout out
    #[arg(long, help_heading = "Recipe")]
    no_dropout: bool,
    /// Start from these weights instead of random ones (with one net)
    #[arg(long, value_name = "FILE.safetensors", help_heading = "Recipe")]
    init: Option<PathBuf>,
    /// The run folder; a fresh one under runs/ if not given
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    device: DeviceFlags,
}

impl Train {
    /// Trains, and leaves a run folder behind.
    pub fn run(&self) -> Result<()> {
        let experiment = experiment::find(&self.experiment)?;
        let config = self.config(experiment)?;
        let dataset = load_dataset(&config, experiment)?;
        let device = self.device.open()?;
        let mut trainer = Trainer::new(&device, config.clone(), dataset)?;
        let folder = match &self.out {
            Some(path) => RunFolder::create(path)?,
            None => RunFolder::fresh(experiment.name)?,
        };
        write_config(&folder, &config, &device)?;
        eprintln!(
            "device memory: {:.1} MB",
            trainer.device_bytes() as f64 / 1e6
        );

        let mut recorder = Recorder::new(&folder)?;
        let mut summaries = summaries(&mut trainer, &config)?;
        let end = trainer.run(&mut recorder);
        write_weights(&folder, &trainer, &config)?;
        let interrupted = end? == End::Interrupted;
        for summary in &mut summaries {
            summary.epochs = recorder
                .epochs
                .iter()
                .filter(|record| record.net == summary.name)
                .cloned()
                .collect();
        }
        finish(&folder, &config, summaries)?;
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
        let momentum = self.momentum.unwrap_or(recipe.momentum);
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
            epochs: self.epochs.unwrap_or(recipe.epochs),
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

/// Loads the data set that a configuration names.
pub fn load_dataset(config: &Config, experiment: &Experiment) -> Result<Dataset> {
    match experiment.data {
        DataKind::Images => {
            let mut set = data::load(&config.data)?;
            set.train.truncate(config.limit_train.unwrap_or(usize::MAX));
            set.test.truncate(config.limit_test.unwrap_or(usize::MAX));
            Ok(Dataset::Images(set))
        }
        DataKind::Regression => {
            let target: regression::Target = config.data.parse()?;
            let rows = |limit: Option<usize>| {
                limit.map_or(regression::DEFAULT_COUNT, |n| {
                    n.min(regression::DEFAULT_COUNT)
                })
            };
            let train = regression::generate(target, rows(config.limit_train), config.seed);
            let test = regression::generate(target, rows(config.limit_test), !config.seed);
            Ok(Dataset::Tables {
                name: config.data.clone(),
                train,
                test,
            })
        }
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

/// Writes the run to disk while it goes on.
struct Recorder {
    metrics: Metrics,
    epochs: Vec<EpochRecord>,
    interrupted: Arc<AtomicBool>,
}

impl Recorder {
    fn new(folder: &RunFolder) -> Result<Self> {
        let interrupted = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&interrupted);
        let caught = ctrlc::set_handler(move || flag.store(true, Ordering::Relaxed));
        if let Err(error) = caught {
            eprintln!("note: Ctrl-C will end the run without saving: {error}");
        }
        Ok(Self {
            metrics: Metrics::open(&folder.metrics())?,
            epochs: Vec::new(),
            interrupted,
        })
    }
}

impl Observer for Recorder {
    fn step(&mut self, record: &StepRecord) -> Result<()> {
        self.metrics.step(record)
    }

    fn epoch(&mut self, record: &EpochRecord) -> Result<()> {
        self.epochs.push(record.clone());
        self.metrics.epoch(record)
    }

    fn interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }
}

/// What each net costs and, if nothing is trained, how its initial weights do.
fn summaries(trainer: &mut Trainer, config: &Config) -> Result<Vec<NetSummary>> {
    (0..config.nets.len())
        .map(|index| {
            let model = trainer.nets()[index].model();
            let (parameters, multiplications) = (model.parameters.count(), multiplications(model));
            let name = config.nets[index].clone();
            let initial = match config.epochs {
                0 => Some(initial_record(trainer, index, &name)?),
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

fn initial_record(trainer: &mut Trainer, index: usize, net: &str) -> Result<EpochRecord> {
    let score = trainer.evaluate(index)?;
    Ok(EpochRecord {
        net: net.to_owned(),
        epoch: 0,
        train_loss: f64::NAN,
        test_loss: score.loss,
        test_accuracy: score.accuracy(),
        seconds: 0.0,
        images_per_second: f64::NAN,
    })
}

/// `config.toml`: the configuration, and for the record the program and the device.
#[derive(serde::Serialize)]
struct ConfigFile<'a> {
    #[serde(flatten)]
    config: &'a Config,
    environment: Environment<'a>,
}

#[derive(serde::Serialize)]
struct Environment<'a> {
    spinal: &'a str,
    adapter: &'a str,
    backend: &'a str,
    driver: &'a str,
    checks: String,
}

fn write_config(folder: &RunFolder, config: &Config, device: &Device) -> Result<()> {
    let adapter = device.adapter();
    let file = ConfigFile {
        config,
        environment: Environment {
            spinal: env!("CARGO_PKG_VERSION"),
            adapter: &adapter.name,
            backend: &adapter.backend,
            driver: &adapter.driver,
            checks: format!("{:?}", device.checks()).to_lowercase(),
        },
    };
    let text = toml::to_string(&file).expect("our own configuration is valid TOML");
    atomic_file::write(&folder.config(), text.as_bytes())
}

fn write_weights(folder: &RunFolder, trainer: &Trainer, config: &Config) -> Result<()> {
    for (index, net) in config.nets.iter().enumerate() {
        let metadata = BTreeMap::from([
            ("model".to_owned(), format!("{}-{net}", config.experiment)),
            ("seed".to_owned(), config.seed.to_string()),
        ]);
        checkpoint::save(&folder.weights(net), &trainer.weights(index)?, &metadata)?;
    }
    Ok(())
}

/// Draws the curves and prints the table.
fn finish(folder: &RunFolder, config: &Config, summaries: Vec<NetSummary>) -> Result<()> {
    let title = format!("{} on {}", config.experiment, config.data);
    let nets: Vec<_> = summaries
        .iter()
        .map(|net| curves::Curve {
            name: net.name.clone(),
            epochs: net.epochs.clone(),
        })
        .collect();
    curves::write(&folder.curves(), &title, &nets)?;
    print(format!("\n{}", summary::render(&summaries)))?;
    print(format!("run folder: {}", folder.path().display()))
}
