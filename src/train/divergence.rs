//! When a training has gone wrong for good.

use crate::error::{Error, Result};
use crate::report::metrics::EpochRecord;

/// A mean loss from which on a training counts as diverged. Nothing that is worth learning starts there: a squared error of
/// 1e30 is off by 1e15, and the squares of such gradients no longer fit an f32.
const DIVERGED: f64 = 1e30;

/// Refuses to go on after an epoch whose losses are not numbers or beyond all bounds.
pub fn refuse(record: &EpochRecord) -> Result<()> {
    let losses = [
        Some(record.train_loss),
        record.validation_loss,
        Some(record.test_loss),
    ];
    // What is not a number is not below the bound either.
    if losses.into_iter().flatten().all(|loss| loss < DIVERGED) {
        return Ok(());
    }
    Err(Error::training(
        format!(
            "{}: the training diverged in epoch {}, its loss is not a number or beyond all bounds",
            record.net, record.epoch
        ),
        format!("use a smaller --lr than {}", record.lr),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(train_loss: f64, validation_loss: Option<f64>, test_loss: f64) -> EpochRecord {
        EpochRecord {
            net: "spinal".into(),
            epoch: 3,
            lr: 0.5,
            train_loss,
            validation_loss,
            validation_accuracy: None,
            test_loss,
            test_accuracy: None,
            seconds: 1.0,
            images_per_second: 1.0,
        }
    }

    #[test]
    fn large_losses_are_no_divergence() {
        assert!(refuse(&record(2.3, None, 1e29)).is_ok());
        assert!(refuse(&record(1e29, Some(2.3), 0.0)).is_ok());
    }

    #[test]
    fn losses_that_are_absurd_or_no_numbers_are_refused() {
        for loss in [1e30, 3e38, f64::INFINITY, f64::NAN] {
            for record in [
                record(loss, None, 2.3),
                record(2.3, Some(loss), 2.3),
                record(2.3, Some(2.3), loss),
            ] {
                let error = refuse(&record).unwrap_err();
                assert!(error.to_string().contains("diverged in epoch 3"), "{error}");
                assert_eq!(error.hint(), "use a smaller --lr than 0.5");
            }
        }
    }
}
