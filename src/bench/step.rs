//! Whole steps of a model, and what share of them each dispatch takes.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::ceilings::Ceilings;
use super::conditions::Conditions;
use super::row::Row;
use super::subject::Subject;
use super::timing::{MOST_REPEATS, Timing, encode_us, repeats, sample, wall_ms};
use crate::error::{Error, Result};
use crate::gpu::{Executable, Span};
use crate::plan::{Cost, Dispatch};

/// Milliseconds of steps before one whose dispatches are timed, so that the device runs as fast as in training.
const LEAD_IN_MS: f64 = 5.0;

/// How long the steps of a model take.
#[derive(Clone, Debug, Serialize)]
pub struct StepReport {
    /// `step`.
    pub bench: &'static str,
    /// The model.
    pub model: String,
    /// Samples of a step.
    pub batch_size: u32,
    /// A whole training step on the host's clock, gather and update included.
    pub train_step_ms: Timing,
    /// The network alone on a batch that is on the device.
    pub inference_ms: Timing,
    /// The training step on the device's clock, where it has one.
    pub device_train_step_ms: Option<Timing>,
    /// The inference on the device's clock.
    pub device_inference_ms: Option<Timing>,
    /// Microseconds of the host for each dispatch of a training step: encoding, finishing and submitting.
    pub encode_us_per_dispatch: Timing,
    /// Bytes of device memory that training takes.
    pub device_bytes: u64,
    /// Dispatches of a training step.
    pub dispatches: usize,
    /// Dispatches of an inference.
    pub inference_dispatches: usize,
    /// The host's part of a training step as a fraction of the device's: below 1 the device need not wait for the host.
    pub host_share: f64,
    /// Multiplications and additions of the training step's layers per second, in units of 10^9.
    pub gflops: f64,
    /// Bytes bound by the training step per second, in units of 10^9.
    pub gbytes_per_s: f64,
    /// What the adapter can do at most.
    pub ceilings: Ceilings,
    /// Where and how.
    #[serde(flatten)]
    pub conditions: Conditions,
    /// What single dispatches, layers or kernels take, if asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub shares: Vec<Share>,
}

/// What a dispatch, or all of a layer or kernel, takes of a training step.
#[derive(Clone, Debug, Serialize)]
pub struct Share {
    /// Its name, time and rates.
    #[serde(flatten)]
    pub row: Row,
    /// The layers that recorded it.
    pub layer: String,
    /// Its part of the sum of all medians.
    pub share: f64,
}

/// What is taken together in a list of shares.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Grouping {
    /// Nothing: the dispatches in their order.
    Dispatch,
    /// All dispatches of a layer, the largest share first.
    Layer,
    /// All dispatches of an entry point, the largest share first.
    Kernel,
}

/// Times whole steps, `runs` of each kind.
pub fn measure(subject: &Subject, runs: usize) -> Result<StepReport> {
    let training = Steps::new(subject, &subject.train_step)?;
    let inference = Steps::new(subject, &subject.inference)?;
    let dispatches = subject.train.dispatches.len();
    let train_step_ms = training.wall(runs)?;
    let device_train_step_ms = training.device(runs)?;
    let encode_us_per_dispatch = training.encode_us(runs, dispatches)?;
    let host_ms = encode_us_per_dispatch.median * dispatches as f64 * 1e-3;
    let cost = subject.train.cost();
    Ok(StepReport {
        bench: "step",
        model: subject.model.name.clone(),
        batch_size: subject.batch_size,
        train_step_ms,
        inference_ms: inference.wall(runs)?,
        device_train_step_ms,
        device_inference_ms: inference.device(runs)?,
        encode_us_per_dispatch,
        host_share: host_ms / device_train_step_ms.unwrap_or(train_step_ms).median,
        device_bytes: subject.device_bytes,
        dispatches,
        inference_dispatches: subject.forward.dispatches.len(),
        gflops: gflops(cost, train_step_ms.min),
        gbytes_per_s: gbytes_per_s(cost, train_step_ms.min),
        ceilings: Ceilings::measure(subject.device)?,
        conditions: Conditions::on(subject.device, runs),
        shares: Vec::new(),
    })
}

/// One kind of step, repeated so often that a timing is long enough.
pub struct Steps<'a> {
    subject: &'a Subject<'a>,
    executable: &'a Executable,
    /// Steps of one timing.
    pub times: u32,
    ms_of_one: f64,
}

impl<'a> Steps<'a> {
    /// Finds out how often to repeat.
    pub fn new(subject: &'a Subject, executable: &'a Executable) -> Result<Self> {
        let mut ms_of_one = f64::INFINITY;
        let times = repeats(|times| {
            subject.rewind();
            let ms = wall_ms(subject.device, executable, times, ms_of_one)?;
            ms_of_one = ms_of_one.min(ms / f64::from(times));
            Ok(ms)
        })?;
        Ok(Self {
            subject,
            executable,
            times,
            ms_of_one,
        })
    }

    /// One timing by the host's clock: milliseconds of a step.
    pub fn wall_once(&self) -> Result<f64> {
        self.subject.rewind();
        let ms = wall_ms(
            self.subject.device,
            self.executable,
            self.times,
            self.ms_of_one,
        )?;
        Ok(ms / f64::from(self.times))
    }

