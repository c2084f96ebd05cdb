//! How well a net does.

use crate::batch::Source;

/// How a net does on samples that it was not trained on.
#[derive(Clone, Copy, Debug)]
pub struct Score {
    /// The mean loss.
    pub loss: f64,
    /// Correctly classified samples; none for regression.
    pub correct: Option<u64>,
    /// All samples.
    pub total: u64,
}

impl Score {
    /// Correct samples over all samples.
    pub fn accuracy(&self) -> Option<f64> {
        self.correct
            .map(|correct| correct as f64 / self.total as f64)
    }
}

/// The mean over samples of losses that are means over steps.
pub(super) fn mean_loss(losses: &[f32], source: &Source) -> f64 {
    let samples =
        |step: usize| (source.count - step as u32 * source.batch_size).min(source.batch_size);
    let sum: f64 = losses
        .iter()
        .enumerate()
        .map(|(step, &loss)| f64::from(loss) * f64::from(samples(step)))
        .sum();
    sum / f64::from(source.count)
}
