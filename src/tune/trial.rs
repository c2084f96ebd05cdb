//! One candidate on the device: the same inputs as the others, its outputs beside the reference's, and its time.

use std::time::{Duration, Instant};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::error::Result;
use crate::gpu::{Device, Executable, Memory};
use crate::plan::{Operation, OperationPlan, Plan};

/// Roundings of a sum of products with random signs, in units of the last place of the sum of the magnitudes. Its standard
/// deviation is about a third of one such unit, whatever the number of terms, because the partial sums grow as its square
/// root; and there are two sums. A product that is left out or added twice stands out as long as the terms are fewer than
/// a million.
const UNITS: f64 = 8.0;

/// What runs before any timing: a graphics processor that waited for the host's comparisons has slowed down.
const WARM_UP: Duration = Duration::from_millis(30);

/// A timing takes at least this long, so that the submission does not count.
const SHORTEST: Duration = Duration::from_millis(2);

/// Timings of a candidate: at least as many, and no more once they took as long.
const TIMINGS: usize = 3;
const LONGEST: Duration = Duration::from_millis(60);

/// An operation on the device, with drawn inputs.
pub struct Trial<'a> {
    device: &'a Device,
    memory: Memory,
    executable: Executable,
    part: &'a OperationPlan,
    parameters: &'a [f32],
}

/// What the reference computes.
pub struct Expected {
    outputs: Vec<Vec<f32>>,
    /// The same from the magnitudes of the inputs.
    scales: Vec<Vec<f32>>,
}

/// How a candidate's outputs compare with the reference's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Agreement {
    /// All within the roundings.
    Within,
    /// One is not; which one, and by how much.
    Beyond(String),
}

impl<'a> Trial<'a> {
    /// Puts a plan of one operation on the device.
    ///
    /// # Errors
    /// `Error::Adapter` if it exceeds the adapter's limits or memory.
    pub fn new(device: &'a Device, part: &'a OperationPlan, parameters: &'a [f32]) -> Result<Self> {
        let plan = &part.plan;
        let memory = Memory::allocate(device, &plan.allocation())?;
        let executable = Executable::new(device, &memory, plan, 0)?;
        Ok(Self {
            device,
            memory,
            executable,
            part,
            parameters,
        })
    }

    /// What this operation computes, as the measure for others.
    ///
    /// # Errors
    /// `Error::Adapter` if the device fails.
    pub fn expected(&self) -> Result<Expected> {
        Ok(Expected {
            outputs: self.run(|value| value)?,
            scales: self.run(f32::abs)?,
        })
    }

    /// Compares the outputs with those of the reference, within the error of sums and the candidate's amplification of it.
    ///
    /// # Errors
    /// `Error::Adapter` if the device fails.
    pub fn agreement(&self, expected: &Expected) -> Result<Agreement> {
        let operation = self.operation();
        let candidate = &operation.candidates[operation.chosen];
        let outputs = self.run(|value| value)?;
        for (place, output) in outputs.iter().enumerate() {
            let (expected, scales) = (&expected.outputs[place], &expected.scales[place]);
            let allowed = tolerances(scales, candidate.amplification);
            let wrong = (0..output.len()).find(|&index| {
                let difference = f64::from(output[index]) - f64::from(expected[index]);
                difference.is_nan() || difference.abs() > allowed(index)
            });
            if let Some(index) = wrong {
                let label = &self.part.plan.buffer(operation.outputs[place]).label;
                return Ok(Agreement::Beyond(format!(
                    "element {index} of output {label} is {} and not {}, further apart than {:.1e}",
                    output[index],
                    expected[index],
                    allowed(index)
                )));
            }
        }
        Ok(Agreement::Within)
    }

