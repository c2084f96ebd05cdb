//! Steps in micro-batches: as those of whole batches but for the order of summation, and for batch normalisation.

use spinalnet::checkpoint::NamedTensor;
use spinalnet::data::augment::Augmentation;
use spinalnet::data::regression::{self, Target};
use spinalnet::gpu::Checks;
use spinalnet::plan::{Kernels, Limits};
use spinalnet::train::{Config, Dataset, Trainer};

use crate::common::device;
use crate::{Run, config, device_like, digit_set, digits, first_digits, nets, run};

/// Samples of a step; 20 samples make two steps and a ragged one of 4.
const BATCH: u32 = 8;
const SAMPLES: usize = 20;

/// How far another order of summation may carry weights away from each other, as a part of what training changes about
/// them. Another mask, draw, sample or divisor changes them by as much as training does.
const DEVIATION: f64 = 1e-3;

fn in_micro_batches(config: &Config, micro_batch: Option<u32>) -> Config {
    Config {
        batch_size: BATCH,
        micro_batch,
        ..config.clone()
    }
}

/// The largest difference between the values of tensors.
fn distance(a: &[NamedTensor], b: &[NamedTensor]) -> f64 {
    let values = |tensors: &[NamedTensor]| -> Vec<f32> {
        let values = tensors.iter().flat_map(|tensor| &tensor.values);
        values.copied().collect()
    };
    let (a, b) = (values(a), values(b));
    assert_eq!(a.len(), b.len());
    let differences = a.iter().zip(&b).map(|(a, b)| f64::from((a - b).abs()));
    differences.fold(0.0, f64::max)
}

/// Asserts that two trainings differ by the order of summation alone.
pub fn assert_same(what: &str, whole: &Run, parts: &Run, initial: &Run) {
    for (index, weights) in whole.weights.iter().enumerate() {
        let changed = distance(weights, &initial.weights[index]);
        let apart = distance(weights, &parts.weights[index]);
        assert!(
            apart <= DEVIATION * changed,
            "{what}, net {index}: {apart} apart, after changes of {changed}"
        );
    }
    let steps = whole.log.steps.iter().zip(&parts.log.steps);
    for (whole, parts) in steps {
        let difference = (whole.loss - parts.loss).abs();
        assert!(
            f64::from(difference) <= DEVIATION * f64::from(whole.loss),
            "{what}, step {}: loss {}, expected {}",
            whole.step,
            parts.loss,
            whole.loss
        );
    }
    assert_eq!(whole.log.steps.len(), parts.log.steps.len());
}

fn assert_whatever_the_micro_batch(config: &Config, dataset: impl Fn() -> Dataset) {
    let whole = run(in_micro_batches(config, None), dataset());
    let untrained = Config {
        epochs: 0,
        ..config.clone()
    };
    let initial = run(untrained, dataset());
    for micro_batch in [1, 3, BATCH / 2, BATCH] {
        let parts = run(in_micro_batches(config, Some(micro_batch)), dataset());
        let what = format!("{} in micro-batches of {micro_batch}", config.experiment);
        assert_same(&what, &whole, &parts, &initial);
    }
}

#[test]
fn micro_batches_add_up_under_dropout_and_augmentation() {
    let augmented = Config {
        nets: nets(&["spinal"]),
        augment: Augmentation::PerspectiveRotation,
        ..config("mnist-cnn")
    };
    assert_whatever_the_micro_batch(&augmented, || first_digits(SAMPLES));
}

#[test]
fn micro_batches_add_up_where_layers_share_a_tensor() {
    let arch2 = Config {
        nets: nets(&["spinal"]),
        augment: Augmentation::RotationCrop,
        clip_norm: Some(0.5),
        ..config("arch2")
    };
    assert_whatever_the_micro_batch(&arch2, || first_digits(SAMPLES));
}

#[test]
fn micro_batches_add_up_for_rows() {
    assert_whatever_the_micro_batch(&config("regression"), || Dataset::Tables {
        name: Target::Sum.name().to_owned(),
        train: regression::generate(Target::Sum, SAMPLES, 1),
        test: regression::generate(Target::Sum, SAMPLES, 2),
    });
}

