//! A model on a device with a training step and an inference, ready to be timed.

use crate::batch::{Part, Sample, Source};
use crate::error::Result;
use crate::gpu::{Device, Executable, Memory};
use crate::models::{Model, initial_values};
use crate::optim::{Optimizer, ScheduleEntry, Sgd};
use crate::plan::{Allocation, Kernels, Plan};
use crate::steps::{forward_plan, train_plan};

use super::noise::Noise;
use super::timing::MOST_REPEATS;

/// Small enough that random labels do not throw the weights far away in thousands of steps.
const LR: f32 = 1e-4;

/// What subjects are trained with unless told otherwise.
pub const SGD: Sgd = Sgd {
    momentum: 0.5,
    nesterov: false,
    weight_decay: 0.0,
};

/// A model, its plans and its memory.
pub struct Subject<'a> {
    /// Where it runs.
    pub device: &'a Device,
    /// The model.
    pub model: Model,
    /// Samples of a step.
    pub batch_size: u32,
    /// The training step: gather, forward, loss, backward, update, advance.
    pub train: Plan,
    /// The same, compiled.
    pub train_step: Executable,
    /// The network alone on a batch that is on the device.
    pub inference: Executable,
    /// The inference: the network alone.
    pub forward: Plan,
    /// The bytes of device memory that training takes.
    pub device_bytes: u64,
    memory: Memory,
    optimizer: &'a dyn Optimizer,
}

/// The training step and the inference of a subject, which need no device.
///
/// # Errors
/// `Error::Usage` if the model cannot be trained on so few samples.
pub fn plans(
    model: &Model,
    batch_size: u32,
    optimizer: &dyn Optimizer,
    kernels: &Kernels,
) -> Result<[Plan; 2]> {
    model.check_batch(batch_size)?;
    Ok([
        train_plan(
            model,
            &source(model, batch_size),
            batch_size,
            optimizer,
            kernels.clone(),
        ),
        forward_plan(model, batch_size, kernels.clone()),
    ])
}

/// Two batches, over and over.
fn source(model: &Model, batch_size: u32) -> Source {
    Source {
        count: batch_size * MOST_REPEATS,
        ..Source::whole(Part::Train, model.sample, batch_size * 2, batch_size)
    }
}

impl<'a> Subject<'a> {
    /// Compiles a training step (SGD with momentum) and an inference of `model` over random images and labels.
    pub fn new(device: &'a Device, model: Model, batch_size: u32) -> Result<Self> {
        let plans = plans(&model, batch_size, &SGD, device.kernels())?;
        Self::with_plans(device, model, batch_size, &SGD, plans)
    }

    /// The same with another optimiser, and with every activation and gradient in a place of its own.
    pub fn apart(
        device: &'a Device,
        model: Model,
        batch_size: u32,
        optimizer: &'a dyn Optimizer,
    ) -> Result<Self> {
        let plans = plans(&model, batch_size, optimizer, device.kernels())?;
        Self::with_plans(device, model, batch_size, optimizer, plans.map(Plan::apart))
    }

    fn with_plans(
        device: &'a Device,
        model: Model,
        batch_size: u32,
        optimizer: &'a dyn Optimizer,
        [train, forward]: [Plan; 2],
    ) -> Result<Self> {
        let mut allocation = Allocation::default();
        allocation.add(0, [&train, &forward]);
        let memory = Memory::allocate(device, &allocation)?;
        let subject = Self {
            train_step: Executable::new(device, &memory, &train, 0)?,
            inference: Executable::new(device, &memory, &forward, 0)?,
            device_bytes: train.allocation().bytes(),
            device,
            memory,
            optimizer,
            train,
            forward,
            model,
            batch_size,
        };
        subject.write_samples(&source(&subject.model, batch_size));
        subject.restart();
        Ok(subject)
    }

    /// Sets weights and the state of training to the beginning.
    pub fn restart(&self) {
        let weights = initial_values(&self.model.parameters, 1);
        self.memory.write_values(self.device, 0, &weights);
        for label in self.optimizer.state() {
            self.memory.clear_state(self.device, 0, label);
        }
        self.rewind();
    }

    /// Sets the step counter to the start of the data.
    pub fn rewind(&self) {
        self.memory.write_data(self.device, "train.step", &[0; 16]);
    }

    /// Reads buffer number `index` of one of the plans as it is.
    pub fn read(&self, plan: &Plan, index: usize) -> Result<Vec<u32>> {
        self.memory.read_plan_buffer(self.device, plan, 0, index)
    }

    /// Writes buffer number `index` of one of the plans.
    pub fn write_buffer(&self, plan: &Plan, index: usize, words: &[u32]) {
        let bytes = bytemuck::cast_slice(words);
        self.memory
            .write_plan_buffer(self.device, plan, 0, index, bytes);
    }

    fn write_samples(&self, source: &Source) {
        let mut noise = Noise::new(1);
        let order: Vec<u32> = (0..source.count).map(|n| n % source.resident).collect();
        self.write("train.order", &order);
        let schedule = vec![self.optimizer.schedule(LR, 1); source.steps() as usize];
        self.write::<ScheduleEntry>("train.schedule", &schedule);
        let input = self
            .forward
            .tensor("input")
            .expect("a forward plan has an input");
        self.write("input", &noise.values(input.elements() as usize));
        match source.sample {
            Sample::Image {
                height,
                width,
                channels,
            } => {
                let count = source.resident as usize;
                let bytes = count * (height * width * channels) as usize;
                self.write("train.images", &noise.bytes(bytes, 256));
                let classes = self.model.outputs.min(256);
                self.write("train.labels", &noise.bytes(count, classes));
                // Pixels from 0 to 255 become numbers from -1 to 1.
                let scales = vec![2.0f32 / 255.0; channels as usize];
                let shifts = vec![-1.0f32; channels as usize];
                self.write("normalisation", &[scales, shifts].concat());
            }
            Sample::Features { .. } => unreachable!("whole networks are measured"),
            Sample::Row { features, targets } => {
                let rows = source.resident;
                self.write("train.inputs", &noise.values((rows * features) as usize));
                self.write("train.targets", &noise.values((rows * targets) as usize));
            }
        }
    }

    fn write<T: bytemuck::Pod>(&self, label: &str, values: &[T]) {
        self.memory
            .write_data(self.device, label, bytemuck::cast_slice(values));
    }
}
