//! When a training has gone wrong for good.

use super::resident::Dataset;
use crate::error::{Error, Result};
use crate::report::metrics::{DIVERGED, EpochRecord};

/// 2^24: from here on neighbours in f32 are further apart than one.
///
/// Where the outputs of a training step are as far off, what they should be is lost in their rounding, and the gradients have
/// nothing to do with it. The loss may well be small again some steps later: a network whose units all died guesses.
const LOST: f64 = 16_777_216.0;

/// The losses beyond which a training counts as diverged.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Of a training step.
    step: f64,
}

impl Bounds {
    /// Those of a training on `dataset`.
    ///
    /// Cross-entropy grows like the distance of the logits from where they should be, squared errors like the square of a
    /// distance that is measured in targets, or in ones where the targets are smaller than what an untrained network puts out.
    pub fn of(dataset: &Dataset) -> Self {
        let step = match dataset {
            Dataset::Images(_) | Dataset::Features(_) => LOST,
            Dataset::Tables { train, .. } => {
                let square = |&target: &f32| f64::from(target) * f64::from(target);
                let squares: f64 = train.targets.iter().map(square).sum();
                LOST * LOST * (squares / train.targets.len() as f64).max(1.0)
            }
        };
        Self { step }
    }

    /// Refuses to go on after an epoch with losses that are not numbers or beyond all bounds, those of its steps included.
    pub fn check(self, record: &EpochRecord, steps: &[f32]) -> Result<()> {
        let means = [record.validation_loss, Some(record.test_loss)];
        // What is not a number is not below a bound either.
        let are_sound = steps.iter().all(|&loss| f64::from(loss) < self.step)
            && means.into_iter().flatten().all(|loss| loss < DIVERGED);
        if are_sound {
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Division, ImageSet, Images, Table};

    fn record(validation_loss: Option<f64>, test_loss: f64) -> EpochRecord {
        EpochRecord {
            net: "spinal".into(),
            epoch: 3,
            lr: 0.5,
            train_loss: 2.3,
            validation_loss,
            validation_accuracy: None,
            test_loss,
            test_accuracy: None,
            seconds: 1.0,
            images_per_second: 1.0,
        }
    }

    fn images() -> Dataset {
        let images = Images {
            count: 1,
            height: 1,
            width: 1,
            channels: 1,
            pixels: vec![0],
            labels: vec![0],
        };
        Dataset::Images(ImageSet {
            name: String::new(),
            classes: 10,
            class_names: Vec::new(),
            train: images.clone(),
            held_out: 0,
            division: Division::Published,
            test: images,
            mean: vec![0.0],
            std: vec![1.0],
        })
    }

    fn table(targets: &[f32]) -> Dataset {
        let train = Table {
            inputs: targets.to_vec(),
            targets: targets.to_vec(),
            features: 1,
            outputs: 1,
            count: targets.len(),
        };
        Dataset::Tables {
            name: String::new(),
            test: train.clone(),
            train,
        }
    }

    fn is_sound(dataset: &Dataset, steps: &[f32]) -> bool {
        let check = Bounds::of(dataset).check(&record(None, 2.3), steps);
        if let Err(error) = &check {
            assert!(error.to_string().contains("diverged in epoch 3"), "{error}");
            assert_eq!(error.hint(), "use a smaller --lr than 0.5");
        }
        check.is_ok()
    }

    #[test]
    fn one_absurd_step_is_a_divergence() {
        assert!(is_sound(&images(), &[2.3, 1.6e7, 2.3]));
        for loss in [1.7e7, 5.5e20, 1.7e37, f32::INFINITY, f32::NAN] {
            assert!(!is_sound(&images(), &[2.3, loss, 2.3]), "{loss}");
        }
    }

    /// 2^48 is 2.8e14; small targets count as ones.
    #[test]
    fn the_bound_of_squared_errors_grows_with_the_targets() {
        let large = table(&[100.0, -100.0]);
        assert!(is_sound(&large, &[2.8e18]));
        assert!(!is_sound(&large, &[2.9e18]));
        for targets in [[0.0, 0.0], [1e-6, 1e-6], [1.0, -1.0]] {
            assert!(is_sound(&table(&targets), &[2.8e14]));
            assert!(!is_sound(&table(&targets), &[2.9e14]));
        }
        assert!(!is_sound(&large, &[f32::NAN]));
    }

    #[test]
    fn evaluations_are_refused_where_nothing_is_left_of_an_f32() {
        let check = |record| Bounds::of(&images()).check(&record, &[2.3]);
        assert!(check(record(Some(2.3), 1e29)).is_ok());
        assert!(check(record(Some(1e29), 0.0)).is_ok());
        for loss in [1e30, 3e38, f64::INFINITY, f64::NAN] {
            for record in [record(Some(loss), 2.3), record(None, loss)] {
                assert!(check(record).is_err(), "{loss}");
            }
        }
    }
}