/// The hint of a refusal is the largest micro-batch that fits: it is taken, and one sample more is not.
#[test]
fn a_step_that_does_not_fit_is_refused_with_the_micro_batch_that_does() {
    let mut device = device_like(device(Checks::Trusted));
    let tight = Limits {
        binding_bytes: 1 << 18,
        ..device.limits().clone()
    };
    device.set_kernels(Kernels::from(tight));
    let build = |micro_batch| {
        let config = Config {
            nets: nets(&["spinal"]),
            batch_size: 64,
            micro_batch,
            ..config("mnist-cnn")
        };
        Trainer::new(&device, config, first_digits(64)).map(|_| ())
    };
    let hint = |micro_batch| match build(micro_batch) {
        Ok(()) => panic!("micro-batches of {micro_batch:?} are not refused"),
        Err(error) => error.hint().to_owned(),
    };
    let refused = hint(None);
    let samples = refused.split(' ').nth(2).and_then(|word| {
        let number = word.trim_end_matches(',');
        number.parse::<u32>().ok()
    });
    let samples = samples.unwrap_or_else(|| panic!("{refused}"));
    assert_eq!(
        refused,
        format!("use --batch-size {samples}, or --micro-batch {samples} to keep batches of 64")
    );
    build(Some(samples)).expect("the hint fits");
    assert_eq!(
        hint(Some(samples + 1)),
        format!("use --micro-batch {samples}")
    );
}

/// The gradient of a step is the mean of those of its micro-batches, each normalised by itself, and running statistics see
/// one micro-batch after the other. From the same weights, with an update that is linear in the gradient, trainings on each
/// micro-batch alone tell both.
#[test]
fn batch_normalisation_sees_each_micro_batch_alone() {
    const MOMENTUM: f64 = 0.1;
    let half = BATCH / 2;
    let plain = Config {
        nets: nets(&["spinal"]),
        momentum: 0.0,
        nesterov: false,
        weight_decay: 0.0,
        dropout: false,
        augment: Augmentation::None,
        shuffle: false,
        batch_size: half,
        ..config("cifar-cnn")
    };
    let set = |from: u32, to: u32| digit_set(digits(from as usize..to as usize), digits(90..100));
    let untrained = Config {
        epochs: 0,
        ..plain.clone()
    };
    let initial = run(untrained, set(0, half));
    let alone = [(0, half), (half, BATCH)].map(|(from, to)| run(plain.clone(), set(from, to)));
    let both = run(in_micro_batches(&plain, Some(half)), set(0, BATCH));

    let tensors = both.weights[0].iter().enumerate();
    for (index, tensor) in tensors {
        let of = |run: &Run| run.weights[0][index].values.clone();
        let (before, first, second) = (of(&initial), of(&alone[0]), of(&alone[1]));
        let is_statistic = tensor.name.contains("running_");
        let expected = (0..before.len()).map(|at| {
            let [before, first, second] = [before[at], first[at], second[at]].map(f64::from);
            match is_statistic {
                true => (1.0 - MOMENTUM) * (first - before) + second,
                false => (first + second) / 2.0,
            }
        });
        let expected: Vec<f64> = expected.collect();
        let change = |values: &[f32]| {
            let changes = values.iter().zip(&before);
            changes
                .map(|(a, b)| f64::from((a - b).abs()))
                .fold(0.0, f64::max)
        };
        let summation = DEVIATION * change(&first).max(change(&second));
        for (at, (&found, expected)) in tensor.values.iter().zip(expected).enumerate() {
            // Two weights and their sum are rounded.
            let tolerance = summation + 2.0 * f64::from(f32::EPSILON) * expected.abs();
            assert!(
                (f64::from(found) - expected).abs() <= tolerance,
                "{}[{at}]: {found}, expected {expected}, tolerance {tolerance}",
                tensor.name
            );
        }
    }
}
