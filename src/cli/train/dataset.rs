//! The data set that a configuration names, on the host.

use crate::data::{self, regression};
use crate::error::Result;
use crate::experiment::{DataKind, Experiment};
use crate::train::{Config, Dataset};

/// Loads the data set that a configuration names.
pub fn load(config: &Config, experiment: &Experiment) -> Result<Dataset> {
    match experiment.data {
        DataKind::Images => {
            let mut set = data::load(&config.data)?;
            set.truncate_train(config.limit_train.unwrap_or(usize::MAX));
            set.test.truncate(config.limit_test.unwrap_or(usize::MAX));
            Ok(Dataset::Images(set))
        }
        DataKind::Regression => {
            let target: regression::Target = config.data.parse()?;
            let rows = |limit: Option<usize>| {
                limit.map_or(regression::DEFAULT_COUNT, |n| {
                    n.min(regression::DEFAULT_COUNT)
                })
            };
            let train = regression::generate(target, rows(config.limit_train), config.seed);
            let test = regression::generate(target, rows(config.limit_test), !config.seed);
            Ok(Dataset::Tables {
                name: config.data.clone(),
                train,
                test,
            })
        }
    }
}
