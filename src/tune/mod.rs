//! Choosing kernels by measurement: every candidate of every operation runs on its real shape, must agree with the
//! reference, and the fastest that does is kept.

mod cache;
mod subject;
mod trial;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

pub use cache::{Loaded, TuningCache};
pub use subject::{Subject, subjects};
pub use trial::{Agreement, Expected, Trial};

use crate::error::Result;
use crate::gpu::Device;
use crate::plan::{Kernels, Operation, OperationPlan, Plan};

/// A winner is this much faster than the cheapest candidate, or it is not worth another kernel.
const GAIN: f64 = 1.03;

/// What costs so many times as much as the cheapest candidate is not worth a measurement.
const HOPELESS: f64 = 8.0;

/// What became of a candidate.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It agrees with the reference and takes this many milliseconds.
    Time(f64),
    /// It does not agree with the reference.
    Wrong(String),
    /// The adapter cannot run it.
    Refused(String),
}

impl Outcome {
    fn ms(&self) -> Option<f64> {
        match self {
            Self::Time(ms) => Some(*ms),
            Self::Wrong(_) | Self::Refused(_) => None,
        }
    }
}

/// An operation whose candidates were measured.
#[derive(Clone, Debug)]
pub struct Tuned {
    /// The operation's key.
    pub key: String,
    /// The candidates that were worth a measurement, and what became of them; the cheapest first.
    pub outcomes: Vec<(String, Outcome)>,
    /// The place of the fastest.
    pub winner: usize,
}

impl Tuned {
    /// The name of the fastest candidate.
    pub fn winner(&self) -> &str {
        &self.outcomes[self.winner].0
    }

    /// Milliseconds of the cheapest candidate and of the fastest candidate, where they ran.
    pub fn ms(&self) -> [Option<f64>; 2] {
        [0, self.winner].map(|place| self.outcomes[place].1.ms())
    }
}

/// Keys of the operations of `subjects` that have a choice and no winner yet, each with the subject it is part of.
pub fn open_operations(subjects: &[Subject], kernels: &Kernels) -> Vec<(usize, String)> {
    let mut seen = BTreeSet::new();
    let mut open = Vec::new();
    for (index, subject) in subjects.iter().enumerate() {
        for operation in (subject.record)(kernels).operations {
            let known = winner_of(&operation, kernels)
                .is_some_and(|winner| operation.has_candidate(winner));
            if promising(&operation).len() > 1 && !known && seen.insert(operation.key.clone()) {
                open.push((index, operation.key));
            }
        }
    }
    open
}

/// Winners of operations of `subjects` that are none of their candidates: the keys and what they name.
pub fn unknown_winners(subjects: &[Subject], kernels: &Kernels) -> BTreeMap<String, String> {
    let plans = subjects.iter().map(|subject| (subject.record)(kernels));
    let unknown = plans
        .flat_map(|plan| plan.operations)
        .filter_map(|operation| {
            let winner = winner_of(&operation, kernels)?.to_owned();
            (!operation.has_candidate(&winner)).then_some((operation.key, winner))
        });
    unknown.collect()
}

fn winner_of<'a>(operation: &Operation, kernels: &'a Kernels) -> Option<&'a str> {
    Some(kernels.winners()?.get(&operation.key)?)
}

/// Measures the candidates of operations one after another until `budget` is spent. `heard` hears of each that is done,
/// with how many are done and how many there are.
///
/// # Errors
/// `Error::Adapter` if the device fails.
pub fn tune(
    device: &Device,
    subjects: &[Subject],
    budget: Duration,
    heard: &mut dyn FnMut(&Tuned, usize, usize),
) -> Result<Vec<Tuned>> {
    let started = Instant::now();
    let mut kernels = device.kernels().clone();
    let mut tuned: Vec<Tuned> = Vec::new();
    loop {
        // A winner that is composed of other operations brings these into the plan.
        let open = open_operations(subjects, &kernels);
        if open.is_empty() {
            return Ok(tuned);
        }
        let known = tuned.len();
        for (index, key) in &open {
            if started.elapsed() > budget {
                return Ok(tuned);
            }
            let measured = measure(device, &kernels, &subjects[*index], key)?;
            heard(&measured, tuned.len() + 1, known + open.len());
            tuned.push(measured);
        }
        for measured in &tuned[known..] {
            kernels = kernels.with_winner(&measured.key, measured.winner());
        }
    }
}

