//! Transferred initialisation: a backbone that begins with ImageNet's weights under a new head (paper.md 1.6), on any pictures and
//! as the authors' scripts do it (paper.md 2.8).

use super::{Experiment, MNIST};
use crate::layers::Activation;
use crate::models::HeadOptions;
use crate::recipe::{Recipe, transfer};

/// Any backbone on any pictures.
pub(super) const ANY: Experiment = Experiment {
    name: "transfer",
    family: "resnet18",
    nets: &["spinal", "baseline", "spinal-bn", "spinal-affine", "fc"],
    default_data: "hymenoptera",
    recipe: transfer::ANY,
    ..MNIST
};

/// The heads of the authors' scripts, by what tells them apart.
const PLAIN: &[&str] = &["spinal", "baseline"];
const NORMALISED: &[&str] = &["spinal-bn", "baseline"];
const AFFINE: &[&str] = &["spinal-affine", "baseline"];

const WIDE: &str = "wide_resnet101_2";

/// A script of the authors': its name, its backbone, the data set, the pair, and the width of a sub-layer.
const fn script(
    name: &'static str,
    family: &'static str,
    default_data: &'static str,
    pair: &'static [&'static str],
    width: u32,
    recipe: Recipe,
) -> Experiment {
    Experiment {
        name,
        family,
        default_data,
        pair,
        head: HeadOptions {
            spinal_width: Some(width),
            ..HeadOptions::UNCHANGED
        },
        recipe,
        ..ANY
    }
}

/// What is wrong with the scripts for CIFAR-10 and SVHN.
const DEAD_HEAD: &str = "The authors' script loads vgg19_bn and gives the new head to `model.fc`, which VGG's forward pass never \
    calls: what it trains is ImageNet's classifier of 1000 classes, on labels from 0 to 9. `--as-run` repeats that.";

/// The authors' scripts.
pub(super) const SCRIPTS: [Experiment; 15] = [
    script(
        "mnist-vgg19",
        "vgg19_bn",
        "mnist",
        NORMALISED,
        1024,
        transfer::MNIST,
    ),
    script(
        "fashion-wrn",
        WIDE,
        "fashion-mnist",
        AFFINE,
        1024,
        transfer::FASHION,
    ),
    Experiment {
        caveat: Some(DEAD_HEAD),
        ..script("cifar10-wrn", WIDE, "cifar10", PLAIN, 20, transfer::CIFAR10)
    },
    script(
        "cifar100-wrn",
        WIDE,
        "cifar100",
        PLAIN,
        200,
        transfer::CIFAR100,
    ),
    script("stl10-wrn", WIDE, "stl10", NORMALISED, 512, transfer::STL10),
    Experiment {
        caveat: Some(DEAD_HEAD),
        ..script("svhn-wrn", WIDE, "svhn", PLAIN, 20, transfer::SVHN)
    },
    script("cinic10-wrn", WIDE, "cinic10", PLAIN, 20, transfer::CINIC10),
    script(
        "caltech101-wrn",
        WIDE,
        "caltech101",
        PLAIN,
        101,
        transfer::CALTECH101,
    ),
    script(
        "birds-wrn",
        WIDE,
        "birds225",
        NORMALISED,
        1024,
        transfer::BIRDS,
    ),
    script(
        "birds-vgg19",
        "vgg19_bn",
        "birds225",
        NORMALISED,
        1024,
        transfer::BIRDS,
    ),
    script("cars-wrn", WIDE, "cars", PLAIN, 196, transfer::CARS),
    script(
        "fruits-wrn",
        WIDE,
        "fruits360",
        PLAIN,
        131,
        transfer::FRUITS,
    ),
    script(
        "flowers-wrn",
        WIDE,
        "flowers102",
        PLAIN,
        102,
        transfer::FLOWERS,
    ),
    Experiment {
        head: HeadOptions {
            spinal_width: Some(5),
            spinal_depth: Some(6),
            activation: Some(Activation::LeakyRelu),
            ..HeadOptions::UNCHANGED
        },
        ..script(
            "hymenoptera-resnet18",
            "resnet18",
            "hymenoptera",
            PLAIN,
            5,
            transfer::HYMENOPTERA,
        )
    },
    script(
        "monkeys-alexnet",
        "alexnet",
        "monkeys10",
        PLAIN,
        20,
        transfer::MONKEYS,
    ),
];
