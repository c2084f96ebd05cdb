//! The closing table of a run.

use crate::report::metrics::EpochRecord;
use crate::report::summary::NetSummary;
use crate::steps::multiplications;
use crate::train::Trainer;

/// What each net costs, and how it did in its epochs or, if nothing was trained, with its initial weights.
pub fn of(trainer: &Trainer, records: &[EpochRecord]) -> Vec<NetSummary> {
    let nets = trainer.nets().iter();
    let summaries = nets.map(|net| {
        let mut epochs = EpochRecord::of_net(records, net.name());
        let initial = epochs.pop_if(|record| record.epoch == 0);
        NetSummary {
            name: net.name().to_owned(),
            parameters: net.model().parameters.count(),
            multiplications: multiplications(net.model()),
            epochs,
            initial,
        }
    });
    summaries.collect()
}
