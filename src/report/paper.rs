//! Numbers of the paper that runs are held against, with where they come from.

/// A curve of the paper's supplement and how far a run may lie from it.
pub struct PaperCurve {
    /// The net.
    pub net: &'static str,
    /// Epoch and test accuracy in percent, read off the figure.
    pub points: &'static [(usize, f64)],
}

/// Test accuracy of the MNIST CNN over epochs (supplement, mean over an unstated number of runs; read off to 0.02).
pub const MNIST_CNN: [PaperCurve; 2] = [
    PaperCurve {
        net: "spinal",
        points: &[
            (1, 94.35),
            (2, 96.58),
            (3, 97.35),
            (5, 98.03),
            (8, 98.36),
            (10, 98.56),
            (15, 98.80),
            (20, 98.93),
        ],
    },
    PaperCurve {
        net: "baseline",
        points: &[
            (1, 94.5),
            (2, 96.24),
            (3, 96.95),
            (5, 97.67),
            (8, 98.18),
            (10, 98.38),
            (15, 98.62),
            (20, 98.79),
        ],
    },
];

/// Half the width of the paper's band at an epoch, in points.
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
        self.points
            .iter()
            .find(|(point, _)| *point == epoch)
            .map(|&(_, accuracy)| accuracy)
    }
}
