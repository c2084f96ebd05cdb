//! One network of every family, on small images: five steps from weights and images that a formula gives.

use spinalnet::batch::Sample;
use spinalnet::gpu::Checks;
use spinalnet::models::head::HeadKind;
use spinalnet::models::{HeadOptions, ModelOptions};

use super::case::Case;

// Two networks of a family have the same kernels: one is trusted and the other checked, unless everything is asked for.

fn on_images(height: u32, width: u32, channels: u32) -> ModelOptions {
    ModelOptions {
        sample: Some(Sample::Image {
            height,
            width,
            channels,
        }),
        ..ModelOptions::default()
    }
}

#[test]
fn mnist_cnn_fc_equal() {
    let name = "mnist-cnn-fc-equal";
    Case::new(name, 8, name, ModelOptions::default()).check_with(Checks::Checked);
}

#[test]
fn mnist_cnn_spinal_no_chain() {
    let name = "mnist-cnn-spinal-no-chain";
    Case::new(name, 8, name, ModelOptions::default()).check_with(Checks::Trusted);
}

#[test]
fn mnist_cnn_spinal_full_input() {
    let name = "mnist-cnn-spinal-full-input";
    Case::new(name, 8, name, ModelOptions::default()).check_with(Checks::Trusted);
}

#[test]
fn arch2_spinal() {
    let name = "arch2-spinal";
    Case::new(name, 8, name, ModelOptions::default()).check();
}

fn check_vgg5(name: &str, checks: Checks) {
    let options = ModelOptions {
        classes: Some(26),
        ..on_images(16, 16, 1)
    };
    Case::new(name, 5, name, options).check_with(checks);
}

#[test]
fn vgg5_spinal() {
    check_vgg5("vgg5-spinal", Checks::Trusted);
}

#[test]
fn vgg5_baseline() {
    check_vgg5("vgg5-baseline", Checks::Checked);
}

#[test]
fn cifar_cnn_spinal() {
    let name = "cifar-cnn-spinal";
    Case::new(name, 5, name, on_images(16, 16, 3)).check_with(Checks::Trusted);
}

#[test]
fn cifar_cnn_baseline() {
    let name = "cifar-cnn-baseline";
    Case::new(name, 5, name, on_images(16, 16, 3)).check_with(Checks::Checked);
}

#[test]
fn cifar_vgg11_spinal() {
    let name = "cifar-vgg11-spinal";
    Case::new(name, 2, name, on_images(32, 32, 3)).check_with(Checks::Trusted);
}

#[test]
fn cifar_vgg11_baseline() {
    let name = "cifar-vgg11-baseline";
    Case::new(name, 2, name, on_images(32, 32, 3)).check_with(Checks::Checked);
}

#[test]
fn cifar_resnet18_spinal() {
    let name = "cifar-resnet18-spinal";
    Case::new(name, 4, name, on_images(16, 16, 3)).check_with(Checks::Trusted);
}

#[test]
fn cifar_resnet18_baseline() {
    let name = "cifar-resnet18-baseline";
    Case::new(name, 4, name, on_images(16, 16, 3)).check_with(Checks::Checked);
}

#[test]
fn cifar_resnet18_of_standard_blocks() {
    let options = ModelOptions {
        standard_blocks: true,
        ..on_images(16, 16, 3)
    };
    let file = "cifar-resnet18-standard";
    Case::new(file, 4, "cifar-resnet18-spinal", options).check_with(Checks::Checked);
}

#[test]
fn wrn_16_8_spinal() {
    let name = "wrn-16-8-spinal";
    Case::new(name, 3, name, on_images(8, 8, 3)).check_with(Checks::Trusted);
}

#[test]
fn wrn_16_8_baseline() {
    let name = "wrn-16-8-baseline";
    Case::new(name, 3, name, on_images(8, 8, 3)).check_with(Checks::Checked);
}

/// The chain of `custom` as far from the paper's as the options allow.
#[test]
fn custom_spinal() {
    let options = ModelOptions {
        head: HeadOptions {
            head: Some(HeadKind::SpinalShared),
            spinal_depth: Some(12),
            spinal_splits: Some(3),
            spinal_bn: Some(true),
            ..HeadOptions::default()
        },
        ..on_images(10, 10, 1)
    };
    let name = "custom-spinal";
    Case::new(name, 7, name, options).check();
}
