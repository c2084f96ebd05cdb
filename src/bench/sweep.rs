//! How the cost of a model grows with the batch.

use serde::Serialize;

use super::conditions::Conditions;
use super::step::Steps;
use super::subject::Subject;
use super::timing::Timing;
use crate::error::{Error, Result};
use crate::gpu::Device;
use crate::models::{self, ModelOptions};

/// A model at several batch sizes.
#[derive(Clone, Debug, Serialize)]
pub struct SweepReport {
    /// `sweep`.
    pub bench: &'static str,
    /// The model.
    pub model: String,
    /// Where and how.
    #[serde(flatten)]
    pub conditions: Conditions,
    /// One row for each batch size.
    pub rows: Vec<SweepRow>,
    /// Why there are no rows of larger batches, if the adapter refused one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// A model at one batch size.
#[derive(Clone, Debug, Serialize)]
pub struct SweepRow {
    /// `batch N`.
    pub name: String,
    /// Samples of a step.
    pub batch_size: u32,
    /// A whole training step.
    pub train_step_ms: Timing,
    /// The network alone.
    pub inference_ms: Timing,
    /// Microseconds of a training step for each sample.
    pub train_us_per_sample: f64,
    /// Microseconds of an inference for each sample.
    pub inference_us_per_sample: f64,
    /// Bytes of device memory that training takes.
    pub device_bytes: u64,
}

/// Measures batches of 1, 2, 4 and so on up to `largest`, as far as the model takes them and the adapter has room.
pub fn measure(
    device: &Device,
    name: &str,
    options: ModelOptions,
    largest: u32,
    runs: usize,
) -> Result<SweepReport> {
    let smallest = models::build(name, options)?.smallest_batch();
    let sizes = std::iter::successors(Some(1u32), |size| size.checked_mul(2));
    let sizes = sizes.take_while(|&size| size <= largest);
    let (mut rows, mut refused) = (Vec::new(), None);
    for batch_size in sizes.filter(|&size| size >= smallest) {
        match row(device, name, options, batch_size, runs) {
            Ok(row) => rows.push(row),
            Err(error @ Error::Adapter { .. }) if !rows.is_empty() && device.check().is_ok() => {
                refused = Some(error.to_string());
                break;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(SweepReport {
        bench: "sweep",
        model: name.to_owned(),
        conditions: Conditions::on(device, runs),
        rows,
        refused,
    })
}

fn row(
    device: &Device,
    name: &str,
    options: ModelOptions,
    batch_size: u32,
    runs: usize,
) -> Result<SweepRow> {
    let subject = Subject::new(device, models::build(name, options)?, batch_size)?;
    let train_step_ms = Steps::new(&subject, &subject.train_step)?.wall(runs)?;
    let inference_ms = Steps::new(&subject, &subject.inference)?.wall(runs)?;
    let per_sample = |timing: Timing| 1e3 * timing.median / f64::from(batch_size);
    Ok(SweepRow {
        name: format!("batch {batch_size}"),
        batch_size,
        train_step_ms,
        inference_ms,
        train_us_per_sample: per_sample(train_step_ms),
        inference_us_per_sample: per_sample(inference_ms),
        device_bytes: subject.device_bytes,
    })
}
