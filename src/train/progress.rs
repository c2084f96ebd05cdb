//! Where a training stands, and all that it goes on from.

use serde::{Deserialize, Serialize};

use crate::checkpoint::NamedTensor;
use crate::report::metrics::EpochRecord;

/// Where a training stands: what the host knows of it.
///
/// Learning rates, random ones too, the best epochs and the optimisers' steps follow from the epochs so far.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Progress {
    /// The epoch under way, from 1.
    pub epoch: usize,
    /// The net under way: those before it have trained the epoch, it and those behind it have not.
    pub net: usize,
    /// The steps that it has trained of the epoch.
    pub steps: u32,
    /// How long they took.
    pub seconds: f64,
    /// The epochs so far, of all nets.
    pub records: Vec<EpochRecord>,
}

impl Progress {
    /// Before the first step.
    pub fn new() -> Self {
        Self {
            epoch: 1,
            net: 0,
            steps: 0,
            seconds: 0.0,
            records: Vec::new(),
        }
    }

    /// Turns to the next of so many nets, in the next epoch behind the last of them.
    pub(super) fn turn(&mut self, nets: usize) {
        (self.steps, self.seconds) = (0, 0.0);
        self.net += 1;
        if self.net == nets {
            (self.net, self.epoch) = (0, self.epoch + 1);
        }
    }

    /// The epochs that net number `index` has trained, unless it was stopped before.
    pub(super) fn epochs_of(&self, index: usize) -> usize {
        self.epoch - usize::from(index >= self.net)
    }

    /// The place in words.
    pub fn describe(&self) -> String {
        match (self.epoch - 1, self.net, self.steps) {
            (done, 0, 0) => format!("after epoch {done}"),
            (_, _, 0) => format!("within epoch {}, between two nets", self.epoch),
            (_, _, steps) => format!("in epoch {}, after step {steps}", self.epoch),
        }
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

/// A training that can go on: where it stands, and what was on the device by then.
#[derive(Clone, Debug)]
pub struct State {
    /// Where it stands.
    pub progress: Progress,
    /// What was on the device, in the order of [`state_shapes`](super::Trainer::state_shapes).
    pub tensors: Vec<NamedTensor>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nets_take_turns_within_an_epoch() {
        let mut progress = Progress::new();
        let mut seen = Vec::new();
        for _ in 0..4 {
            progress.steps = 7;
            seen.push((progress.epoch, progress.net, progress.describe()));
            progress.turn(2);
            assert_eq!(progress.steps, 0);
        }
        let within = |epoch| format!("in epoch {epoch}, after step 7");
        let places = [(1, 0), (1, 1), (2, 0), (2, 1)];
        let expected = places.map(|(epoch, net)| (epoch, net, within(epoch)));
        assert_eq!(seen, expected);
        assert_eq!(progress.describe(), "after epoch 2");
        progress.turn(2);
        assert_eq!(progress.describe(), "within epoch 3, between two nets");
        assert_eq!([0, 1].map(|net| progress.epochs_of(net)), [3, 2]);
    }
}
