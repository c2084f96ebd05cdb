//! Which of the training samples are trained on, and which are held out.

use crate::error::{Error, Result};
use crate::recipe::Validation;

/// Without a split of its own, every so many-th sample of a data set is held out: the paper's `index % 10 == 0`.
const EVERY: usize = 10;

/// Indices of training samples.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Split {
    /// Those that are trained on.
    pub train: Vec<u32>,
    /// Those that are held out and scored.
    pub validation: Vec<u32>,
}

impl Split {
    /// Splits `count` samples, the last `own` of which are the data set's own validation samples and never trained on.
    ///
    /// # Errors
    /// `Error::Usage` if nothing is left to train on.
    pub fn new(count: usize, own: usize, validation: Validation) -> Result<Self> {
        let trained = 0..(count - own) as u32;
        let own = trained.end..count as u32;
        let split = match validation {
            Validation::None => Self {
                train: trained.collect(),
                validation: Vec::new(),
            },
            Validation::HeldOut if !own.is_empty() => Self {
                train: trained.collect(),
                validation: own.collect(),
            },
            Validation::HeldOut => {
                let (validation, train) =
                    trained.partition(|&index| (index as usize).is_multiple_of(EVERY));
                Self { train, validation }
            }
        };
        if split.train.is_empty() {
            return Err(Error::usage(
                format!(
                    "--validation held-out: of {count} training samples none is left to train on"
                ),
                "use more training samples, or --validation none",
            ));
        }
        Ok(split)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_validation_all_are_trained_on() {
        let split = Split::new(4, 0, Validation::None).unwrap();
        assert_eq!(split.train, [0, 1, 2, 3]);
        assert!(split.validation.is_empty());
    }

    #[test]
    fn every_tenth_is_held_out() {
        let split = Split::new(22, 0, Validation::HeldOut).unwrap();
        assert_eq!(split.validation, [0, 10, 20]);
        let expected: Vec<u32> = (1..10).chain(11..20).chain([21]).collect();
        assert_eq!(split.train, expected);
    }

    #[test]
    fn a_split_of_the_data_set_is_kept_out_and_used() {
        let split = Split::new(22, 3, Validation::HeldOut).unwrap();
        assert_eq!(split.validation, [19, 20, 21]);
        assert_eq!(split.train, (0..19).collect::<Vec<u32>>());
        let split = Split::new(22, 3, Validation::None).unwrap();
        assert_eq!(split.train.len(), 19);
        assert!(split.validation.is_empty());
    }

    #[test]
    fn something_must_be_left() {
        let error = Split::new(1, 0, Validation::HeldOut).unwrap_err();
        assert!(error.to_string().contains("--validation"), "{error}");
    }
}
