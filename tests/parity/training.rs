//! A training of a few steps as the program runs it.

use std::collections::BTreeMap;

use spinalnet::batch::{Part, Sample, Source};
use spinalnet::gpu::{Checks, Device, Executable, Memory};
use spinalnet::models::Model;
use spinalnet::optim::Optimizer;
use spinalnet::plan::{Allocation, Mode, Plan, Role, Tape, Values};
use spinalnet::steps;

use crate::common::{AdapterClass, device, doubles, formula, is_full};

/// The ways to train: all kernels, and all checks. Any adapter runs the kernels of either class.
pub const WAYS: [(Checks, AdapterClass); 3] = [
    (Checks::Trusted, AdapterClass::Gpu),
    (Checks::Trusted, AdapterClass::Cpu),
    (Checks::Checked, AdapterClass::Gpu),
];

/// One kind of checks for the kernels of graphics processors, and those for CPUs; all ways where everything is asked for.
pub fn ways_with(checks: Checks) -> Vec<(Checks, AdapterClass)> {
    if is_full() {
        return WAYS.to_vec();
    }
    vec![
        (checks, AdapterClass::Gpu),
        (Checks::Trusted, AdapterClass::Cpu),
    ]
}

/// How long a training is, and how large its steps.
#[derive(Clone, Copy)]
pub struct Course {
    /// Steps of the one epoch.
    pub steps: u32,
    /// Samples of a step.
    pub batch: u32,
    /// The learning rate of all steps.
    pub lr: f32,
}

/// The data of a training.
pub enum Data<'a> {
    /// Images of bytes, channels last, a label for each, and by channel what is subtracted and divided by.
    Images {
        images: &'a [u8],
        labels: &'a [u8],
        mean: &'a [f64],
        std: &'a [f64],
    },
    /// Rows of numbers and what is to be predicted.
    Rows { x: &'a [f32], y: &'a [f32] },
}

/// A net on a device.
pub struct Training<'a> {
    model: &'a Model,
    course: Course,
    device: &'static Device,
    memory: Memory,
    train: Executable,
    train_forward: Executable,
    evaluate_forward: Executable,
}

impl<'a> Training<'a> {
    pub fn new(
        model: &'a Model,
        course: Course,
        optimizer: &dyn Optimizer,
        (checks, class): (Checks, AdapterClass),
    ) -> Self {
        let Course { steps, batch, lr } = course;
        let source = Source::whole(Part::Train, model.sample, steps * batch, batch);
        let train = steps::train_plan(model, &source, batch, optimizer, class);
        let train_forward = train_forward_plan(model, batch, class);
        let evaluate_forward = steps::forward_plan(model, batch, class);
        let device = device(checks);
        let mut allocation = Allocation::default();
        allocation.add(0, [&train, &train_forward, &evaluate_forward]);
        let memory = Memory::allocate(device, &allocation).expect("a fixture fits");
        let compile = |plan| Executable::new(device, &memory, plan, 0).expect("the plan compiles");
        let (train, train_forward) = (compile(&train), compile(&train_forward));
        let evaluate_forward = compile(&evaluate_forward);
        let training = Self {
            model,
            course,
            device,
            memory,
            train,
            train_forward,
            evaluate_forward,
        };
        let schedule: Vec<_> = (1..=steps)
            .map(|t| optimizer.schedule(lr, t.into()))
            .collect();
        training.write("train.schedule", bytemuck::cast_slice(&schedule));
        let order: Vec<u32> = (0..steps * batch).collect();
        training.write("train.order", bytemuck::cast_slice(&order));
        training
    }

    /// Writes weights and running statistics.
    pub fn write_values(&self, values: &Values) {
        self.memory.write_values(self.device, 0, values);
    }

    /// Writes the data set, and its first batch as the input of the network alone.
    pub fn write_data(&self, data: &Data) {
        let first_batch = match *data {
            Data::Images {
                images,
                labels,
                mean,
                std,
            } => {
                self.write("train.images", images);
                self.write("train.labels", labels);
                let normalisation = formula::device_normalisation([mean, std]);
                self.write("normalisation", bytemuck::cast_slice(&normalisation));
                let pixels = images[..self.input_elements()].iter().enumerate();
                let normalise = |(index, &byte): (usize, &u8)| {
                    let channel = index % mean.len();
                    ((f64::from(byte) / 255.0 - mean[channel]) / std[channel]) as f32
                };
                pixels.map(normalise).collect::<Vec<f32>>()
            }
            Data::Rows { x, y } => {
                self.write("train.inputs", bytemuck::cast_slice(x));
                self.write("train.targets", bytemuck::cast_slice(y));
                x[..self.input_elements()].to_vec()
            }
        };
        self.write("input", bytemuck::cast_slice(&first_batch));
    }

    /// Values of one batch.
    fn input_elements(&self) -> usize {
        let sample = match self.model.sample {
            Sample::Image {
                height,
                width,
                channels,
            } => height * width * channels,
            Sample::Features { features } | Sample::Row { features, .. } => features,
        };
        (self.course.batch * sample) as usize
    }

    fn write(&self, label: &str, bytes: &[u8]) {
        self.memory.write_data(self.device, label, bytes);
    }

    /// Runs the next steps.
    pub fn run(&self, steps: u32) {
        self.submit(&self.train, steps);
    }

    /// The output for the first batch. Forward in training moves the running statistics.
    pub fn logits(&self, mode: Mode) -> Vec<f64> {
        let forward = match mode {
            Mode::Train => &self.train_forward,
            Mode::Evaluate => &self.evaluate_forward,
        };
        self.submit(forward, 1);
        self.data("output")
    }

    /// The loss of each step.
    pub fn losses(&self) -> Vec<f64> {
        self.data("train.losses")
    }

    fn submit(&self, executable: &Executable, times: u32) {
        executable
            .submit(self.device, times)
            .wait(self.device)
            .expect("the device runs the plan");
    }

    fn data(&self, label: &str) -> Vec<f64> {
        doubles(
            &self
                .memory
                .read_data(self.device, label)
                .expect("the device answers"),
        )
    }

    /// A flat buffer of the net by the names of the parameters of a role.
    pub fn state(&self, label: &str, role: Role) -> BTreeMap<&'a str, Vec<f64>> {
        let flat = self
            .memory
            .read_state(self.device, 0, label)
            .expect("the device answers");
        let specs = self.model.parameters.specs().iter();
        specs
            .filter(|spec| spec.role == role)
            .map(|spec| (spec.name.as_str(), doubles(&spec.unpack(&flat))))
            .collect()
    }
}

/// The network alone as it is trained, with the statistics of the batch.
fn train_forward_plan(model: &Model, batch: u32, class: AdapterClass) -> Plan {
    let name = format!("{} train forward batch {batch}", model.name);
    let mut tape = Tape::new(name, &model.parameters, Mode::Train).with_kernels(class);
    let x = model.sample.input(&mut tape, batch);
    let y = model.forward(&mut tape, x);
    tape.export(y, "output");
    tape.finish()
}