    /// Milliseconds of one run: the fastest of some timings.
    ///
    /// # Errors
    /// `Error::Adapter` if the device fails.
    pub fn time(&self) -> Result<f64> {
        let mut runs = 1;
        let started = Instant::now();
        while started.elapsed() < WARM_UP {
            if self.submit(runs)? < SHORTEST {
                runs *= 2;
            }
        }
        let started = Instant::now();
        let mut fastest = f64::INFINITY;
        let mut timings = 0;
        while timings < TIMINGS || started.elapsed() < LONGEST {
            fastest = fastest.min(self.submit(runs)?.as_secs_f64());
            timings += 1;
        }
        Ok(fastest * 1e3 / f64::from(runs))
    }

    fn submit(&self, runs: u32) -> Result<Duration> {
        let started = Instant::now();
        self.executable
            .submit(self.device, runs)
            .wait(self.device)?;
        Ok(started.elapsed())
    }

    fn operation(&self) -> &Operation {
        &self.part.plan.operations[0]
    }

    /// Fills every buffer with drawn numbers that `change` may change, those of places and counts with zeros, runs once, and
    /// reads the outputs.
    fn run(&self, change: impl Fn(f32) -> f32) -> Result<Vec<Vec<f32>>> {
        let plan = &self.part.plan;
        for (index, (name, start)) in self.part.origins.iter().enumerate() {
            let buffer = &plan.buffers[index];
            let elements = buffer.elements as usize;
            let values: Vec<f32> = if holds_places(plan, index) {
                vec![0.0; elements]
            } else {
                let values = self.values(name, *start as usize, elements);
                values.into_iter().map(&change).collect()
            };
            self.memory
                .write_data(self.device, &buffer.label, bytemuck::cast_slice(&values));
        }
        self.executable.submit(self.device, 1).wait(self.device)?;
        let read = |&output| {
            let label = &plan.buffer(output).label;
            let whole: Vec<f32> = self.memory.read_data(self.device, label)?;
            let start = output.offset() as usize;
            Ok(whole[start..start + output.elements() as usize].to_vec())
        };
        self.operation().outputs.iter().map(read).collect()
    }

    /// The same numbers for the buffers of one name in every plan: the parameters themselves, or drawn odd quarters below 2. Both
    /// have few bits, so that most sums are exact and no rounding decides which of two values a pooling window takes.
    fn values(&self, name: &str, start: usize, elements: usize) -> Vec<f32> {
        if name == "parameters" {
            // A uniform binding can reach past the end.
            let parameters = self.parameters[start..].iter();
            let mut values: Vec<f32> = parameters
                .map(|value| (value * 256.0).round() / 256.0)
                .collect();
            values.resize(elements, 0.0);
            return values;
        }
        let seed = name
            .bytes()
            .fold(1u64, |seed, byte| seed.wrapping_mul(31) + u64::from(byte));
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let quarters = |bits: u32| (2.0 * (bits % 8) as f32 - 7.0) / 4.0;
        let values = (0..elements).map(|_| quarters(random.next_u32()));
        if name == "statistics" {
            // A variance is not negative.
            return values.map(f32::abs).collect();
        }
        values.collect()
    }
}

/// Whether a buffer of a plan holds whole numbers: a place drawn at random would lie outside.
fn holds_places(plan: &Plan, index: usize) -> bool {
    let mut slots = plan.dispatches.iter().flat_map(|dispatch| {
        let bindings = dispatch.bindings.iter();
        let bound = bindings.filter(|binding| plan.index(binding.tensor) == index);
        bound.flat_map(|binding| {
            let slots = &dispatch.shader.entry_point(dispatch.entry).bindings;
            slots.iter().filter(|slot| slot.name == binding.name)
        })
    });
    slots.any(|slot| slot.holds_places)
}

/// How far each element may be from the reference's. Where a candidate mixes neighbouring elements, their largest scale
/// counts.
fn tolerances(scales: &[f32], amplification: f64) -> impl Fn(usize) -> f64 + '_ {
    let largest = scales.iter().copied().fold(0.0, f32::max);
    move |index| {
        let scale = if amplification > 1.0 {
            largest
        } else {
            scales[index]
        };
        UNITS * amplification * f64::from(f32::EPSILON) * f64::from(scale)
            + f64::from(f32::MIN_POSITIVE)
    }
}
