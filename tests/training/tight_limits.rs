//! Trainings on an adapter that takes less of everything than any there is: as on this one but for the order of summation.

use spinalnet::data::Images;
use spinalnet::data::augment::Augmentation;
use spinalnet::gpu::Checks;
use spinalnet::plan::Kernels;
use spinalnet::train::{Config, Dataset};

use super::micro_batches::assert_same;
use crate::common::{AdapterClass, device};
use crate::{config, device_like, digit_set, digits, nets, run, run_on};

/// Samples to train on: more pictures than a binding of 1 MiB holds.
const SAMPLES: usize = 1400;

fn few_steps(experiment: &str, net: &str) -> Config {
    Config {
        nets: nets(&[net]),
        batch_size: 40,
        augment: Augmentation::PerspectiveRotation,
        ..config(experiment)
    }
}

fn narrow() -> Dataset {
    digit_set(digits(0..SAMPLES), digits(SAMPLES..SAMPLES + 10))
}

/// Every digit beside itself.
fn wide() -> Dataset {
    let doubled = |images: Images| Images {
        pixels: images
            .pixels
            .in_memory()
            .chunks(images.width)
            .flat_map(|row| row.repeat(2))
            .collect::<Vec<u8>>()
            .into(),
        width: 2 * images.width,
        ..images
    };
    digit_set(
        doubled(digits(0..SAMPLES)),
        doubled(digits(SAMPLES..SAMPLES + 10)),
    )
}

fn assert_the_same_under_tight_limits(config: &Config, dataset: fn() -> Dataset) {
    let mut tight = device_like(device(Checks::Trusted));
    tight.set_kernels(Kernels::from(AdapterClass::Tight.limits()));
    let untrained = Config {
        epochs: 0,
        ..config.clone()
    };
    let initial = run(untrained, dataset());
    let whole = run(config.clone(), dataset());
    let within = run_on(&tight, config.clone(), dataset());
    assert_same(&config.experiment, &whole, &within, &initial);
}

#[test]
fn tight_limits_change_no_training_of_a_convolutional_net() {
    for net in ["spinal", "baseline"] {
        assert_the_same_under_tight_limits(&few_steps("mnist-cnn", net), narrow);
    }
}

/// A Linear of 1568 by 300 is more than a binding, and so are all parameters together.
#[test]
fn tight_limits_change_no_training_of_a_net_that_is_more_than_a_binding() {
    let clipped = Config {
        clip_norm: Some(0.5),
        ..few_steps("mlp", "baseline")
    };
    assert_the_same_under_tight_limits(&clipped, wide);
}
