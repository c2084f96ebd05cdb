//! What every network costs: parameters, and multiplications for one sample, as the paper's tables and scripts have them.
//! Numbers that the paper has no net for are written as the sums they are.

/// The networks of the paper's third set of experiments.
mod counts {
    mod transfer;
}

use std::collections::BTreeSet;

use spinalnet::models::{self, FAMILIES, ModelOptions};
use spinalnet::steps::multiplications;

/// Name, outputs, parameters, multiplications.
type Row = (&'static str, u32, u64, u64);

/// The convolutions of the MNIST CNN: parameters, multiplications.
const MNIST_CONVS: (u64, u64) = (5_280, 464_000);

/// The convolutions and norms of VGG-5.
const VGG5: (u64, u64) = (3_508_416, 160_883_712);

/// Those of the CIFAR CNN.
const CIFAR_CNN: (u64, u64) = (1_126_912, 133_005_312);

/// Multiplications of the convolutions of VGG-11, -13, -16 and -19: of VGG-19 as in the paper, less what a convolution
/// more in a block of 256 or 512 channels, or in one of the first two blocks, costs.
const VGG19_CONVS: u64 = 417_046_528 - 512 * 4096 - 4096 * 4096 - 4096 * 10;
const VGG16_CONVS: u64 =
    VGG19_CONVS - (8 * 8 * 256 * 256 + 4 * 4 * 512 * 512 + 2 * 2 * 512 * 512) * 9;
const VGG13_CONVS: u64 =
    VGG16_CONVS - (8 * 8 * 256 * 256 + 4 * 4 * 512 * 512 + 2 * 2 * 512 * 512) * 9;
const VGG11_CONVS: u64 = VGG13_CONVS - (32 * 32 * 64 * 64 + 16 * 16 * 128 * 128) * 9;

/// Multiplications of the heads of the CIFAR VGGs.
const fn vgg_fc(classes: u64) -> u64 {
    512 * 4096 + 4096 * 4096 + 4096 * classes
}
const fn vgg_spinal(classes: u64) -> u64 {
    256 * 512 + 3 * (256 + 512) * 512 + 4 * 512 * classes
}

const TABLE: &[Row] = &[
    ("mnist-cnn-baseline", 10, 21_840, 480_500),
    ("mnist-cnn-spinal", 10, 13_818, 472_480),
    ("mnist-cnn-spinal-w10", 10, 16_050, 474_700),
    ("mnist-cnn-baseline-no-dropout", 10, 21_840, 480_500),
    (
        "mnist-cnn-fc-equal",
        10,
        MNIST_CONVS.0 + 26 * 331 + 10,
        MNIST_CONVS.1 + 26 * 330,
    ),
    (
        "mnist-cnn-spinal-no-chain",
        10,
        MNIST_CONVS.0 + 6 * (160 * 8 + 8) + 48 * 10 + 10,
        MNIST_CONVS.1 + 6 * 160 * 8 + 48 * 10,
    ),
    (
        "mnist-cnn-spinal-full-input",
        10,
        MNIST_CONVS.0 + (320 * 8 + 8) + 5 * (328 * 8 + 8) + 48 * 10 + 10,
        MNIST_CONVS.1 + 320 * 8 + 5 * 328 * 8 + 48 * 10,
    ),
    ("arch2-spinal", 10, 395_120, 853_000),
    ("arch2-spinal-w50", 10, 677_640, 1_135_000),
    ("arch2-spinal-w300", 10, 5_761_640, 6_212_500),
    ("vgg5-baseline", 10, 3_646_154, VGG5.1 + 136_192),
    ("vgg5-spinal", 10, 3_629_770, VGG5.1 + 119_808),
    (
        "vgg5-baseline",
        26,
        VGG5.0 + 256 * 512 + 512 + 1024 + 512 * 26 + 26,
        VGG5.1 + 256 * 512 + 512 * 26,
    ),
    (
        "vgg5-spinal",
        26,
        3_629_770 + 16 * 513,
        VGG5.1 + 119_808 + 16 * 512,
    ),
    (
        "vgg5-baseline",
        47,
        VGG5.0 + 256 * 512 + 512 + 1024 + 512 * 47 + 47,
        VGG5.1 + 256 * 512 + 512 * 47,
    ),
    (
        "vgg5-spinal",
        47,
        3_629_770 + 37 * 513,
        VGG5.1 + 119_808 + 37 * 512,
    ),
    ("vgg5-baseline", 62, 3_672_830, VGG5.1 + 162_816),
    ("vgg5-spinal", 62, 3_656_446, VGG5.1 + 146_432),
    ("cifar-cnn-baseline", 10, 5_852_170, CIFAR_CNN.1 + 4_723_712),
    ("cifar-cnn-spinal", 10, 2_230_282, CIFAR_CNN.1 + 1_102_848),
    (
        "cifar-cnn-baseline",
        100,
        5_898_340,
        CIFAR_CNN.1 + 4_769_792,
    ),
    ("cifar-cnn-spinal", 100, 3_524_196, CIFAR_CNN.1 + 2_396_160),
    (
        "cifar-vgg11-baseline",
        10,
        28_149_514,
        VGG11_CONVS + vgg_fc(10),
    ),
    (
        "cifar-vgg11-spinal",
        10,
        10_559_242,
        VGG11_CONVS + vgg_spinal(10),
    ),
    (
        "cifar-vgg11-baseline",
        100,
        28_518_244,
        VGG11_CONVS + vgg_fc(100),
    ),
    (
        "cifar-vgg11-spinal",
        100,
        10_743_652,
        VGG11_CONVS + vgg_spinal(100),
    ),
    (
        "cifar-vgg13-baseline",
        10,
        28_334_410,
        VGG13_CONVS + vgg_fc(10),
    ),
    (
        "cifar-vgg13-spinal",
        10,
        10_744_138,
        VGG13_CONVS + vgg_spinal(10),
    ),
    (
        "cifar-vgg13-baseline",
        100,
        28_703_140,
        VGG13_CONVS + vgg_fc(100),
    ),
    (
        "cifar-vgg13-spinal",
        100,
        10_928_548,
        VGG13_CONVS + vgg_spinal(100),
    ),
    (
        "cifar-vgg16-baseline",
        10,
        33_646_666,
        VGG16_CONVS + vgg_fc(10),
    ),
    (
        "cifar-vgg16-spinal",
        10,
        16_056_394,
        VGG16_CONVS + vgg_spinal(10),
    ),
    (
        "cifar-vgg16-baseline",
        100,
        34_015_396,
        VGG16_CONVS + vgg_fc(100),
    ),
    (
        "cifar-vgg16-spinal",
        100,
        16_240_804,
        VGG16_CONVS + vgg_spinal(100),
    ),
    ("cifar-vgg19-baseline", 10, 38_958_922, 417_046_528),
    ("cifar-vgg19-spinal", 10, 21_368_650, 399_462_400),
    (
        "cifar-vgg19-baseline",
        100,
        39_327_652,
        VGG19_CONVS + vgg_fc(100),
    ),
    (
        "cifar-vgg19-spinal",
        100,
        21_553_060,
        VGG19_CONVS + vgg_spinal(100),
    ),
    ("cifar-resnet18-baseline", 10, 3_141_674, 151_882_240),
    ("cifar-resnet18-spinal", 10, 3_609_130, 152_348_672),
    (
        "cifar-resnet18-baseline",
        100,
        3_164_804,
        151_882_240 + 256 * 90,
    ),
    (
        "cifar-resnet18-spinal",
        100,
        4_656_772,
        151_882_240 - 2_560 + 256 * 512 + 3 * 768 * 512 + 2048 * 100,
    ),
    (
        "cifar-resnet34-baseline",
        10,
        5_670_570,
        302_900_224 - 256 * 90,
    ),
    (
        "cifar-resnet34-spinal",
        10,
        6_138_026,
        302_900_224 - 25_600 + 256 * 256 + 3 * 512 * 256 + 1024 * 10,
    ),
    ("cifar-resnet34-baseline", 100, 5_693_700, 302_900_224),
    ("cifar-resnet34-spinal", 100, 7_185_668, 304_390_144),
    // 36.5 and 11.0 million in Zagoruyko & Komodakis, table 4; to the last digit from their PyTorch code.
    (
        "wrn-28-10-baseline",
        10,
        36_479_194,
        WRN_28_10_CONVS + 6_400,
    ),
    (
        "wrn-28-10-spinal",
        10,
        36_479_194 - 6_410 + wrn_spinal(20, 10).0,
        WRN_28_10_CONVS + wrn_spinal(20, 10).1,
    ),
    (
        "wrn-28-10-baseline",
        100,
        36_536_884,
        WRN_28_10_CONVS + 64_000,
    ),
    (
        "wrn-28-10-spinal",
        100,
        36_536_884 - 64_100 + wrn_spinal(200, 100).0,
        WRN_28_10_CONVS + wrn_spinal(200, 100).1,
    ),
    ("wrn-16-8-baseline", 10, 10_961_370, WRN_16_8_CONVS + 5_120),
    (
        "wrn-16-8-spinal",
        10,
        10_961_370 - 5_130 + wrn_spinal_512(20, 10).0,
        WRN_16_8_CONVS + wrn_spinal_512(20, 10).1,
    ),
    (
        "wrn-16-8-baseline",
        100,
        11_007_540,
        WRN_16_8_CONVS + 51_200,
    ),
    (
        "wrn-16-8-spinal",
        100,
        11_007_540 - 51_300 + wrn_spinal_512(200, 100).0,
        WRN_16_8_CONVS + wrn_spinal_512(200, 100).1,
    ),
    (
        "mlp-baseline",
        10,
        784 * 300 + 300 + 300 * 10 + 10,
        784 * 300 + 300 * 10,
    ),
    (
        "mlp-spinal",
        10,
        133_100 + 6 * 50 + 10,
        50 * 392 + 5 * 50 * (392 + 50) + 300 * 10,
    ),
    (
        "custom-baseline",
        10,
        784 * 200 + 200 + 200 * 10 + 10,
        784 * 200 + 200 * 10,
    ),
    (
        "custom-spinal",
        10,
        84_000 + 10 * 20 + 10,
        20 * 392 + 9 * 20 * (392 + 20) + 200 * 10,
    ),
    ("regression-baseline", 1, 22_001, 21_700),
    ("regression-spinal", 1, 14_301, 14_000),
    ("regression-spinal-tied", 1, 8_801, 14_000),
];

/// Multiplications of the convolutions of a wide ResNet with `n` blocks a group and factor `k`, from its definition.
const fn wide_convs(n: u64, k: u64) -> u64 {
    let mut sum = 32 * 32 * 9 * 3 * 16;
    let mut before = 16;
    let mut group = 0;
    while group < 3 {
        let (channels, side) = ((16 << group) * k, 32 >> group);
        let (pixels, square) = (side * side, 9 * channels * channels);
        sum += pixels * (9 * before * channels + square + before * channels);
        sum += (n - 1) * pixels * 2 * square;
        before = channels;
        group += 1;
    }
    sum
}
const WRN_28_10_CONVS: u64 = wide_convs(4, 10);
const WRN_16_8_CONVS: u64 = wide_convs(2, 8);

/// Parameters and multiplications of four sub-layers over halves of `features` (paper, cost formulas).
const fn spinal_cost(features: u64, width: u64, classes: u64) -> (u64, u64) {
    let products = features / 2 * width + 3 * (features / 2 + width) * width + 4 * width * classes;
    (products + 4 * width + classes, products)
}
const fn wrn_spinal(width: u64, classes: u64) -> (u64, u64) {
    spinal_cost(640, width, classes)
}
const fn wrn_spinal_512(width: u64, classes: u64) -> (u64, u64) {
    spinal_cost(512, width, classes)
}

#[test]
fn every_network_costs_what_the_paper_says() {
    for &(name, outputs, parameters, products) in TABLE {
        let options = ModelOptions {
            classes: Some(outputs),
            ..ModelOptions::default()
        };
        let model = models::build(name, options).expect("it is a model");
        let what = format!("{name} with {outputs} outputs");
        assert_eq!(model.outputs, outputs, "{what}");
        assert_eq!(model.parameters.count(), parameters, "{what}");
        assert_eq!(multiplications(&model), products, "{what}");
    }
}

#[test]
fn the_table_has_every_network() {
    let families = FAMILIES.iter().filter(|family| !family.is_imagenet);
    let listed = families.flat_map(|family| {
        let of_net = move |net| {
            let name = format!("{}-{net}", family.name);
            family
                .classes
                .iter()
                .map(move |&classes| (name.clone(), classes))
        };
        family.nets.iter().flat_map(of_net)
    });
    let listed: BTreeSet<(String, u32)> = listed.collect();
    let table = TABLE
        .iter()
        .map(|&(name, outputs, ..)| (name.to_owned(), outputs));
    assert_eq!(table.collect::<BTreeSet<_>>(), listed);
}
