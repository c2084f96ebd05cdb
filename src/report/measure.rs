//! The numbers that a net's training is summed up by.

use serde::Serialize;

use super::history::History;
use super::metrics::EpochRecord;

/// One number of a training.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Measure {
    /// The highest test accuracy of all epochs: selected by the test set itself.
    HighestTestAccuracy,
    /// The test accuracy of the epoch that was best on held-out training samples.
    ValidatedTestAccuracy,
    /// The test accuracy after the last epoch.
    FinalTestAccuracy,
    /// The test loss of the epoch that was best on held-out training samples.
    ValidatedTestLoss,
    /// The test loss after the last epoch.
    FinalTestLoss,
    /// The lowest training loss on the last batch of an epoch: what the paper's table of regressions holds.
    LowestLastBatchLoss,
}

/// What a measure finds, and in which epoch.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Reading {
    /// The epoch, from 1.
    pub epoch: usize,
    /// A fraction for accuracies; losses as they are.
    pub value: f64,
}

impl Measure {
    /// What it is, in words.
    pub fn name(self) -> &'static str {
        match self {
            Self::HighestTestAccuracy => "highest test accuracy of all epochs",
            Self::ValidatedTestAccuracy => "test accuracy at the best validation epoch",
            Self::FinalTestAccuracy => "test accuracy after the last epoch",
            Self::ValidatedTestLoss => "test loss at the best validation epoch",
            Self::FinalTestLoss => "test loss after the last epoch",
            Self::LowestLastBatchLoss => "lowest training loss of a last batch",
        }
    }

    /// Whether it is an accuracy, the higher the better, and not a loss.
    pub fn is_accuracy(self) -> bool {
        use Measure::{FinalTestAccuracy, HighestTestAccuracy, ValidatedTestAccuracy};
        matches!(
            self,
            HighestTestAccuracy | ValidatedTestAccuracy | FinalTestAccuracy
        )
    }

    /// What is written behind its [`text`](Self::text).
    pub fn unit(self) -> &'static str {
        if self.is_accuracy() { "%" } else { "x 1e-3" }
    }

    /// What is written behind the text of a difference.
    pub fn difference_unit(self) -> &'static str {
        if self.is_accuracy() {
            "points"
        } else {
            "x 1e-3"
        }
    }

    /// A value, or the difference of two, in its unit.
    pub fn text(self, value: f64) -> String {
        if self.is_accuracy() {
            format!("{:.2}", 100.0 * value)
        } else {
            format!("{:.3}", 1000.0 * value)
        }
    }

    /// Looks at the first `epochs` epochs of a net's training.
    pub fn read(self, history: &History, net: &str, epochs: usize) -> Option<Reading> {
        let mut records = history.of_net(net);
        records.retain(|record| (1..=epochs).contains(&record.epoch));
        let last = records.last()?;
        let test = |record: &EpochRecord| match self.is_accuracy() {
            true => record.test_accuracy,
            false => Some(record.test_loss),
        };
        let reading = |record: &EpochRecord, value| Reading {
            epoch: record.epoch,
            value,
        };
        match self {
            Self::FinalTestAccuracy | Self::FinalTestLoss => Some(reading(last, test(last)?)),
            Self::ValidatedTestAccuracy | Self::ValidatedTestLoss => {
                let best = EpochRecord::best(&records)?;
                Some(reading(best, test(best)?))
            }
            Self::HighestTestAccuracy => {
                let all = records
                    .iter()
                    .filter_map(|record| Some(reading(record, test(record)?)));
                all.reduce(|best, next| if next.value > best.value { next } else { best })
            }
            Self::LowestLastBatchLoss => {
                let all = records.iter().filter_map(|record| {
                    Some(reading(record, history.last_loss(net, record.epoch)?))
                });
                all.reduce(|best, next| if next.value < best.value { next } else { best })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Four epochs; what is best on the validation samples is best nowhere else.
    fn history() -> History {
        let epochs = [
            (0.5, 0.6, 0.7, 0.04),
            (0.8, 0.7, 0.5, 0.02),
            (0.7, 0.9, 0.4, 0.01),
            (0.8, 0.8, 0.6, 0.03),
        ];
        let lines = (1..).zip(epochs).map(|(epoch, (validation, test, loss, last))| {
            let step = format!(
                r#"{{"net":"a","epoch":{epoch},"step":{epoch},"loss":{last},"lr":0.01}}"#
            );
            let epoch = format!(
                r#"{{"net":"a","epoch":{epoch},"validation_loss":1,"validation_accuracy":{validation},"test_loss":{loss},"test_accuracy":{test}}}"#
            );
            format!("{step}\n{epoch}\n")
        });
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        std::fs::write(&path, lines.collect::<String>()).unwrap();
        History::read(&path).unwrap()
    }

    #[test]
    fn every_measure_finds_its_epoch() {
        let history = history();
        let found = |measure: Measure, epochs| {
            let reading = measure.read(&history, "a", epochs).unwrap();
            (reading.epoch, reading.value)
        };
        assert_eq!(found(Measure::HighestTestAccuracy, 4), (3, 0.9));
        assert_eq!(found(Measure::ValidatedTestAccuracy, 4), (2, 0.7));
        assert_eq!(found(Measure::FinalTestAccuracy, 4), (4, 0.8));
        assert_eq!(found(Measure::ValidatedTestLoss, 4), (2, 0.5));
        assert_eq!(found(Measure::FinalTestLoss, 4), (4, 0.6));
        let last = found(Measure::LowestLastBatchLoss, 4);
        assert_eq!(last, (3, f64::from(0.01_f32)));
        assert_eq!(found(Measure::HighestTestAccuracy, 2), (2, 0.7));
        assert_eq!(Measure::FinalTestLoss.read(&history, "b", 4), None);
    }
}
