//! Training steps of a network on one batch, and an evaluation of it, from weights and samples that formulas give: what
//! comparisons with PyTorch repeat.

use spinalnet::batch::{Part, Sample, Source};
use spinalnet::error::Result;
use spinalnet::gpu::{Checks, Executable, Memory};
use spinalnet::models::Model;
use spinalnet::optim::Optimizer;
use spinalnet::plan::{Allocation, Plan, Values};
use spinalnet::steps;

use super::{device, doubles, formula};

/// Of what the formulas draw.
const SEED: u8 = 1;

/// Weights that keep the size of what passes through ReLUs (He et al. 2015): +-sqrt(6 / fan_in).
const BOUND: f64 = 2.449_489_742_783_178;

/// How a network is trained.
pub struct Course<'a> {
    /// Samples of the batch. Every other step takes them in the opposite order.
    pub batch: u32,
    /// Steps.
    pub steps: u32,
    /// The rule of the steps.
    pub optimizer: &'a dyn Optimizer,
    /// Their learning rate.
    pub lr: f32,
}

/// What a network starts from.
pub fn initial_values(model: &Model) -> Values {
    formula::initial_values(SEED, BOUND, &model.parameters)
}

/// A network on the device.
pub struct Running {
    memory: Memory,
    /// The plan of a training step.
    pub plan: Plan,
    train: Executable,
    evaluate: Executable,
}

impl Course<'_> {
    /// Puts a network with these values on the device, and the batch.
    pub fn start(&self, model: &Model, initial: &Values) -> Result<Running> {
        let device = device(Checks::Trusted);
        let train = Source {
            count: self.steps * self.batch,
            ..Source::whole(Part::Train, model.sample, self.batch, self.batch)
        };
        let test = Source::whole(Part::Test, model.sample, self.batch, self.batch);
        let kernels = device.kernels();
        let plan = steps::train_plan(model, &train, self.batch, self.optimizer, kernels.clone());
        let evaluate = steps::evaluate_plan(model, &test, self.batch, kernels.clone());
        let mut allocation = Allocation::default();
        allocation.add(0, [&plan, &evaluate]);
        let memory = Memory::allocate(device, &allocation)?;
        let running = Running {
            train: Executable::new(device, &memory, &plan, 0)?,
            evaluate: Executable::new(device, &memory, &evaluate, 0)?,
            plan,
            memory,
        };
        running.memory.write_values(device, 0, initial);
        self.write_batch(&running, model);
        Ok(running)
    }

    fn write_batch(&self, running: &Running, model: &Model) {
        let schedule: Vec<_> = (1..=self.steps)
            .map(|t| self.optimizer.schedule(self.lr, t.into()))
            .collect();
        running.write("train.schedule", bytemuck::cast_slice(&schedule));
        let order: Vec<u32> = (0..self.steps)
            .flat_map(|step| {
                let place = move |row| {
                    if step % 2 == 0 {
                        row
                    } else {
                        self.batch - 1 - row
                    }
                };
                (0..self.batch).map(place)
            })
            .collect();
        running.write("train.order", bytemuck::cast_slice(&order));
        let order = &order[..self.batch as usize];
        running.write("test.order", bytemuck::cast_slice(order));
        running.write_samples(model, self.batch as usize);
    }
}

impl Running {
    /// Takes the next steps.
    pub fn step(&self, steps: u32) -> Result<()> {
        let device = device(Checks::Trusted);
        self.train.submit(device, steps).wait(device)
    }

    /// The loss of the batch as the network evaluates it. Once only.
    pub fn evaluate(&self) -> Result<f64> {
        let device = device(Checks::Trusted);
        self.evaluate.submit(device, 1).wait(device)?;
        Ok(self.data("test.losses")?[0])
    }

    /// The loss of each step before its update.
    pub fn losses(&self) -> Result<Vec<f64>> {
        self.data("train.losses")
    }

    /// Weights and running statistics.
    pub fn values(&self) -> Result<Values> {
        self.memory.read_values(device(Checks::Trusted), 0)
    }

    /// The gradients of all parameters in the last step, as they lie on the device.
    pub fn gradients(&self) -> Result<Vec<f32>> {
        self.memory
            .read_state(device(Checks::Trusted), 0, "gradients")
    }

    fn data(&self, label: &str) -> Result<Vec<f64>> {
        Ok(doubles(
            &self.memory.read_data(device(Checks::Trusted), label)?,
        ))
    }

    fn write(&self, label: &str, bytes: &[u8]) {
        self.memory
            .write_data(device(Checks::Trusted), label, bytes);
    }

    /// Writes the samples, for training and for evaluation.
    fn write_samples(&self, model: &Model, count: usize) {
        let write_both = |what: &str, bytes: &[u8]| {
            for part in ["train", "test"] {
                self.write(&format!("{part}.{what}"), bytes);
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
                self.write("normalisation", bytemuck::cast_slice(&normalisation));
            }
            Sample::Row { features, targets } => {
                let rows = |name: &str, columns: u32| -> Vec<f32> {
                    let stream = formula::Stream::new(SEED, name);
                    let indices = 0..count * columns as usize;
                    indices.map(|index| stream.uniform(index) as f32).collect()
                };
                write_both("inputs", bytemuck::cast_slice(&rows("x", features)));
                write_both("targets", bytemuck::cast_slice(&rows("y", targets)));
            }
            Sample::Features { .. } => unreachable!("networks are given what they are trained on"),
        }
    }
}
