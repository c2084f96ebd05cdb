//! The supplement's bar chart: the best SpinalNet of any kind on a data set, beside the best that was known.

use serde::Serialize;

/// A pair of bars, read off to +-0.03: accuracies as fractions.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Best {
    /// The best SpinalNet, most often one with transferred weights.
    pub spinal: f64,
    /// The best known in June 2020.
    pub known: f64,
    /// Where the former comes from.
    pub tag: &'static str,
}

/// Data set, best SpinalNet in percent, its tag, best known in percent.
const BARS: [(&str, f64, &str, f64); 11] = [
    ("mnist", 99.73, "B", 99.83),
    ("fashion-mnist", 94.68, "B", 96.38),
    ("kmnist", 99.16, "B", 99.06),
    ("qmnist", 99.67, "B", 99.67),
    ("emnist-digits", 99.83, "B", 97.77),
    ("emnist-letters", 95.88, "D, P, B", 95.40),
    ("emnist-balanced", 91.05, "D, B", 90.45),
    ("cifar10", 98.12, "D, B", 99.00),
    ("cifar100", 88.34, "D, B", 93.49),
    ("stl10", 98.66, "N, B", 97.92),
    ("svhn", 97.87, "D, B", 99.00),
];

/// The bars of a data set.
pub fn best(data: &str) -> Option<Best> {
    let &(_, spinal, tag, known) = BARS.iter().find(|(name, ..)| *name == data)?;
    Some(Best {
        spinal: spinal / 100.0,
        known: known / 100.0,
        tag,
    })
}
