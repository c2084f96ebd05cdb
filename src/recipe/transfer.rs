//! The recipes of transferred initialisation (paper.md 3.4): SGD with momentum, a tenth of the rate after every seven epochs of a
//! phase, the best weights of a phase at its end, and a new optimiser for the next. Where a script and a notebook differ, it is
//! the notebook's; where they choose weights by the test images, so does the recipe.

use super::{Normalization, Recipe, Validation};

/// On anyone's pictures: PyTorch's tutorial, which the authors' scripts go back to, with whole pictures and larger batches.
pub const ANY: Recipe = Recipe {
    epochs: 10,
    batch_size: 16,
    lr: 0.002,
    momentum: 0.9,
    schedule: "step:7:0.1",
    normalization: Normalization::ImageNet,
    ..Recipe::PLAIN
};

/// What all scripts have in common; most normalise by the statistics of CIFAR-100.
const SCRIPT: Recipe = Recipe {
    momentum: 0.9,
    reload_best: true,
    normalization: Normalization::Cifar,
    ..Recipe::PLAIN
};

/// MNIST by vgg19_bn.
pub const MNIST: Recipe = Recipe {
    epochs: 20,
    batch_size: 128,
    schedule: "phases:0.01x10,0.001x10:fresh:step:7:0.1",
    validation: Validation::HeldOut,
    augment: "resize:120+rotate:10+crop:112+perspective/resize:112",
    ..SCRIPT
};

/// Fashion-MNIST.
pub const FASHION: Recipe = Recipe {
    epochs: 10,
    batch_size: 200,
    schedule: "phases:0.01x5,0.001x5:fresh:step:7:0.1",
    validation: Validation::HeldOut,
    normalization: Normalization::Half,
    augment: "resize:120+flip+affine:10:0.2+resized-crop:112:0.95-1/resize:112",
    ..SCRIPT
};

/// CIFAR-10, chosen by the test images.
pub const CIFAR10: Recipe = Recipe {
    epochs: 15,
    batch_size: 56,
    schedule: "phases:0.01x5,0.001x5,0.0001x5:fresh:step:7:0.1",
    augment: "resize:272+rotate:15+crop:256+flip/resize:256",
    ..SCRIPT
};

/// CIFAR-100.
pub const CIFAR100: Recipe = Recipe {
    validation: Validation::HeldOut,
    ..CIFAR10
};

/// STL-10.
pub const STL10: Recipe = Recipe {
    epochs: 20,
    batch_size: 24,
    schedule: "phases:0.0005x20:fresh:step:7:0.1",
    ..CIFAR100
};

/// SVHN, chosen by the test images.
pub const SVHN: Recipe = Recipe {
    epochs: 50,
    batch_size: 28,
    schedule: "phases:0.001x50:fresh:step:7:0.1",
    augment: "resize:272x320+rotate:15+center-crop:272+crop:256/resize:272x320+center-crop:256",
    ..SCRIPT
};

/// CINIC-10, normalised by its own statistics.
pub const CINIC10: Recipe = Recipe {
    epochs: 40,
    batch_size: 9,
    schedule: "phases:0.01x20,0.001x20:fresh:step:7:0.1",
    validation: Validation::HeldOut,
    normalization: Normalization::DataSet,
    augment: LARGE,
    ..SCRIPT
};

/// Large pictures.
const LARGE: &str = "resize:456+rotate:15+crop:448+flip/resize:448";

/// Pictures of the usual size.
const USUAL: &str = "resize:230+rotate:15+crop:224+flip/resize:224";

/// Caltech-101.
pub const CALTECH101: Recipe = Recipe {
    epochs: 10,
    batch_size: 64,
    schedule: "phases:0.01x5,0.001x5:fresh:step:7:0.1",
    validation: Validation::HeldOut,
    augment: USUAL,
    ..SCRIPT
};

/// Bird-225.
pub const BIRDS: Recipe = Recipe {
    epochs: 25,
    batch_size: 24,
    schedule: "phases:0.001x25:fresh:step:7:0.1",
    ..CALTECH101
};

/// Stanford Cars, chosen by the test images.
pub const CARS: Recipe = Recipe {
    epochs: 50,
    batch_size: 9,
    schedule: "phases:0.001x25,0.0001x25:fresh:step:7:0.1",
    augment: LARGE,
    ..SCRIPT
};

/// Oxford-102.
pub const FLOWERS: Recipe = Recipe {
    epochs: 50,
    batch_size: 8,
    schedule: "phases:0.001x50:fresh:step:7:0.1",
    validation: Validation::HeldOut,
    augment: "resize:464+rotate:15+crop:448+flip/resize:448",
    ..SCRIPT
};

/// Fruits-360, chosen by the test images.
pub const FRUITS: Recipe = Recipe {
    epochs: 20,
    batch_size: 224,
    schedule: "phases:0.01x20:fresh:step:7:0.1",
    augment: "resize:140+rotate:15+resized-crop:128+flip+vflip/resize:128",
    ..SCRIPT
};

/// Ants and bees, chosen by the images that are scored, as in PyTorch's tutorial. A random part is cut out of the square in the
/// middle of a picture, not out of all of it.
pub const HYMENOPTERA: Recipe = Recipe {
    epochs: 25,
    batch_size: 4,
    schedule: "phases:0.001x25:fresh:step:7:0.1",
    normalization: Normalization::ImageNet,
    augment: "resize:256+resized-crop:224+flip/resize:256+center-crop:224",
    ..SCRIPT
};

/// Ten kinds of monkeys.
pub const MONKEYS: Recipe = Recipe {
    epochs: 20,
    batch_size: 40,
    schedule: "phases:0.01x10,0.01x10:fresh:step:7:0.1",
    augment: "resize:320+rotate:15+resized-crop:300+flip+vflip/resize:300",
    ..SCRIPT
};
