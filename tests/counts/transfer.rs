//! The backbones that are trained on ImageNet, as torchvision counts them, and the heads of paper.md 2.8 on them.

use spinalnet::layers::Activation;
use spinalnet::models::{self, HeadOptions, Model, ModelOptions, imagenet_backbones};
use spinalnet::steps::multiplications;

use crate::spinal_cost;

/// A backbone.
struct Backbone {
    name: &'static str,
    /// What a head is given.
    features: u64,
    /// Parameters with the classifier of 1000 classes: `num_params` of torchvision's weights, or timm's.
    parameters: u64,
    /// Multiplications with it for an image of 224 x 224; `_ops` of torchvision's weights are the same, in billions.
    products: u64,
}

const fn backbone(name: &'static str, features: u64, parameters: u64, products: u64) -> Backbone {
    Backbone {
        name,
        features,
        parameters,
        products,
    }
}

const BACKBONES: &[Backbone] = &[
    backbone("alexnet", 9216, 61_100_840, 714_188_480),
    backbone("vgg11", 25_088, 132_863_336, 7_609_090_048),
    backbone("vgg13", 25_088, 133_047_848, 11_308_466_176),
    backbone("vgg16", 25_088, 138_357_544, 15_470_264_320),
    backbone("vgg19", 25_088, 143_667_240, 19_632_062_464),
    backbone("vgg11_bn", 25_088, 132_868_840, 7_609_090_048),
    backbone("vgg13_bn", 25_088, 133_053_736, 11_308_466_176),
    backbone("vgg16_bn", 25_088, 138_365_992, 15_470_264_320),
    backbone("vgg19_bn", 25_088, 143_678_248, 19_632_062_464),
    backbone("resnet18", 512, 11_689_512, 1_814_073_344),
    backbone("resnet34", 512, 21_797_672, 3_663_761_408),
    backbone("resnet50", 2048, 25_557_032, 4_089_184_256),
    backbone("resnet101", 2048, 44_549_160, 7_801_405_440),
    backbone("resnet152", 2048, 60_192_808, 11_513_626_624),
    backbone("wide_resnet50_2", 2048, 68_883_240, 11_398_021_120),
    backbone("wide_resnet101_2", 2048, 126_886_696, 22_753_050_624),
    backbone("resnext50_32x4d", 2048, 25_028_904, 4_230_479_872),
    backbone("efficientnet_lite0", 1280, 4_652_008, 385_187_552),
];

impl Backbone {
    fn find(name: &str) -> &'static Self {
        let mut backbones = BACKBONES.iter();
        let found = backbones.find(|backbone| backbone.name == name);
        found.unwrap_or_else(|| panic!("{name} is not in the table"))
    }

    /// Parameters and multiplications of the classifier it was trained with.
    fn classifier(&self) -> (u64, u64) {
        let is_one_linear = !self.name.starts_with("alexnet") && !self.name.starts_with("vgg");
        let sizes: &[u64] = match is_one_linear {
            true => &[self.features, 1000],
            false => &[self.features, 4096, 4096, 1000],
        };
        let products: u64 = sizes.windows(2).map(|pair| pair[0] * pair[1]).sum();
        (products + sizes[1..].iter().sum::<u64>(), products)
    }

    /// Parameters and multiplications of the backbone alone.
    fn alone(&self) -> (u64, u64) {
        let (parameters, products) = self.classifier();
        (self.parameters - parameters, self.products - products)
    }

    /// Parameters and multiplications of the head of a network on it.
    fn head_of(&self, model: &Model) -> (u64, u64) {
        let (parameters, products) = self.alone();
        (
            model.parameters.count() - parameters,
            multiplications(model) - products,
        )
    }
}

/// A network for so many classes, with changes to its head.
fn build(name: &str, classes: u32, head: HeadOptions) -> Model {
    let options = ModelOptions {
        classes: Some(classes),
        head,
        ..ModelOptions::default()
    };
    models::build(name, options).expect("it is a model")
}

#[test]
fn every_backbone_is_in_the_table() {
    let table = BACKBONES.iter().map(|backbone| backbone.name);
    assert!(table.eq(imagenet_backbones()));
}

#[test]
fn backbones_cost_what_torchvision_says() {
    for backbone in BACKBONES {
        let name = format!("{}-original", backbone.name);
        let model = build(&name, 1000, HeadOptions::default());
        assert_eq!(model.parameters.count(), backbone.parameters, "{name}");
        assert_eq!(multiplications(&model), backbone.products, "{name}");
    }
}

/// Those that the paper's text has.
#[test]
fn backbones_alone_cost_what_the_paper_says() {
    let parameters = |name| Backbone::find(name).alone().0;
    assert_eq!(parameters("wide_resnet101_2"), 124_837_696);
    assert_eq!(parameters("vgg19_bn"), 20_035_392);
}

/// Every net on every backbone, for ten classes.
#[test]
fn all_nets_cost_what_their_heads_say() {
    for backbone in BACKBONES {
        let spinal = spinal_cost(backbone.features, 10, 10);
        let linear = (10 * (backbone.features + 1), 10 * backbone.features);
        for (net, expected) in [
            ("spinal", spinal),
            ("baseline", linear),
            ("spinal-bn", (spinal.0 + 8 * 10, spinal.1)),
            ("spinal-affine", spinal),
        ] {
            let name = format!("{}-{net}", backbone.name);
            let model = build(&name, 10, HeadOptions::default());
            assert_eq!(backbone.head_of(&model), expected, "{name}");
        }
    }
}

