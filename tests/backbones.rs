//! Every backbone that is trained on ImageNet, on small images and with both of the paper's heads: the losses of three training
//! steps and of an evaluation, and the gradients of all parameters, are those of torchvision's networks from the same weights;
//! and what is frozen is.
//!
//! Five backbones with the spinal head run by default, and all with both heads where everything is asked for
//! (`SPINAL_TEST_CASES=full`).

mod common;

/// What PyTorch said, and what freezing does.
mod backbones {
    pub mod expected;
    pub mod freezing;
    pub mod probe;
}

use spinalnet::models::imagenet_backbones;

use backbones::expected::Expected;

/// Makes a test of each backbone, and a list of them.
macro_rules! backbones {
    ($($name:ident,)*) => {
        const TESTED: &[&str] = &[$(stringify!($name)),*];

        $(
            #[test]
            fn $name() {
                check(stringify!($name));
            }
        )*
    };
}

backbones! {
    alexnet,
    vgg11,
    vgg13,
    vgg16,
    vgg19,
    vgg11_bn,
    vgg13_bn,
    vgg16_bn,
    vgg19_bn,
    resnet18,
    resnet34,
    resnet50,
    resnet101,
    resnet152,
    wide_resnet50_2,
    wide_resnet101_2,
    resnext50_32x4d,
    efficientnet_lite0,
}

/// One of every kind: what a newcomer waits for.
const FIRST: [&str; 5] = [
    "alexnet",
    "vgg11_bn",
    "resnet18",
    "resnext50_32x4d",
    "efficientnet_lite0",
];

/// The heads of the comparison.
const HEADS: [&str; 2] = ["spinal", "baseline"];

/// The names of the networks with both heads on a backbone.
fn networks(backbone: &str) -> [String; 2] {
    HEADS.map(|head| format!("{backbone}-{head}"))
}

fn check(backbone: &str) {
    let [spinal, baseline] = networks(backbone).map(|name| Expected::of(&name));
    if common::is_full() || FIRST.contains(&backbone) {
        spinal.check();
    }
    if common::is_full() {
        baseline.check();
    }
}

#[test]
fn every_backbone_has_lines_and_a_test() {
    let backbones: Vec<&str> = imagenet_backbones().collect();
    assert_eq!(backbones, TESTED);
    let networks: Vec<String> = backbones.into_iter().flat_map(networks).collect();
    let lines = Expected::all().into_iter().map(|line| line.model);
    assert_eq!(lines.collect::<Vec<_>>(), networks);
}
