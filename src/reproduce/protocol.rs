//! The two ways to compare nets: as the authors did, and fairly.

use clap::ValueEnum;
use serde::Serialize;

use crate::experiment::DataKind;
use crate::recipe::Validation;
use crate::report::measure::Measure;
use crate::train::Config;

/// How epochs are selected, and by which schedules nets are trained.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// As the authors' scripts: selected by and reported on the test set, the best of all epochs, each net by its own
    /// schedule
    Authors,
    /// Selected on held-out training samples, reported on the test set, both nets by the same schedule
    Fair,
}

impl Protocol {
    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Authors => "authors",
            Self::Fair => "fair",
        }
    }

    /// The configuration by this protocol.
    pub fn apply(self, config: Config) -> Config {
        match self {
            Self::Authors => Config {
                validation: Validation::None,
                ..config
            },
            Self::Fair => Config {
                validation: Validation::HeldOut,
                net_schedules: Default::default(),
                ..config
            },
        }
    }

    /// The measures of a reproduction: first the one that the protocol is about.
    pub fn measures(self, data: DataKind) -> &'static [Measure] {
        use Measure::*;
        match (self, data) {
            (Self::Authors, DataKind::Images) => &[HighestTestAccuracy, FinalTestAccuracy],
            (Self::Authors, DataKind::Regression) => &[LowestLastBatchLoss, FinalTestLoss],
            (Self::Fair, DataKind::Images) => &[
                ValidatedTestAccuracy,
                FinalTestAccuracy,
                HighestTestAccuracy,
            ],
            (Self::Fair, DataKind::Regression) => {
                &[ValidatedTestLoss, FinalTestLoss, LowestLastBatchLoss]
            }
        }
    }

    /// What it does, in a sentence.
    pub fn description(self, data: DataKind) -> &'static str {
        match (self, data) {
            (Self::Authors, DataKind::Images) => {
                "authors: epochs are selected by the test set that is reported, and the best of all epochs counts; every net \
                 has the authors' schedule for it"
            }
            (Self::Authors, DataKind::Regression) => {
                "authors: the lowest training loss that the last batch of an epoch happened to have counts; the test loss \
                 beside it is of samples that were never trained on"
            }
            (Self::Fair, _) => {
                "fair: the epoch is selected by held-out training samples (every tenth, or the data set's own), and its \
                 result on the test set counts; all nets have the same batches and the same schedule"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment;

    #[test]
    fn fair_holds_out_samples_and_gives_all_nets_one_schedule() {
        let experiment = experiment::find("mnist-cnn").unwrap();
        let own = |config: Config| Config {
            net_schedules: [("baseline".to_owned(), "divide:3:worse".parse().unwrap())].into(),
            ..config
        };
        let config = || own(Config::of_recipe(experiment, &["spinal", "baseline"], None));
        let fair = Protocol::Fair.apply(config());
        assert_eq!(fair.validation, Validation::HeldOut);
        assert_eq!(fair.schedule_of("baseline"), fair.schedule_of("spinal"));
        let authors = Protocol::Authors.apply(config());
        assert_eq!(authors.validation, Validation::None);
        assert_ne!(
            authors.schedule_of("baseline"),
            authors.schedule_of("spinal")
        );
    }
}
