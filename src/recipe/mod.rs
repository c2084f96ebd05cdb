//! Recipes: how the nets of an experiment are trained unless the user says otherwise.

pub mod recipes;
pub mod transfer;

use serde::{Deserialize, Serialize};

use crate::data::{CIFAR_MEAN, CIFAR_STD, MNIST_MEAN, MNIST_STD};

/// The optimisers by name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[value(rename_all = "lowercase")]
pub enum OptimizerName {
    /// Stochastic gradient descent with momentum.
    Sgd,
    /// Adam with PyTorch's defaults.
    Adam,
    /// Adam with decoupled weight decay.
    AdamW,
}

/// The samples whose score steers the training: the schedule, the best epoch and early stopping.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Validation {
    /// The test samples, as in the authors' scripts: what is reported is also what was selected by.
    None,
    /// Training samples that are not trained on: every tenth.
    HeldOut,
}

/// What is subtracted from the values of a pixel, of 1, and what they are divided by then.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[value(rename_all = "lowercase")]
pub enum Normalization {
    /// Mean and deviation of MNIST: 0.1307, 0.3081.
    Mnist,
    /// 0.5, 0.5: values from -1 to 1.
    Half,
    /// The statistics of CIFAR-100 that the authors use for most colour images.
    Cifar,
    /// The statistics that torchvision's weights expect.
    ImageNet,
    /// (byte - 127) / 128, as the weights of EfficientNet-Lite expect.
    TensorFlow,
    /// Values from 0 to 1.
    None,
    /// What the data set brings along.
    #[serde(rename = "data-set")]
    #[value(name = "data-set")]
    DataSet,
}

impl Normalization {
    /// What the published weights of a backbone expect.
    pub fn of_backbone(name: &str) -> Self {
        match name {
            "efficientnet_lite0" => Self::TensorFlow,
            _ => Self::ImageNet,
        }
    }

    /// Mean and standard deviation of each of so many channels; nothing for what the data set brings, or for images of another
    /// number of channels.
    pub fn of_channels(self, channels: usize) -> Option<(Vec<f32>, Vec<f32>)> {
        let (mean, std) = self.statistics()?;
        let fits = mean.len() == 1 || mean.len() == channels;
        let each = |values: &[f32]| values.iter().copied().cycle().take(channels).collect();
        fits.then(|| (each(mean), each(std)))
    }

    /// Mean and standard deviation, of one channel for all or of three channels; nothing for what the data set brings.
    pub fn statistics(self) -> Option<(&'static [f32], &'static [f32])> {
        match self {
            Self::Mnist => Some((&[MNIST_MEAN], &[MNIST_STD])),
            Self::Half => Some((&[0.5], &[0.5])),
            Self::Cifar => Some((&CIFAR_MEAN, &CIFAR_STD)),
            Self::ImageNet => Some((&[0.485, 0.456, 0.406], &[0.229, 0.224, 0.225])),
            Self::TensorFlow => Some((&[127.0 / 255.0], &[128.0 / 255.0])),
            Self::None => Some((&[0.0], &[1.0])),
            Self::DataSet => None,
        }
    }
}

/// How the nets of an experiment are trained (paper.md 3.1).
#[derive(Clone, Copy, Debug)]
pub struct Recipe {
    /// Passes over the training data.
    pub epochs: usize,
    /// Samples of a step.
    pub batch_size: u32,
    /// The optimiser.
    pub optimizer: OptimizerName,
    /// The learning rate that the schedule starts from.
    pub lr: f64,
    /// SGD's momentum.
    pub momentum: f64,
    /// Whether SGD's momentum is Nesterov's.
    pub nesterov: bool,
    /// The share of the parameters that is added to their gradients or, by AdamW, taken from themselves.
    pub weight_decay: f64,
    /// The norm of all gradients together above which they are scaled down to it.
    pub clip_norm: Option<f64>,
    /// The learning rates over the epochs, as `--schedule` takes them.
    pub schedule: &'static str,
    /// Nets with another schedule, by their short names.
    pub net_schedules: &'static [(&'static str, &'static str)],
    /// What the schedule and the best epoch are judged by.
    pub validation: Validation,
    /// Whether each phase and the training end with the weights of the best epoch.
    pub reload_best: bool,
    /// How pixels are normalised.
    pub normalization: Normalization,
    /// What happens to images on their way into a batch, as `--augment` takes it.
    pub augment: &'static str,
}

impl Recipe {
    /// One epoch of plain SGD as the authors run it: judged by the test samples, under a constant rate. Recipes are written
    /// as what they change about it.
    pub const PLAIN: Self = Self {
        epochs: 1,
        batch_size: 64,
        optimizer: OptimizerName::Sgd,
        lr: 0.01,
        momentum: 0.0,
        nesterov: false,
        weight_decay: 0.0,
        clip_norm: None,
        schedule: "constant",
        net_schedules: &[],
        validation: Validation::None,
        reload_best: false,
        normalization: Normalization::DataSet,
        augment: "none",
    };
}
