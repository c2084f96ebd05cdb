//! Training: the epoch loop, and what it needs on the device.

mod ahead;
mod best;
mod config;
mod divergence;
mod epochs;
mod evaluate;
mod fit;
mod net;
mod observer;
mod pass;
mod probe;
mod progress;
mod resident;
mod schedule;
mod score;
mod sources;
mod split;
mod start;
mod state;
mod stream;
mod subjects;

pub use config::Config;
pub use net::Net;
pub use observer::{EpochStart, Halt, Observer, Trained};
pub use progress::{Progress, State};
pub use resident::Dataset;
pub use schedule::{Disappointment, OptimizerState, Phase, Phases, Rule, Schedule};
pub use score::Score;
pub use subjects::subjects;

use crate::batch::{Part, Sample};
use crate::checkpoint::NamedTensor;
use crate::error::Result;
use crate::gpu::{Device, Memory};
use crate::models::{Model, ModelOptions, WeightsMetadata};
use crate::plan::{self, Allocation, ParameterSpec, Role};
use divergence::Bounds;
use net::RecordedNet;
use sources::Sources;
use split::Split;
use start::Start;
use stream::Streams;

/// The largest learning rate that may be asked for.
pub const MAX_LR: f64 = 1e6;

/// How a training ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// After the last epoch.
    Completed,
    /// By the observer, before.
    Interrupted,
}

/// Nets on one device and one data set.
pub struct Trainer<'a> {
    device: &'a Device,
    memory: Memory,
    streams: Streams,
    nets: Vec<Net>,
    config: Config,
    split: Split,
    network: ModelOptions,
    normalisation: Option<(Vec<f32>, Vec<f32>)>,
    class_names: Vec<String>,
    bounds: Bounds,
    notes: Vec<String>,
    plans: String,
    progress: Progress,
}

/// Refuses what [`Trainer::new`] would refuse without looking at the device: nets that do not fit the data set, and initial
/// weights that cannot be read or do not fit the nets.
///
/// # Errors
/// As [`Trainer::new`].
pub fn check(config: &Config, dataset: &Dataset) -> Result<()> {
    dataset.split(config.validation)?;
    let models = config.build_models(dataset)?;
    Start::read(config, &models).map(drop)
}

impl<'a> Trainer<'a> {
    /// Builds the nets, allocates everything, uploads the data set and lets go of the host's copy.
    ///
    /// With no epochs to train, only what evaluation needs is built.
    pub fn new(device: &'a Device, config: Config, dataset: Dataset) -> Result<Self> {
        let split = dataset.split(config.validation)?;
        let mut models = config.build_models(&dataset)?;
        let start = Start::read(&config, &models)?;
        let (network, normalisation) = (config.model_options(&dataset), dataset.normalisation());
        let (bounds, class_names) = (Bounds::of(&dataset), dataset.class_names());
        let mut dataset = dataset;
        let mut plans = Vec::new();
        if probe::applies(&config) {
            let values = start.values(&models[0]);
            let features = probe::dataset(device, &config, dataset, &models[0], &values)?;
            (dataset, plans) = features;
            let Sample::Features { features } = dataset.sample(Part::Train) else {
                unreachable!("features were made");
            };
            let take = |model: &mut Model| model.take_features(features);
            models.iter_mut().for_each(take);
        }

        let mut recorded = Vec::new();
        let mut allocation = Allocation::default();
        for (index, (name, model)) in config.nets.iter().zip(models).enumerate() {
            let sources = Sources::new(&config, &dataset, &split, &model, device.limits())?;
            let net = RecordedNet::new(device, name, model, &config, sources)?;
            allocation.add(index, net.plans());
            recorded.push(net);
        }
        let own = recorded.iter().flat_map(RecordedNet::plans);
        let plans = plan::digest(plans.iter().chain(own));

        let memory = Memory::allocate(device, &allocation)?;
        if let Some(net) = recorded.first() {
            net.sources.write_orders(device, &memory, &split);
        }
        let streams = dataset.upload(device, &memory, config.epochs > 0)?;
        let mut nets = Vec::new();
        for (index, net) in recorded.into_iter().enumerate() {
            let net = net.compile(device, &memory, index)?;
            net.initialize(device, &memory, &start);
            nets.push(net);
        }
        Ok(Self {
            device,
            memory,
            streams,
            nets,
            config,
            split,
            network,
            normalisation,
            class_names,
            bounds,
            notes: start.notes,
            plans,
            progress: Progress::new(),
        })
    }

    /// The nets.
    pub fn nets(&self) -> &[Net] {
        &self.nets
    }

    /// What there is to tell of the files that weights were read from, a line each.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The SHA-256 of what is dispatched: shaders, constants and grids.
    pub fn plans(&self) -> &str {
        &self.plans
    }

    /// Where the training stands.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Bytes of device memory, as the plans tell.
    pub fn device_bytes(&self) -> u64 {
        self.memory.bytes()
    }

    /// What a step in micro-batches does otherwise than one in a whole, if nets here do.
    pub fn micro_batch_note(&self) -> Option<String> {
        let samples = self.config.micro_batch?;
        // The statistics of frozen layers stay as they are.
        let is_kept = |spec: &ParameterSpec| spec.role == Role::Statistic && spec.rate != 0.0;
        let mut nets = self.nets.iter();
        nets.find(|net| net.model().parameters.specs().iter().any(is_kept))?;
        Some(format!(
            "batch normalisation sees micro-batches of {samples}, as where gradients are accumulated in PyTorch"
        ))
    }

    /// The weights of net number `index`, in PyTorch's order.
    pub fn weights(&self, index: usize) -> Result<Vec<NamedTensor>> {
        self.nets[index].weights(self.device, &self.memory)
    }

    /// What a file of the weights of net number `index` says about them.
    pub fn metadata(&self, index: usize) -> WeightsMetadata {
        WeightsMetadata {
            model: self.nets[index].model().name.clone(),
            network: self.network,
            normalisation: self.normalisation.clone(),
            evaluation: self.config.augment.evaluation(),
            class_names: self.class_names.clone(),
        }
    }
}
