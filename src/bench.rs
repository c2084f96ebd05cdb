//! Timing whole steps, and every dispatch of a step alone.

use std::time::Instant;

use serde::Serialize;

use crate::error::Result;
use crate::gpu::{Device, Executable, Memory, Submission};
use crate::layers::{Part, Source};
use crate::models::{Model, initial_values};
use crate::optim::Sgd;
use crate::plan::{Allocation, Plan};
use crate::steps::{forward_plan, train_plan};

/// Runs before any are timed: pipelines compile in the first.
const WARM_UP: usize = 3;

/// Runs of one dispatch in one submission, so that the submission itself does not count.
const DISPATCH_RUNS: u32 = 4;

/// The fastest and the median of several timings, in milliseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Timing {
    /// The fastest.
    pub min: f64,
    /// The median.
    pub median: f64,
}

/// How long the steps of a model take.
#[derive(Clone, Debug, Serialize)]
pub struct StepReport {
    /// The model.
    pub model: String,
    /// Samples of a step.
    pub batch_size: u32,
    /// A whole training step, gather and update included.
    pub train_step_ms: Timing,
    /// The network alone on a batch that is on the device.
    pub inference_ms: Timing,
    /// Bytes of device memory that training takes.
    pub device_bytes: u64,
    /// Dispatches of a training step.
    pub dispatches: usize,
    /// The adapter.
    pub adapter: String,
    /// Its driver.
    pub driver: String,
    /// `trusted` or `checked`.
    pub checks: String,
    /// Timings taken of each.
    pub runs: usize,
}

/// How long one dispatch takes alone.
#[derive(Clone, Debug)]
pub struct DispatchReport {
    /// The layer that recorded it.
    pub layer: String,
    /// `SHADER.ENTRY`.
    pub kernel: String,
    /// Its time.
    pub ms: Timing,
    /// Multiplications and additions per second, in units of 10^9.
    pub gflops: f64,
}

/// A model on a device, ready to be timed.
pub struct Bench<'a> {
    device: &'a Device,
    memory: Memory,
    train: Plan,
    train_step: Executable,
    inference: Executable,
    model: Model,
    batch_size: u32,
}

impl<'a> Bench<'a> {
    /// Compiles a training step (SGD with momentum) and an inference of `model`.
    pub fn new(device: &'a Device, model: Model, batch_size: u32) -> Result<Self> {
        let source = Source::whole(Part::Train, model.sample, batch_size * 2, batch_size);
        let optimizer = Sgd {
            momentum: 0.5,
            ..Sgd::default()
        };
        let train = train_plan(
            &model,
            &source,
            batch_size,
            &optimizer,
            device.kernels().clone(),
        );
        let forward = forward_plan(&model, batch_size, device.kernels().clone());
        let mut allocation = Allocation::default();
        allocation.add(0, [&train, &forward]);
        let memory = Memory::allocate(device, &allocation)?;
        let weights = initial_values(&model.parameters, 1);
        memory.write_values(device, 0, &weights);
        let train_step = Executable::new(device, &memory, &train, 0)?;
        let inference = Executable::new(device, &memory, &forward, 0)?;
        Ok(Self {
            device,
            memory,
            train,
            train_step,
            inference,
            model,
            batch_size,
        })
    }

    /// Times whole steps, `runs` of each kind.
    pub fn steps(&self, runs: usize) -> Result<StepReport> {
        let train_step_ms = self.time(runs, 1, || self.train_step.submit(self.device, 1))?;
        let inference_ms = self.time(runs, 1, || self.inference.submit(self.device, 1))?;
        let adapter = self.device.adapter();
        Ok(StepReport {
            model: self.model.name.clone(),
            batch_size: self.batch_size,
            train_step_ms,
            inference_ms,
            device_bytes: self.train.allocation().bytes(),
            dispatches: self.train.dispatches.len(),
            adapter: adapter.name.clone(),
            driver: adapter.driver.clone(),
            checks: format!("{:?}", self.device.checks()).to_lowercase(),
            runs,
        })
    }

    /// Times each dispatch of the training step alone, `runs` times.
    pub fn dispatches(&self, runs: usize) -> Result<Vec<DispatchReport>> {
        let report = |(index, dispatch): (usize, &crate::plan::Dispatch)| {
            let submit = || {
                self.train_step
                    .submit_dispatch(self.device, index, DISPATCH_RUNS)
            };
            let ms = self.time(runs, DISPATCH_RUNS, submit)?;
            Ok(DispatchReport {
                layer: dispatch.layer.clone(),
                kernel: format!("{}.{}", dispatch.shader.name(), dispatch.entry),
                ms,
                gflops: 2.0 * dispatch.cost.multiplications as f64 / (ms.min * 1e6),
            })
        };
        self.train
            .dispatches
            .iter()
            .enumerate()
            .map(report)
            .collect()
    }

    fn time(&self, runs: usize, repeats: u32, submit: impl Fn() -> Submission) -> Result<Timing> {
        let mut times = Vec::with_capacity(runs);
        for run in 0..WARM_UP + runs {
            // The step counter stays at the start of the data.
            self.memory.write_data(self.device, "train.step", &[0; 16]);
            self.device.flush()?;
            let started = Instant::now();
            submit().wait(self.device)?;
            if run >= WARM_UP {
                times.push(started.elapsed().as_secs_f64() * 1e3 / f64::from(repeats));
            }
        }
        times.sort_by(f64::total_cmp);
        Ok(Timing {
            min: times[0],
            median: times[times.len() / 2],
        })
    }
}
