//! Classifying single pictures with trained weights.

use std::path::Path;

use crate::data::{MNIST_MEAN, MNIST_STD};
use crate::error::Result;
use crate::gpu::{Device, Executable, Memory};
use crate::models::{Model, load_weights};
use crate::steps::forward_plan;

/// The bytes of a picture of the size a model takes, channels last.
pub type Picture = Vec<u8>;

/// A class and how likely it is.
#[derive(Clone, Copy, Debug)]
pub struct ClassProbability {
    /// The class, from 0.
    pub class: usize,
    /// Its softmax probability.
    pub probability: f64,
}

/// A trained network on a device, for one picture at a time.
pub struct Predictor<'a> {
    device: &'a Device,
    memory: Memory,
    executable: Executable,
    normalisation: (Vec<f32>, Vec<f32>),
}

impl<'a> Predictor<'a> {
    /// Loads the weights of `model`, whose pixels are normalised by mean and deviation of each channel, or as MNIST's.
    pub fn new(
        device: &'a Device,
        model: Model,
        weights: &Path,
        normalisation: Option<(Vec<f32>, Vec<f32>)>,
    ) -> Result<Self> {
        let values = load_weights(weights, &model.parameters)?;
        let plan = forward_plan(&model, 1, device.kernels().clone());
        let memory = Memory::allocate(device, &plan.allocation())?;
        memory.write_values(device, 0, &values);
        let executable = Executable::new(device, &memory, &plan, 0)?;
        Ok(Self {
            device,
            memory,
            executable,
            normalisation: normalisation.unwrap_or((vec![MNIST_MEAN], vec![MNIST_STD])),
        })
    }

    /// All classes, the most likely first.
    pub fn predict(&self, picture: &Picture) -> Result<Vec<ClassProbability>> {
        let (mean, std) = &self.normalisation;
        let channels = mean.iter().zip(std).cycle();
        let x: Vec<f32> = picture
            .iter()
            .zip(channels)
            .map(|(&byte, (mean, std))| (f32::from(byte) / 255.0 - mean) / std)
            .collect();
        self.memory
            .write_data(self.device, "input", bytemuck::cast_slice(&x));
        self.executable.submit(self.device, 1).wait(self.device)?;
        let logits: Vec<f32> = self.memory.read_data(self.device, "output")?;
        Ok(ranked(&logits))
    }
}

fn ranked(logits: &[f32]) -> Vec<ClassProbability> {
    let largest = logits.iter().copied().fold(f32::MIN, f32::max);
    let weights: Vec<f64> = logits
        .iter()
        .map(|&logit| f64::from(logit - largest).exp())
        .collect();
    let sum: f64 = weights.iter().sum();
    let mut classes: Vec<ClassProbability> = weights
        .iter()
        .enumerate()
        .map(|(class, weight)| ClassProbability {
            class,
            probability: weight / sum,
        })
        .collect();
    classes.sort_by(|a, b| b.probability.total_cmp(&a.probability));
    classes
}
