//! Whether a training step fits an adapter, asked before it is recorded as a whole; and if not, which batch would.

use crate::batch::Source;
use crate::error::{Error, Result};
use crate::gpu::Device;
use crate::models::Model;
use crate::plan::{Allocation, Excess};
use crate::steps::{StepPlans, largest_activation};

/// Bytes of a tensor from which on 32-bit indices of its elements could overflow while it is recorded.
const INDEXABLE_BYTES: u64 = 4 << 30;

/// Refuses samples that are too many to be recorded as a step at all.
///
/// # Errors
/// `Error::Usage`.
pub(super) fn check_indices(model: &Model, source: &Source) -> Result<()> {
    let batch = source.batch_size;
    let samples = source.micro_batch.unwrap_or(batch).min(batch);
    let of_sample = largest_activation(model);
    if of_sample.saturating_mul(samples.into()) < INDEXABLE_BYTES {
        return Ok(());
    }
    let most = (INDEXABLE_BYTES - 1) / of_sample;
    let bytes = of_sample * u64::from(samples);
    Err(Error::usage(
        format!(
            "{}: an activation of {samples} samples has {bytes} bytes, of {INDEXABLE_BYTES} that 32-bit indices reach",
            model.name
        ),
        format!(
            "use at most --batch-size {most}, or --micro-batch {most} to keep batches of {batch}"
        ),
    ))
}

/// A training step of one net, for any number of samples that go through it at once.
pub(super) struct Step<'a> {
    pub device: &'a Device,
    pub model: &'a Model,
    /// What it is trained on, with the batch size and the micro-batch that were asked for.
    pub source: &'a Source,
    /// Records a full step of a source.
    pub record: &'a dyn Fn(&Source) -> StepPlans,
}

impl Step<'_> {
    /// Refuses a step that the adapter does not take.
    ///
    /// # Errors
    /// `Error::Adapter`, with the most samples that fit.
    pub fn check(&self) -> Result<()> {
        let batch = self.source.batch_size;
        let wanted = self.source.micro_batch.unwrap_or(batch).min(batch);
        let Some(misfit) = self.misfit(wanted) else {
            return Ok(());
        };
        let what = format!(
            "{}: {wanted} samples at once do not fit {}: {misfit}",
            self.device.adapter().name,
            self.model.name
        );
        Err(Error::adapter(what, self.hint(wanted)))
    }

    fn hint(&self, wanted: u32) -> String {
        let fewest = self.model.smallest_batch();
        if wanted <= fewest || self.misfit(fewest).is_some() {
            return "no batch fits: use a smaller --image-size or another --adapter".to_owned();
        }
        let (mut fits, mut too_large) = (fewest, wanted);
        while fits + 1 < too_large {
            let middle = fits.midpoint(too_large);
            if self.misfit(middle).is_none() {
                fits = middle;
            } else {
                too_large = middle;
            }
        }
        match self.source.micro_batch {
            None => format!(
                "use --batch-size {fits}, or --micro-batch {fits} to keep batches of {wanted}"
            ),
            Some(_) => format!("use --micro-batch {fits}"),
        }
    }

    /// What the adapter does not take of a step with so many samples at once.
    fn misfit(&self, samples: u32) -> Option<String> {
        let source = match self.source.micro_batch {
            None => Source {
                batch_size: samples,
                ..*self.source
            },
            Some(_) => Source {
                micro_batch: Some(samples),
                ..*self.source
            },
        };
        let step = (self.record)(&source);
        let allowed = self.device.limits().buffer_bytes;
        let mut allocation = Allocation::default();
        allocation.add(0, step.plans());
        let largest = allocation.named.values().chain(&allocation.scratch).max();
        let too_large = largest.filter(|&&bytes| bytes > allowed);
        let buffer = too_large.map(|bytes| {
            format!("a buffer has {bytes} bytes, of {allowed} that the adapter takes")
        });
        let mut excess = step.plans().filter_map(|plan| plan.excess.as_ref());
        excess.next().map(Excess::to_string).or(buffer)
    }
}
