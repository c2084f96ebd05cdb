//! The best epoch of a net so far.

use crate::plan::Values;

/// The first of the epochs with the highest score.
#[derive(Debug)]
pub struct Best {
    epoch: usize,
    score: f64,
    /// Its parameters and running statistics, where they are kept.
    pub values: Option<Values>,
}

impl Best {
    /// Before the first epoch.
    pub fn new() -> Self {
        Self {
            epoch: 0,
            score: f64::NEG_INFINITY,
            values: None,
        }
    }

    /// Hears the score of an epoch: whether it is the best so far.
    pub fn hear(&mut self, epoch: usize, score: f64) -> bool {
        let better = score > self.score;
        if better {
            (self.epoch, self.score) = (epoch, score);
        }
        better
    }

    /// Epochs since then.
    pub fn age(&self, epoch: usize) -> usize {
        epoch - self.epoch
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_equal_score_is_no_better() {
        let mut best = Best::new();
        let scores = [-3.0, 0.5, 0.4, 0.5, 0.6];
        let heard: Vec<bool> = (1..)
            .zip(scores)
            .map(|(epoch, score)| best.hear(epoch, score))
            .collect();
        assert_eq!(heard, [true, true, false, false, true]);
        assert_eq!(best.age(7), 2);
    }
}
