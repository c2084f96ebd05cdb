//! The supplement's curves of the MNIST CNN: means over an unstated number of runs, read off the figure.

use super::PaperNumber;
use crate::report::measure::Measure;

/// A curve of the supplement.
pub struct PaperCurve {
    /// The net.
    pub net: &'static str,
    /// Epoch, test accuracy in percent (read off to 0.02) and test loss (to 0.001).
    pub points: &'static [(usize, f64, f64)],
}

/// Test accuracy and loss of the MNIST CNN over epochs.
pub const MNIST_CNN: [PaperCurve; 2] = [
    PaperCurve {
        net: "spinal",
        points: &[
            (1, 94.35, 0.186),
            (2, 96.58, 0.112),
            (3, 97.35, 0.086),
            (5, 98.03, 0.063),
            (8, 98.36, 0.050),
            (10, 98.56, 0.044),
            (15, 98.80, 0.037),
            (20, 98.93, 0.033),
        ],
    },
    PaperCurve {
        net: "baseline",
        points: &[
            (1, 94.5, 0.190),
            (2, 96.24, 0.122),
            (3, 96.95, 0.097),
            (5, 97.67, 0.074),
            (8, 98.18, 0.058),
            (10, 98.38, 0.052),
            (15, 98.62, 0.044),
            (20, 98.79, 0.039),
        ],
    },
];

/// Half the width of the paper's band of accuracies at an epoch, in points.
///
/// The figure's bands are about 0.45 at epoch 1 and 0.1 at epoch 20; between them the logarithm of the epoch is
/// interpolated.
pub fn band(epoch: usize) -> f64 {
    let share = (epoch as f64).ln() / 20f64.ln();
    0.45 + (0.1 - 0.45) * share
}

impl PaperCurve {
    /// The paper's accuracy at an epoch, in percent, if the figure was read there.
    pub fn at(&self, epoch: usize) -> Option<f64> {
        let mut points = self.points.iter();
        let point = points.find(|(point, ..)| *point == epoch);
        point.map(|&(_, accuracy, _)| accuracy)
    }
}

/// The curves of a net, point by point.
pub(super) fn numbers(net: &str) -> Vec<PaperNumber> {
    let curves = MNIST_CNN.iter().filter(|curve| curve.net == net);
    let points = curves.flat_map(|curve| curve.points);
    points
        .flat_map(|&(epoch, percent, loss)| {
            [
                (Measure::FinalTestAccuracy, percent / 100.0),
                (Measure::FinalTestLoss, loss),
            ]
            .map(|(measure, value)| PaperNumber {
                measure,
                epochs: Some(epoch),
                value,
                tag: "C",
            })
        })
        .collect()
}
