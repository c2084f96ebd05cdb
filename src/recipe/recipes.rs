//! The paper's recipes (its authors' scripts; paper.md 3.1), and that of wide residual networks.

use super::{Normalization, OptimizerName, Recipe};

/// MNIST CNN, and the nets without convolutions: eight epochs of SGD.
pub const MNIST_CNN: Recipe = Recipe {
    epochs: 8,
    momentum: 0.5,
    ..Recipe::PLAIN
};

/// Arch2 on MNIST: from epoch 101 on, every epoch has a random rate and a new optimiser.
pub const ARCH2: Recipe = Recipe {
    epochs: 200,
    momentum: 0.5,
    schedule: "random-after:100:0.05:3:fresh",
    normalization: Normalization::Mnist,
    augment: "perspective-rotation",
    ..Recipe::PLAIN
};

/// Arch2 on KMNIST, QMNIST and EMNIST digits: the rate is meant to fall and never does.
const ARCH2_CONSTANT: Recipe = Recipe {
    lr: 0.1,
    schedule: "constant",
    ..ARCH2
};

/// Arch2 on the other data sets.
pub const ARCH2_OTHERS: &[(&str, Recipe)] = &[
    (
        "fashion-mnist",
        Recipe {
            lr: 0.005,
            schedule: "random-after:50:0.025:3:fresh",
            normalization: Normalization::Half,
            augment: "rotation-crop",
            ..ARCH2
        },
    ),
    ("kmnist", ARCH2_CONSTANT),
    ("qmnist", ARCH2_CONSTANT),
    ("emnist-digits", ARCH2_CONSTANT),
];

/// VGG-5: a random rate after every epoch that is not better than the best.
pub const VGG5: Recipe = Recipe {
    epochs: 200,
    batch_size: 100,
    optimizer: OptimizerName::Adam,
    lr: 0.005,
    schedule: "random:3:not-better",
    normalization: Normalization::Mnist,
    augment: "perspective-rotation",
    ..Recipe::PLAIN
};

/// VGG-5 on Fashion-MNIST.
pub const VGG5_FASHION: Recipe = Recipe {
    normalization: Normalization::Half,
    augment: "rotation-crop",
    ..VGG5
};

/// The CIFAR-10 CNN: the baseline's rate is divided after the second epoch and after every one from the 22nd on, the spinal
/// net's is meant to fall and never does.
pub const CIFAR10_CNN: Recipe = Recipe {
    epochs: 160,
    batch_size: 100,
    optimizer: OptimizerName::Adam,
    lr: 0.001,
    net_schedules: &[("baseline", "divide:3:after=2,22-")],
    normalization: Normalization::None,
    augment: "crop-flip",
    ..Recipe::PLAIN
};

/// The CIFAR-100 CNN.
pub const CIFAR100_CNN: Recipe = Recipe {
    batch_size: 200,
    schedule: "divide:3:worse",
    net_schedules: &[],
    ..CIFAR10_CNN
};

/// The VGGs on CIFAR-10.
pub const CIFAR10_VGG: Recipe = Recipe {
    epochs: 200,
    batch_size: 100,
    optimizer: OptimizerName::Adam,
    lr: 1e-4,
    schedule: "random:3:worse",
    normalization: Normalization::None,
    augment: "crop-flip",
    ..Recipe::PLAIN
};

/// The VGGs on CIFAR-100.
pub const CIFAR100_VGG: Recipe = Recipe {
    batch_size: 200,
    normalization: Normalization::Cifar,
    ..CIFAR10_VGG
};

/// The ResNets on CIFAR-10 and CIFAR-100.
pub const CIFAR_RESNET: Recipe = Recipe {
    epochs: 160,
    batch_size: 200,
    optimizer: OptimizerName::Adam,
    lr: 0.001,
    schedule: "random:5:worse",
    normalization: Normalization::Cifar,
    augment: "crop-flip",
    ..Recipe::PLAIN
};

/// Wide residual networks, which the paper does not train from scratch: the recipe of their authors (arXiv 1605.07146).
pub const WIDE_RESNET: Recipe = Recipe {
    epochs: 200,
    batch_size: 128,
    lr: 0.1,
    momentum: 0.9,
    nesterov: true,
    weight_decay: 5e-4,
    schedule: "divide:5:after=60,120,160",
    normalization: Normalization::Cifar,
    augment: "crop-flip",
    ..Recipe::PLAIN
};

/// The regression nets.
pub const REGRESSION: Recipe = Recipe {
    epochs: 200,
    optimizer: OptimizerName::Adam,
    ..Recipe::PLAIN
};
