//! When a training has gone wrong for good.

use super::resident::Dataset;
use crate::error::Error;
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

    /// The first loss that is not a number or beyond all bounds, in words; of steps behind the first `before` ones.
    pub fn unsound_step(self, before: u64, losses: &[f32]) -> Option<String> {
        // What is not a number is not below a bound either.
        let is_sound = |&loss: &f32| f64::from(loss) < self.step;
        let place = losses.iter().position(|loss| !is_sound(loss))?;
        let step = before + 1 + place as u64;
        Some(format!(
            "the loss of step {step} is {}",
            text(losses[place].into())
        ))
    }

    /// The same of the losses on other samples.
    pub fn unsound_score(self, record: &EpochRecord) -> Option<String> {
        let losses = [
            ("validation", record.validation_loss),
            ("test", Some(record.test_loss)),
        ];
        let known = losses
            .into_iter()
            .filter_map(|(set, loss)| Some((set, loss?)));
        let is_sound = |loss: f64| loss < DIVERGED;
        let (set, loss) = known.into_iter().find(|&(_, loss)| !is_sound(loss))?;
        Some(format!("the {set} loss is {}", text(loss)))
    }
}

/// A loss beyond all bounds, never as hundreds of digits.
fn text(loss: f64) -> String {
    match loss.is_finite() {
        true => format!("{loss:.1e}"),
        false => loss.to_string(),
    }
}

/// The error of a training that has gone wrong for good.
pub(super) fn error(net: &str, epoch: usize, lr: f64, cause: &str) -> Error {
    Error::training(
        format!("{net}: the training diverged in epoch {epoch}: {cause}"),
        format!("use a smaller --lr than {lr}"),
    )
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
            pixels: vec![0].into(),
            labels: vec![0],
        };
        Dataset::Images(ImageSet {
            name: String::new(),
            classes: 10,
            class_names: Vec::new(),
            train: images.clone(),
            held_out: 0,
            division: Division::Published,
            notes: Vec::new(),
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
        Bounds::of(dataset).unsound_step(0, steps).is_none()
    }

    #[test]
    fn one_absurd_step_is_a_divergence() {
        assert!(is_sound(&images(), &[2.3, 1.6e7, 2.3]));
        for (loss, text) in [
            (1.7e7, "1.7e7"),
            (5.5e20, "5.5e20"),
            (1.7e37, "1.7e37"),
            (f32::INFINITY, "inf"),
            (f32::NAN, "NaN"),
        ] {
            let found = Bounds::of(&images()).unsound_step(40, &[2.3, loss, 2.3]);
            assert_eq!(found.unwrap(), format!("the loss of step 42 is {text}"));
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
        let check = |record| Bounds::of(&images()).unsound_score(&record);
        assert_eq!(check(record(Some(2.3), 1e29)), None);
        assert_eq!(check(record(Some(1e29), 0.0)), None);
        for loss in [1e30, 3e38, f64::INFINITY, f64::NAN] {
            let validation = check(record(Some(loss), 2.3)).unwrap();
            assert!(
                validation.starts_with("the validation loss is "),
                "{validation}"
            );
            let test = check(record(None, loss)).unwrap();
            assert!(test.starts_with("the test loss is "), "{test}");
        }
    }

    #[test]
    fn the_error_says_where_and_what_to_do() {
        let error = error("spinal", 3, 0.5, "the loss of step 42 is NaN");
        assert_eq!(
            error.to_string(),
            "spinal: the training diverged in epoch 3: the loss of step 42 is NaN"
        );
        assert_eq!(error.hint(), "use a smaller --lr than 0.5");
    }
}
