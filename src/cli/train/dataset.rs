//! The data set that a configuration names, on the host.

use crate::data::{self, ImageSet, LoadOptions, regression};
use crate::error::{Error, Result};
use crate::experiment::{DataKind, Experiment};
use crate::recipe::Normalization;
use crate::train::{Config, Dataset};

/// Loads the data set that a configuration names.
pub fn load(config: &Config, experiment: &Experiment) -> Result<Dataset> {
    match experiment.data {
        DataKind::Images => {
            let options = LoadOptions {
                image_size: config.image_size,
                label_offset: config.label_offset,
                transposed: config.transposed,
                classes: config.network.classes.map(|classes| classes as usize),
                ..LoadOptions::default()
            };
            let mut set = data::load_with(&config.data, &options)?;
            set.truncate_train(config.limit_train.unwrap_or(usize::MAX));
            set.test.truncate(config.limit_test.unwrap_or(usize::MAX));
            normalize(&mut set, config.normalization)?;
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

/// Replaces the mean and deviation that the data set brings. One number counts for every channel.
fn normalize(set: &mut ImageSet, normalization: Normalization) -> Result<()> {
    let Some((mean, std)) = normalization.statistics() else {
        return Ok(());
    };
    let channels = set.train.channels;
    if mean.len() != 1 && mean.len() != channels {
        return Err(Error::usage(
            format!(
                "--normalize: it is for {} channels, and {} has {channels}",
                mean.len(),
                set.name
            ),
            "use mnist, half, none or data-set",
        ));
    }
    let of_channel = |values: &[f32]| values.iter().copied().cycle().take(channels).collect();
    (set.mean, set.std) = (of_channel(mean), of_channel(std));
    Ok(())
}
