//! What others hear of a training.

use std::ops::ControlFlow;

use crate::checkpoint::NamedTensor;
use crate::error::Result;
use crate::report::metrics::{EpochRecord, StepRecord};

/// Hears what happens while nets train.
pub trait Observer {
    /// An epoch begins.
    fn started(&mut self, _epoch: &EpochStart) {}

    /// So many steps of the epoch are done: whether to go on.
    fn advanced(&mut self, _steps: u32) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    /// A step is done. Steps are reported when their epoch is.
    fn step(&mut self, record: &StepRecord) -> Result<()>;

    /// An epoch is done.
    fn epoch(&mut self, record: &EpochRecord) -> Result<()>;

    /// All nets have done an epoch. `state` reads from the device what [`Trainer::resume`](super::Trainer::resume) needs to
    /// go on from here.
    fn epochs_done(
        &mut self,
        _epoch: usize,
        _state: &dyn Fn() -> Result<Vec<NamedTensor>>,
    ) -> Result<()> {
        Ok(())
    }

    /// A net is not trained any more, because it has not got better.
    fn stopped(&mut self, _net: &str, _epoch: usize) {}
}

/// An epoch that begins.
#[derive(Clone, Copy, Debug)]
pub struct EpochStart<'a> {
    /// The net, by its short name.
    pub net: &'a str,
    /// The epoch, from 1.
    pub epoch: usize,
    /// The last epoch.
    pub epochs: usize,
    /// Steps of an epoch.
    pub steps: u32,
    /// Samples of a step.
    pub batch_size: u32,
}
