//! Classifying pictures with trained weights.

use crate::data::{MNIST_MEAN, MNIST_STD};
use crate::error::Result;
use crate::gpu::{Device, Executable, Memory};
use crate::models::Model;
use crate::plan::Values;
use crate::steps::forward_plan;

/// The bytes of a picture of the size a model takes, channels last.
pub type Picture = Vec<u8>;

/// Pictures that go through a network at once, at most.
pub const BATCH: usize = 16;

/// A class and how likely it is.
#[derive(Clone, Copy, Debug)]
pub struct ClassProbability {
    /// The class, from 0.
    pub class: usize,
    /// Its softmax probability.
    pub probability: f64,
}

/// A trained network on a device.
pub struct Predictor<'a> {
    device: &'a Device,
    memory: Memory,
    executable: Executable,
    /// Pictures that go through it at once.
    batch: usize,
    /// Classes it tells apart.
    classes: usize,
    normalisation: (Vec<f32>, Vec<f32>),
}

impl<'a> Predictor<'a> {
    /// A model with these weights, for `batch` pictures at once, whose pixels are normalised by mean and deviation of each
    /// channel, or as MNIST's.
    pub fn new(
        device: &'a Device,
        model: &Model,
        weights: &Values,
        normalisation: Option<(Vec<f32>, Vec<f32>)>,
        batch: u32,
    ) -> Result<Self> {
        let plan = forward_plan(model, batch, device.kernels().clone());
        let memory = Memory::allocate(device, &plan.allocation())?;
        memory.write_values(device, 0, weights);
        let executable = Executable::new(device, &memory, &plan, 0)?;
        Ok(Self {
            device,
            memory,
            executable,
            batch: batch as usize,
            classes: model.outputs as usize,
            normalisation: normalisation.unwrap_or((vec![MNIST_MEAN], vec![MNIST_STD])),
        })
    }

    /// What the network says of each picture: a number for each class, before the softmax.
    pub fn logits<P: AsRef<[u8]>>(&self, pictures: &[P]) -> Result<Vec<Vec<f32>>> {
        let mut logits = Vec::new();
        for batch in pictures.chunks(self.batch) {
            let pixels = batch
                .iter()
                .flat_map(|picture| self.normalised(picture.as_ref()));
            let mut x: Vec<f32> = pixels.collect();
            // What the last batch lacks is black.
            x.resize(x.len() / batch.len() * self.batch, 0.0);
            self.memory
                .write_data(self.device, "input", bytemuck::cast_slice(&x));
            self.executable.submit(self.device, 1).wait(self.device)?;
            let output: Vec<f32> = self.memory.read_data(self.device, "output")?;
            let rows = output.chunks(self.classes).take(batch.len());
            logits.extend(rows.map(<[f32]>::to_vec));
        }
        Ok(logits)
    }

    /// All classes for each picture, the most likely first.
    pub fn predict<P: AsRef<[u8]>>(&self, pictures: &[P]) -> Result<Vec<Vec<ClassProbability>>> {
        let logits = self.logits(pictures)?;
        Ok(logits.iter().map(|logits| ranked(logits)).collect())
    }

    fn normalised<'p>(&self, picture: &'p [u8]) -> impl Iterator<Item = f32> + use<'p> {
        let (mean, std) = self.normalisation.clone();
        let channels: Vec<(f32, f32)> = mean.into_iter().zip(std).collect();
        picture.iter().enumerate().map(move |(index, &byte)| {
            let (mean, std) = channels[index % channels.len()];
            (f32::from(byte) / 255.0 - mean) / std
        })
    }
}

/// The softmax of logits.
pub fn probabilities(logits: &[f32]) -> Vec<f64> {
    let largest = logits.iter().copied().fold(f32::MIN, f32::max);
    let weights: Vec<f64> = logits
        .iter()
        .map(|&logit| f64::from(logit - largest).exp())
        .collect();
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / sum).collect()
}

fn ranked(logits: &[f32]) -> Vec<ClassProbability> {
    let mut classes: Vec<ClassProbability> = probabilities(logits)
        .into_iter()
        .enumerate()
        .map(|(class, probability)| ClassProbability { class, probability })
        .collect();
    classes.sort_by(|a, b| b.probability.total_cmp(&a.probability));
    classes
}
