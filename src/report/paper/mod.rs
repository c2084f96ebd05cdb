//! Numbers of the paper that trainings are held against, with where they come from.
//!
//! The paper's tables of classification results were not at hand; what they hold is unknown here, and is shown as `[?]`.

mod best;
pub mod mnist_curve;
mod regression;

pub use best::{Best, best};

use serde::Serialize;

use super::measure::Measure;

/// What stands in for a number that is not known.
pub const UNKNOWN: &str = "[?]";

/// The meaning of the tags, for the foot of a table.
pub const TAGS: &str = "[C] read in the authors' code or figures; [D] in a script's docstring; [N] in a notebook's stored \
                        output; [B] read off the supplement's bar chart (+-0.03); [P] in a public results table; [?] not known";

/// A number of the paper.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct PaperNumber {
    /// What it measures.
    pub measure: Measure,
    /// After so many epochs, where that is told.
    pub epochs: Option<usize>,
    /// A fraction for accuracies; losses as they are.
    pub value: f64,
    /// Where it comes from: letters of [`TAGS`].
    pub tag: &'static str,
}

/// What is known of a model (`FAMILY-NET`) on a data set or function.
pub fn numbers(model: &str, data: &str) -> Vec<PaperNumber> {
    match (model, data) {
        ("mnist-cnn-spinal", "mnist") => mnist_curve::numbers("spinal"),
        ("mnist-cnn-baseline", "mnist") => mnist_curve::numbers("baseline"),
        ("regression-spinal", _) => regression::numbers("spinal", data),
        ("regression-baseline", _) => regression::numbers("baseline", data),
        ("vgg5-spinal", "emnist-letters") => vec![highest_accuracy(0.9588, "P, D")],
        ("vgg5-spinal", "emnist-balanced") => vec![highest_accuracy(0.9105, "D")],
        _ => Vec::new(),
    }
}

/// The accuracy of a model by a docstring: the highest of all epochs, as the authors' scripts print it.
fn highest_accuracy(value: f64, tag: &'static str) -> PaperNumber {
    PaperNumber {
        measure: Measure::HighestTestAccuracy,
        epochs: None,
        value,
        tag,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_found_and_the_rest_is_not() {
        let curve = numbers("mnist-cnn-spinal", "mnist");
        let at_8 = PaperNumber {
            measure: Measure::FinalTestAccuracy,
            epochs: Some(8),
            value: 0.9836,
            tag: "C",
        };
        assert!(curve.contains(&at_8), "{curve:?}");
        assert_eq!(curve.len(), 16);
        let regression = numbers("regression-baseline", "sin-sum");
        let values: Vec<_> = regression.iter().map(|n| (n.epochs, n.value)).collect();
        assert_eq!(values, [(Some(100), 1.918e-3), (Some(200), 1.086e-3)]);
        assert_eq!(numbers("vgg5-spinal", "emnist-letters")[0].tag, "P, D");
        for (model, data) in [
            ("mnist-cnn-spinal", "kmnist"),
            ("mnist-cnn-spinal-w10", "mnist"),
            ("vgg5-baseline", "emnist-letters"),
            ("cifar-cnn-spinal", "cifar10"),
            ("regression-spinal-tied", "sum"),
        ] {
            assert_eq!(numbers(model, data), [], "{model} {data}");
        }
    }
}