/// Measures every candidate of the operation.
fn measure(device: &Device, kernels: &Kernels, subject: &Subject, key: &str) -> Result<Tuned> {
    let plan = (subject.record)(kernels);
    let operation = find(&plan, key);
    let names = promising(operation);
    let part = |name: &String| {
        let plan = (subject.record)(&kernels.with_winner(key, name));
        OperationPlan::new(&plan, find(&plan, key))
    };
    let reference = operation
        .candidates
        .last()
        .expect("an operation has a candidate");
    let reference = part(&reference.name);
    let expected = Trial::new(device, &reference, &subject.parameters)?.expected()?;
    let mut outcomes = Vec::new();
    for name in names {
        let part = part(&name);
        let outcome = match Trial::new(device, &part, &subject.parameters) {
            Err(error) => {
                device.check()?;
                Outcome::Refused(error.to_string())
            }
            Ok(trial) => match trial.agreement(&expected)? {
                Agreement::Within => Outcome::Time(trial.time()?),
                Agreement::Beyond(what) => Outcome::Wrong(what),
            },
        };
        outcomes.push((name, outcome));
    }
    let winner = winner(&outcomes);
    Ok(Tuned {
        key: key.to_owned(),
        outcomes,
        winner,
    })
}

/// The names of the candidates that are worth a measurement, the cheapest first.
fn promising(operation: &Operation) -> Vec<String> {
    let cheapest = operation.candidates[operation.cheapest].cost;
    let mut candidates: Vec<_> = operation
        .candidates
        .iter()
        .filter(|candidate| candidate.cost <= HOPELESS * cheapest)
        .collect();
    candidates.sort_by(|a, b| a.cost.total_cmp(&b.cost));
    let names = candidates
        .into_iter()
        .map(|candidate| candidate.name.clone());
    names.collect()
}

/// The place of the fastest: the first, unless another is clearly faster.
fn winner(outcomes: &[(String, Outcome)]) -> usize {
    let time = |place: usize| outcomes[place].1.ms().unwrap_or(f64::INFINITY);
    let fastest = (0..outcomes.len())
        .min_by(|&a, &b| time(a).total_cmp(&time(b)))
        .unwrap_or(0);
    if time(0) < GAIN * time(fastest) {
        0
    } else {
        fastest
    }
}

fn find<'a>(plan: &'a Plan, key: &str) -> &'a Operation {
    let mut operations = plan.operations.iter();
    operations
        .find(|operation| operation.key == key)
        .unwrap_or_else(|| panic!("{}: no operation {key}", plan.name))
}

#[cfg(test)]
mod tests {
    use super::{Outcome, winner};

    fn place(outcomes: &[Outcome]) -> usize {
        let named = outcomes
            .iter()
            .map(|outcome| (String::new(), outcome.clone()));
        winner(&named.collect::<Vec<_>>())
    }

    #[test]
    fn only_a_clearly_faster_candidate_replaces_the_first() {
        assert_eq!(place(&[Outcome::Time(1.0), Outcome::Time(0.99)]), 0);
        assert_eq!(place(&[Outcome::Time(1.0), Outcome::Time(0.9)]), 1);
    }

    #[test]
    fn a_wrong_candidate_never_wins() {
        let wrong = || Outcome::Wrong("y differs".to_owned());
        assert_eq!(place(&[wrong(), Outcome::Time(9.0)]), 1);
        assert_eq!(place(&[Outcome::Time(9.0), wrong()]), 0);
    }
}