/// A row of paper.md 2.8: who runs it, the network, the classes, the units of a sub-layer, and the parameters of the spinal head
/// and of one Linear in its place.
type Row = (&'static str, &'static str, u32, u32, u64, Option<u64>);

const ROWS: &[Row] = &[
    (
        "CIFAR-10, SVHN, CINIC-10",
        "wide_resnet101_2-spinal",
        10,
        20,
        84_010,
        Some(20_490),
    ),
    (
        "CIFAR-100",
        "wide_resnet101_2-spinal-bn",
        100,
        512,
        3_094_628,
        Some(204_900),
    ),
    (
        "CIFAR-100, notebook",
        "wide_resnet101_2-spinal",
        100,
        200,
        1_020_100,
        Some(204_900),
    ),
    (
        "Caltech-101",
        "wide_resnet101_2-spinal-bn",
        101,
        1024,
        7_766_117,
        Some(206_949),
    ),
    (
        "Caltech-101, notebook",
        "wide_resnet101_2-spinal",
        101,
        101,
        485_608,
        Some(206_949),
    ),
    (
        "Fruits-360",
        "wide_resnet101_2-spinal",
        131,
        131,
        657_358,
        Some(268_419),
    ),
    (
        "Oxford-102",
        "wide_resnet101_2-spinal",
        102,
        102,
        491_130,
        Some(208_998),
    ),
    (
        "Stanford Cars",
        "wide_resnet101_2-spinal",
        196,
        196,
        1_072_708,
        Some(401_604),
    ),
    (
        "STL-10",
        "wide_resnet101_2-spinal-bn",
        10,
        512,
        2_910_218,
        Some(20_490),
    ),
    (
        "Bird-225",
        "wide_resnet101_2-spinal-bn",
        225,
        1024,
        8_274_145,
        Some(461_025),
    ),
    (
        "Bird-225, VGG",
        "vgg19_bn-spinal-bn",
        225,
        1024,
        55_460_065,
        None,
    ),
    ("MNIST", "vgg19_bn-spinal-bn", 10, 1024, 54_579_210, None),
    (
        "Fashion-MNIST, notebook",
        "wide_resnet101_2-spinal-affine",
        10,
        1024,
        7_385_098,
        Some(20_490),
    ),
    ("10-monkey", "alexnet-spinal", 10, 20, 370_730, None),
];

#[test]
fn the_papers_heads_cost_what_it_says() {
    for &(who, name, classes, width, parameters, linear) in ROWS {
        let (backbone, _) = name.split_once('-').expect("BACKBONE-NET");
        let backbone = Backbone::find(backbone);
        let head = HeadOptions {
            spinal_width: Some(width),
            ..HeadOptions::default()
        };
        let spinal = build(name, classes, head);
        let (_, products) = spinal_cost(backbone.features, width.into(), classes.into());
        assert_eq!(backbone.head_of(&spinal), (parameters, products), "{who}");
        if let Some(linear) = linear {
            let name = format!("{}-baseline", backbone.name);
            let baseline = build(&name, classes, HeadOptions::default());
            let products = backbone.features * u64::from(classes);
            assert_eq!(backbone.head_of(&baseline), (linear, products), "{who}");
        }
    }
}

/// Two of its six sub-layers are never called in the script, which calls two others twice: 7,897 are built.
#[test]
fn the_head_of_hymenoptera_costs_what_the_paper_says() {
    let resnet18 = Backbone::find("resnet18");
    let head = HeadOptions {
        spinal_width: Some(5),
        spinal_depth: Some(6),
        activation: Some(Activation::LeakyRelu),
        ..HeadOptions::default()
    };
    let spinal = build("resnet18-spinal", 2, head);
    let products = 256 * 5 + 5 * (256 + 5) * 5 + 6 * 5 * 2;
    assert_eq!(resnet18.head_of(&spinal), (7_897, products));
    let baseline = build("resnet18-baseline", 2, HeadOptions::default());
    assert_eq!(resnet18.head_of(&baseline), (1_026, 1_024));
}

/// What the MNIST script compares its head with.
#[test]
fn the_classifier_of_vgg_for_ten_classes_costs_what_the_paper_says() {
    let vgg = build("vgg19_bn-original", 10, HeadOptions::default());
    let (parameters, _) = Backbone::find("vgg19_bn").head_of(&vgg);
    assert_eq!(parameters, 119_586_826);
}

/// One unit more or less of its hidden layer is not nearer to the parameters of the spinal head, whatever that is changed to.
#[test]
fn fc_is_as_large_as_spinal_to_the_unit() {
    let changes = [
        (10, HeadOptions::default()),
        (
            101,
            HeadOptions {
                spinal_width: Some(7),
                spinal_depth: Some(6),
                spinal_splits: Some(3),
                ..HeadOptions::default()
            },
        ),
    ];
    for backbone in BACKBONES {
        for (classes, head) in changes {
            let count = |net: &str, head| {
                let model = build(&format!("{}-{net}", backbone.name), classes, head);
                model.parameters.count()
            };
            let spinal = count("spinal", head);
            let fc = count("fc", head);
            let of_unit = backbone.features + 1 + u64::from(classes);
            assert!(
                2 * fc.abs_diff(spinal) <= of_unit,
                "{} for {classes} classes: {fc} parameters, and spinal has {spinal}",
                backbone.name
            );
        }
    }
}
