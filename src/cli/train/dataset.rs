//! The data set that a configuration names, on the host.

use crate::cli::output::note;
use crate::data::regression::{self, DEFAULT_COUNT};
use crate::data::{self, Division, ImageSet, Limit, LoadOptions};
use crate::error::{Error, Result};
use crate::experiment::{DataKind, Experiment};
use crate::recipe::Normalization;
use crate::train::{Config, Dataset};

/// The side of the pictures that ImageNet's backbones are published for.
const IMAGENET_SIDE: u32 = 224;

/// Loads the data set that a configuration names, and what its limits leave of it. Says so where that is not all.
pub fn load(config: &Config, experiment: &Experiment) -> Result<(Dataset, Vec<Limit>)> {
    let mut dataset = read(config, experiment)?;
    let limits = limit(&mut dataset, config);
    Ok((dataset, limits))
}

/// Reads the whole data set.
pub fn read(config: &Config, experiment: &Experiment) -> Result<Dataset> {
    match experiment.data {
        DataKind::Images => {
            let augment = config.augment;
            let options = LoadOptions {
                // What augmentation makes a size of need not be stored in it.
                image_size: config.image_size.filter(|_| augment.size().is_none()),
                stored_sides: augment.stored_sides(),
                mixed_side: experiment.is_transfer().then_some(IMAGENET_SIDE),
                label_offset: config.label_offset,
                transposed: config.transposed,
                classes: config.network.classes.map(|classes| classes as usize),
                ..LoadOptions::default()
            };
            let mut set = data::load_with(&config.data, &options)?;
            set.notes
                .iter()
                .for_each(|line| note(format!("{}: {line}", set.name)));
            if set.division != Division::Published {
                note(format!("{}: {}", set.name, set.division));
            }
            if experiment.is_transfer() && set.train.channels == 1 {
                set.train.to_rgb();
                set.test.to_rgb();
                // What the one channel brought counts for all three.
                (set.mean, set.std) = (set.mean.repeat(3), set.std.repeat(3));
            }
            normalize(&mut set, config.normalization)?;
            Ok(Dataset::Images(set))
        }
        DataKind::Regression => {
            let target: regression::Target = config.data.parse()?;
            Ok(Dataset::Tables {
                name: config.data.clone(),
                train: regression::generate(target, DEFAULT_COUNT, config.seed),
                test: regression::generate(target, DEFAULT_COUNT, !config.seed),
            })
        }
    }
}

/// Leaves what the limits of a configuration leave, and says so.
pub fn limit(dataset: &mut Dataset, config: &Config) -> Vec<Limit> {
    let [train_count, test_count] =
        [config.limit_train, config.limit_test].map(|limit| limit.unwrap_or(usize::MAX));
    let limits = match dataset {
        Dataset::Images(set) => [
            set.limit_train(train_count, config.seed),
            set.limit_test(test_count),
        ],
        Dataset::Features(_) => [None, None],
        Dataset::Tables { train, test, .. } => [
            train.limit(train_count, "training"),
            test.limit(test_count, "testing"),
        ],
    };
    let limits: Vec<Limit> = limits.into_iter().flatten().collect();
    limits.iter().for_each(note);
    limits
}

/// Replaces the mean and deviation that the data set brings. One number counts for every channel.
fn normalize(set: &mut ImageSet, normalization: Normalization) -> Result<()> {
    let Some((mean, _)) = normalization.statistics() else {
        return Ok(());
    };
    let channels = set.train.channels;
    (set.mean, set.std) = normalization.of_channels(channels).ok_or_else(|| {
        Error::usage(
            format!(
                "--normalize: it is for {} channels, and {} has {channels}",
                mean.len(),
                set.name
            ),
            "use mnist, half, none or data-set",
        )
    })?;
    Ok(())
}
