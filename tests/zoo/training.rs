//! Two training steps and an evaluation of a network, from weights and samples that formulas give.

use spinalnet::batch::{Part, Sample, Source};
use spinalnet::error::Result;
use spinalnet::gpu::{Checks, Device, Executable, Memory};
use spinalnet::models::Model;
use spinalnet::optim::{Optimizer, Sgd};
use spinalnet::plan::Allocation;
use spinalnet::steps;

use crate::common::{device, doubles, formula};

const SEED: u8 = 1;
const STEPS: u32 = 2;

/// Weights that keep the size of what passes through ReLUs (He et al. 2015): +-sqrt(6 / fan_in).
const BOUND: f64 = 2.449_489_742_783_178;

/// The losses of two steps on the same samples, the second in the opposite order, and of an evaluation of them after that.
pub fn losses(model: &Model, batch: u32, lr: f32) -> Result<Vec<f64>> {
    let device = device(Checks::Trusted);
    let optimizer = Sgd {
        momentum: 0.5,
        ..Sgd::default()
    };
    let train = Source {
        count: STEPS * batch,
        ..Source::whole(Part::Train, model.sample, batch, batch)
    };
    let test = Source::whole(Part::Test, model.sample, batch, batch);
    let kernels = device.kernels();
    let train = steps::train_plan(model, &train, batch, &optimizer, kernels.clone());
    let evaluate = steps::evaluate_plan(model, &test, batch, kernels.clone());
    let mut allocation = Allocation::default();
    allocation.add(0, [&train, &evaluate]);
    let memory = Memory::allocate(device, &allocation)?;
    let train = Executable::new(device, &memory, &train, 0)?;
    let evaluate = Executable::new(device, &memory, &evaluate, 0)?;

    let initial = formula::initial_values(SEED, BOUND, &model.parameters);
    memory.write_values(device, 0, &initial);
    let write = |label: &str, bytes: &[u8]| memory.write_data(device, label, bytes);
    let schedule: Vec<_> = (1..=STEPS)
        .map(|t| optimizer.schedule(lr, t.into()))
        .collect();
    write("train.schedule", bytemuck::cast_slice(&schedule));
    let order: Vec<u32> = (0..batch).chain((0..batch).rev()).collect();
    write("train.order", bytemuck::cast_slice(&order));
    write("test.order", bytemuck::cast_slice(&order[..batch as usize]));
    write_samples(device, &memory, model, batch);

    train.submit(device, STEPS).wait(device)?;
    evaluate.submit(device, 1).wait(device)?;
    let mut losses: Vec<f32> = memory.read_data(device, "train.losses")?;
    losses.extend(memory.read_data::<f32>(device, "test.losses")?);
    Ok(doubles(&losses))
}

/// Writes the samples, for training and for evaluation.
fn write_samples(device: &Device, memory: &Memory, model: &Model, batch: u32) {
    let count = batch as usize;
    let write_both = |what: &str, bytes: &[u8]| {
        for part in ["train", "test"] {
            memory.write_data(device, &format!("{part}.{what}"), bytes);
        }
    };
    match model.sample {
        Sample::Image {
            height,
            width,
            channels,
        } => {
            let size = (height * width * channels) as usize;
            write_both("images", &formula::images(SEED, count * size));
            write_both("labels", &formula::labels(SEED, count, model.outputs));
            let normalisation = formula::device_normalisation(formula::normalisation(channels));
            memory.write_data(
                device,
                "normalisation",
                bytemuck::cast_slice(&normalisation),
            );
        }
        Sample::Features { .. } => unreachable!("whole networks are trained"),
        Sample::Row { features, targets } => {
            let rows = |name: &str, columns: u32| -> Vec<f32> {
                let stream = formula::Stream::new(SEED, name);
                let indices = 0..count * columns as usize;
                indices.map(|index| stream.uniform(index) as f32).collect()
            };
            write_both("inputs", bytemuck::cast_slice(&rows("x", features)));
            write_both("targets", bytemuck::cast_slice(&rows("y", targets)));
        }
    }
}
