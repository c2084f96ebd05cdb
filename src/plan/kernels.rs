//! Which kernels are recorded: those that keep an adapter's limits, chosen by cost, by measurement, or for being the reference.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::limits::Limits;
use super::operation::CandidateInfo;

/// Which kernels are recorded.
#[derive(Clone, Debug, Default)]
pub struct Kernels {
    limits: Arc<Limits>,
    precision: Precision,
    choice: Choice,
}

/// How exact the factors of products are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Precision {
    /// f32 throughout.
    #[default]
    F32,
    /// Factors of convolutions are rounded to f16 and multiplied by matrix units; sums and everything stored stay f32.
    F16,
}

impl Precision {
    /// `f32` or `f16`.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
        }
    }
}

#[derive(Clone, Debug, Default)]
enum Choice {
    #[default]
    Cheapest,
    Last,
    Measured(Arc<Winners>),
}

/// The fastest candidate by the key of the operation.
pub type Winners = BTreeMap<String, String>;

impl From<Limits> for Kernels {
    fn from(limits: Limits) -> Self {
        Self {
            limits: Arc::new(limits),
            ..Self::default()
        }
    }
}

impl From<&Kernels> for Kernels {
    fn from(kernels: &Kernels) -> Self {
        kernels.clone()
    }
}

impl Kernels {
    /// The same adapter's references: the plainest kernels, which the others are compared with.
    pub fn reference(self) -> Self {
        Self {
            choice: Choice::Last,
            ..self
        }
    }

    /// The same adapter's cheapest kernels.
    pub fn cheapest(self) -> Self {
        Self {
            choice: Choice::Cheapest,
            ..self
        }
    }

    /// The winners where the operation was measured, and the cheapest candidate elsewhere.
    pub fn measured(self, winners: Winners) -> Self {
        Self {
            choice: Choice::Measured(Arc::new(winners)),
            ..self
        }
    }

    /// How they are chosen: `default`, `tuned` or `reference`.
    pub fn choice_name(&self) -> &'static str {
        match self.choice {
            Choice::Cheapest => "default",
            Choice::Last => "reference",
            Choice::Measured(_) => "tuned",
        }
    }

    /// The same with other factors of products.
    pub fn with_precision(self, precision: Precision) -> Self {
        Self { precision, ..self }
    }

    /// How exact the factors of products are.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// What the adapter takes.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The winners, if operations are chosen by measurement.
    pub fn winners(&self) -> Option<&Winners> {
        match &self.choice {
            Choice::Measured(winners) => Some(winners),
            Choice::Cheapest | Choice::Last => None,
        }
    }

    /// The same with another candidate for one operation.
    pub fn with_winner(&self, key: &str, name: &str) -> Self {
        let mut winners = self.winners().cloned().unwrap_or_default();
        winners.insert(key.to_owned(), name.to_owned());
        self.clone().measured(winners)
    }

    /// The place of the chosen one among candidates, of which the last is the reference.
    pub(super) fn choose(&self, key: &str, candidates: &[CandidateInfo], cheapest: usize) -> usize {
        match &self.choice {
            Choice::Cheapest => cheapest,
            Choice::Last => candidates.len() - 1,
            Choice::Measured(winners) => {
                let named = |winner: &String| {
                    candidates
                        .iter()
                        .position(|candidate| candidate.name == *winner)
                };
                winners.get(key).and_then(named).unwrap_or(cheapest)
            }
        }
    }
}
