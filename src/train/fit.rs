//! Whether a training step fits an adapter, asked before it is recorded as a whole; and if not, which batch would.

use crate::batch::Source;
use crate::error::{Error, Result};
use crate::gpu::Device;
use crate::models::Model;
use crate::plan::Plan;
use crate::steps::largest_activation;

/// Bytes of a tensor from which on 32-bit indices of its elements could overflow while it is recorded.
const INDEXABLE_BYTES: u64 = 4 << 30;

/// A training step of one net, for any batch size.
pub(super) struct Step<'a> {
    pub device: &'a Device,
    pub model: &'a Model,
    /// What it is trained on, with the batch size that was asked for.
    pub source: &'a Source,
    /// Records the step for a batch size.
    pub record: &'a dyn Fn(u32) -> Plan,
}

impl Step<'_> {
    /// Refuses a step that the adapter does not take.
    ///
    /// # Errors
    /// `Error::Adapter`, with the largest batch size that fits.
    pub fn check(&self) -> Result<()> {
        let wanted = self.source.batch_size;
        let Some(misfit) = self.misfit(wanted) else {
            return Ok(());
        };
        let what = format!(
            "{}: a step of {wanted} of {} does not fit: {misfit}",
            self.device.adapter().name,
            self.model.name
        );
        Err(Error::adapter(what, self.hint(wanted)))
    }

    fn hint(&self, wanted: u32) -> String {
        if self.misfit(1).is_some() {
            return "no batch fits: use a smaller --image-size or another --adapter".to_owned();
        }
        let (mut fits, mut too_large) = (1, wanted);
        while fits + 1 < too_large {
            let middle = fits.midpoint(too_large);
            if self.misfit(middle).is_none() {
                fits = middle;
            } else {
                too_large = middle;
            }
        }
        format!("use --batch-size {fits}, or --micro-batch {fits} to keep batches of {wanted}")
    }

    /// What the adapter does not take of a step with so many samples.
    fn misfit(&self, batch: u32) -> Option<String> {
        let activation = largest_activation(self.model) * u64::from(batch);
        if activation >= INDEXABLE_BYTES {
            return Some(format!("an activation has {activation} bytes"));
        }
        let plan = (self.record)(batch);
        let allowed = self.device.limits().buffer_bytes;
        let allocation = plan.allocation();
        let largest = allocation.named.values().chain(&allocation.scratch).max();
        let too_large = largest.filter(|&&bytes| bytes > allowed);
        let buffer = too_large.map(|bytes| {
            format!("a buffer has {bytes} bytes, of {allowed} that the adapter takes")
        });
        plan.excess.map(|excess| excess.to_string()).or(buffer)
    }
}
