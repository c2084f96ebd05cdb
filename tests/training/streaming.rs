//! Trainings whose images do not all lie on the device: bit for bit as on one that holds them.

use spinalnet::data::ImageSet;
use spinalnet::data::augment::Augmentation;
use spinalnet::gpu::Checks;
use spinalnet::plan::{Kernels, Limits};
use spinalnet::recipe::Validation;
use spinalnet::train::{Config, Dataset};

use crate::common::device;
use crate::{Run, config, device_like, digit_set, digits, run, run_on};

/// 1.6 MB of images to train on, the last of them held out.
const SAMPLES: usize = 2000;
const HELD_OUT: usize = 15;

/// Bytes of a buffer: 66 of the 100 steps of an epoch.
const BUFFER_BYTES: u64 = 66 * 20 * 784;

fn samples() -> Dataset {
    let set = digit_set(digits(0..SAMPLES), digits(SAMPLES..SAMPLES + 10)).into_images();
    Dataset::Images(ImageSet {
        held_out: HELD_OUT,
        ..set
    })
}

/// Two epochs of both nets, each with an order of its own and a ragged last step.
fn two_epochs(augment: Augmentation) -> Config {
    Config {
        epochs: 2,
        batch_size: 20,
        validation: Validation::HeldOut,
        augment,
        ..config("mnist-cnn")
    }
}

fn assert_equal(whole: &Run, streamed: &Run) {
    assert!(whole.weights == streamed.weights);
    for net in ["spinal", "baseline"] {
        assert_eq!(whole.log.losses(net), streamed.log.losses(net));
    }
    assert_eq!(whole.log.epochs.len(), 4);
    for (whole, streamed) in whole.log.epochs.iter().zip(&streamed.log.epochs) {
        assert_eq!(whole.validation_loss, streamed.validation_loss);
        assert_eq!(whole.test_loss, streamed.test_loss);
    }
}

#[test]
fn images_that_are_streamed_change_no_bit_of_a_training() {
    let device = device(Checks::Trusted);
    let mut small = device_like(device);
    small.set_kernels(Kernels::from(Limits {
        buffer_bytes: BUFFER_BYTES,
        ..device.limits().clone()
    }));
    for augment in [Augmentation::None, Augmentation::PerspectiveRotation] {
        let whole = run(two_epochs(augment), samples());
        assert_equal(&whole, &run_on(&small, two_epochs(augment), samples()));
    }
}