    /// Timings one after another for at least `ms` milliseconds: milliseconds of a step by the host's clock.
    pub fn turn_ms(&self, ms: f64) -> Result<f64> {
        let (mut sum, mut timings) = (0.0, 0);
        while sum * f64::from(self.times) < ms {
            sum += self.wall_once()?;
            timings += 1;
        }
        Ok(sum / f64::from(timings))
    }

    /// Milliseconds of a step by the host's clock.
    pub fn wall(&self, runs: usize) -> Result<Timing> {
        sample(runs, || self.wall_once())
    }

    /// Milliseconds of a step by the device's clock, where it has one.
    pub fn device(&self, runs: usize) -> Result<Option<Timing>> {
        let measure = || {
            self.subject.rewind();
            self.executable.device_ms(self.subject.device, self.times)
        };
        if measure()?.is_none() {
            return Ok(None);
        }
        let timing = sample(runs, || {
            Ok(measure()?.unwrap_or(f64::NAN) / f64::from(self.times))
        });
        timing.map(Some)
    }

    fn encode_us(&self, runs: usize, dispatches: usize) -> Result<Timing> {
        sample(runs, || {
            self.subject.rewind();
            encode_us(self.subject.device, self.executable, self.times, dispatches)
        })
    }
}

/// What every dispatch takes within training steps, by the device's clock.
///
/// # Errors
/// `Error::Adapter` if the device has no clock.
pub fn shares(
    subject: &Subject,
    runs: usize,
    grouping: Grouping,
    ceilings: &Ceilings,
) -> Result<Vec<Share>> {
    let steps = Steps::new(subject, &subject.train_step)?;
    let lead_in = ((LEAD_IN_MS / steps.ms_of_one).ceil() as u32).min(MOST_REPEATS - 1);
    let mut times = vec![Vec::new(); subject.train.dispatches.len()];
    for _ in 0..runs {
        for (times, span) in times.iter_mut().zip(profile(subject, lead_in)?) {
            times.push(span.ms());
        }
    }
    let timings: Vec<Timing> = times.into_iter().map(Timing::of).collect();
    Ok(group(
        &subject.train.dispatches,
        &timings,
        grouping,
        ceilings,
    ))
}

/// When each dispatch of a training step runs, after `lead_in` steps.
///
/// # Errors
/// `Error::Adapter` if the device has no clock.
pub fn profile(subject: &Subject, lead_in: u32) -> Result<Vec<Span>> {
    subject.rewind();
    let spans = subject.train_step.profile(subject.device, lead_in)?;
    spans.ok_or_else(|| {
        Error::adapter(
            format!(
                "{} has no clock for single dispatches, or for so many",
                subject.device.adapter().name
            ),
            "leave --dispatches and --trace out, or choose another --adapter",
        )
    })
}

/// Dispatches that are told together.
#[derive(Default)]
struct Group<'a> {
    dispatches: Vec<&'a Dispatch>,
    min: f64,
    median: f64,
}

fn group(
    dispatches: &[Dispatch],
    timings: &[Timing],
    grouping: Grouping,
    ceilings: &Ceilings,
) -> Vec<Share> {
    let total: f64 = timings.iter().map(|timing| timing.median).sum();
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    for (index, (dispatch, timing)) in dispatches.iter().zip(timings).enumerate() {
        let kernel = dispatch.kernel();
        let key = match grouping {
            Grouping::Dispatch => format!("{index:03} {} {}", dispatch.layer, dispatch.entry),
            Grouping::Layer => dispatch.layer.clone(),
            Grouping::Kernel => kernel,
        };
        let group = groups.entry(key).or_default();
        group.dispatches.push(dispatch);
        group.min += timing.min;
        group.median += timing.median;
    }
    let shares = groups
        .into_iter()
        .map(|(name, group)| group.share(name, total, ceilings));
    let mut shares: Vec<Share> = shares.collect();
    if grouping != Grouping::Dispatch {
        shares.sort_by(|a, b| b.share.total_cmp(&a.share));
    }
    shares
}

impl Group<'_> {
    fn share(self, name: String, total_ms: f64, ceilings: &Ceilings) -> Share {
        let ms = Timing {
            min: self.min,
            median: self.median,
        };
        let layers: BTreeSet<&str> = self
            .dispatches
            .iter()
            .map(|dispatch| dispatch.layer.as_str())
            .collect();
        let layers: Vec<&str> = layers.into_iter().collect();
        Share {
            layer: layers.join(" "),
            share: self.median / total_ms,
            row: Row::new(name, self.dispatches, Ok(ms), ceilings),
        }
    }
}

/// Multiplications and additions per second, in units of 10^9.
pub fn gflops(cost: Cost, ms: f64) -> f64 {
    2.0 * cost.multiplications as f64 / (ms * 1e6)
}

/// Bytes bound per second, in units of 10^9.
pub fn gbytes_per_s(cost: Cost, ms: f64) -> f64 {
    cost.bytes as f64 / (ms * 1e6)
}
