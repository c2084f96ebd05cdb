//! Schedules: the learning rate of every epoch, by the rules of the paper's scripts and of PyTorch.
//!
//! A schedule is decided once an epoch, also where it could change within one. Epochs are counted from 1.

mod course;
mod text;

use std::ops::RangeInclusive;

pub use course::Course;

/// A rule for the learning rate, for the whole training or for each of its phases.
#[derive(Clone, PartialEq, Debug)]
pub struct Schedule {
    /// The rule.
    pub rule: Rule,
    /// The phases in each of which the rule starts anew.
    pub phases: Option<Phases>,
}

/// How the learning rate follows from the one that a training or a phase starts with.
#[derive(Clone, PartialEq, Debug)]
pub enum Rule {
    /// It stays.
    Constant,
    /// Multiplied by a factor after every so many epochs: PyTorch's `StepLR`.
    Step {
        /// Epochs between changes.
        every: usize,
        /// The factor.
        factor: f64,
    },
    /// Half a cosine from the start down to zero, an epoch at a time: PyTorch's `CosineAnnealingLR`.
    Cosine,
    /// The start times a power of a number drawn from U[0, 1), anew after each epoch that disappoints (paper.md 3.1).
    Random {
        /// The power: 3 or 5 in the paper's scripts.
        power: f64,
        /// When.
        when: Disappointment,
    },
    /// The start until an epoch, then for every epoch a random rate: the late epochs of the paper's Arch2.
    RandomAfter {
        /// The last epoch that trains with the start.
        epoch: usize,
        /// What the power of the random number is multiplied by.
        lr: f64,
        /// The power.
        power: f64,
        /// What each random epoch does to the optimiser.
        state: OptimizerState,
    },
    /// Divided after each epoch that disappoints.
    Divide {
        /// The divisor.
        by: f64,
        /// When.
        when: Disappointment,
    },
    /// Divided after each of certain epochs.
    DivideAfter {
        /// The divisor.
        by: f64,
        /// The epochs.
        epochs: Vec<RangeInclusive<usize>>,
    },
}

/// The score of an epoch, measured by the best before it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Disappointment {
    /// Below the best: an equal one will do.
    Worse,
    /// Not above the best: an equal one disappoints, too.
    NotBetter,
}

/// What becomes of momentum and moments where the rate changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OptimizerState {
    /// They start from zero, as those of a new optimiser object do.
    Fresh,
    /// They go on.
    Keep,
}

/// Phases of a training, one after another.
#[derive(Clone, PartialEq, Debug)]
pub struct Phases {
    /// The phases.
    pub list: Vec<Phase>,
    /// What the start of each phase but the first does to the optimiser.
    pub state: OptimizerState,
}

/// A phase of a training.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Phase {
    /// The learning rate that its rule starts from.
    pub lr: f64,
    /// Its length.
    pub epochs: usize,
}

impl Schedule {
    /// The epochs of all phases together, where there are phases.
    pub fn epochs(&self) -> Option<usize> {
        let phases = self.phases.as_ref()?;
        Some(phases.list.iter().map(|phase| phase.epochs).sum())
    }
}

impl Disappointment {
    /// Whether a score disappoints after a best one.
    fn applies(self, score: f64, best: f64) -> bool {
        match self {
            Self::Worse => score < best,
            Self::NotBetter => score <= best,
        }
    }
}
