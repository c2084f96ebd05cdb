//! What others hear of a training.

use std::ops::ControlFlow;

use super::progress::{Progress, State};
use crate::checkpoint::NamedTensor;
use crate::error::Result;
use crate::report::metrics::{EpochRecord, StepRecord};

/// Hears what happens while nets train.
pub trait Observer {
    /// An epoch begins.
    fn started(&mut self, _epoch: &EpochStart) {}

    /// So many steps of the epoch are done: whether to go on at once, or to halt first.
    fn advanced(&mut self, _steps: u32) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    /// A part of an evaluation is done: whether to go on, or to break it off, so that the training stops before it.
    fn scoring(&mut self) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    /// The training stands still: now and then within an epoch, and after each epoch of each net. Whether to go on.
    fn halted(&mut self, _halt: &Halt) -> Result<ControlFlow<()>> {
        Ok(ControlFlow::Continue(()))
    }

    /// A step is done. Steps are reported when their epoch is.
    fn step(&mut self, record: &StepRecord) -> Result<()>;

    /// An epoch is done.
    fn epoch(&mut self, record: &EpochRecord) -> Result<()>;

    /// The epoch that was reported last has left sound weights.
    fn trained(&mut self, _trained: &Trained) -> Result<()> {
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

/// A training that stands still.
pub struct Halt<'a> {
    /// Where.
    pub progress: &'a Progress,
    /// Whether that is behind its last epoch.
    pub is_done: bool,
    /// Reads from the device what [`Trainer::resume`](super::Trainer::resume) needs to go on from here.
    pub state: &'a dyn Fn() -> Result<State>,
}

/// What an epoch made of a net.
pub struct Trained<'a> {
    /// Its number.
    pub net: usize,
    /// The epoch.
    pub epoch: usize,
    /// Whether it is its best so far.
    pub is_best: bool,
    /// Its weights, in PyTorch's order.
    pub weights: &'a [NamedTensor],
}
