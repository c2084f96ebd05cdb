//! Networks whose backbones are trained on ImageNet, by torchvision's names: with the heads of the paper's transferred
//! initialisation (paper.md 2.8), or with the classifier they were trained with.

mod alexnet;
mod classifier;
mod efficientnet_lite0;
mod resnet;
mod vgg;

use super::backbone::Backbone;
use super::head::{FullyConnected, HeadKind, HeadOptions, Heads};
use super::init::{he_convolutions, zero_convolution_biases};
use super::{Model, ModelOptions};
use crate::error::{Error, Result};
use crate::layers::{Activation, SpinalOptions};
use crate::plan::Parameters;
use classifier::Classifier;
use resnet::ResNet;
use vgg::Vgg;

/// The nets of every backbone.
///
/// `spinal` is the authors' "SpinalNet_ResNet" (plain ReLU), `spinal-bn` their "SpinalNet" and "SpinalNet_VGG" (dropout and
/// normalisation), `spinal-affine` their head without any activation, `baseline` one Linear, `fc` a hidden layer of as many
/// parameters as `spinal` has, `original` the classifier of ImageNet's 1000 classes.
pub const NETS: &[&str] = &[
    "spinal",
    "baseline",
    "spinal-bn",
    "spinal-affine",
    "fc",
    ORIGINAL,
];

/// The net with ImageNet's classifier.
pub const ORIGINAL: &str = "original";

/// Classes of ImageNet.
pub(super) const CLASSES: u32 = 1000;

/// Rows, columns and channels that the weights were trained on.
const IMAGE: [u32; 3] = [224, 224, 3];

/// A backbone, and what ImageNet's classes are told by.
struct Architecture {
    push: fn(&mut Backbone) -> Result<()>,
    classifier: Classifier,
    /// Changes PyTorch's default initialisation.
    initialize: fn(&mut Parameters),
}

fn architecture(name: &str) -> Architecture {
    let of = |push, classifier| Architecture {
        push,
        classifier,
        initialize: |parameters| {
            he_convolutions(parameters);
            zero_convolution_biases(parameters);
        },
    };
    let resnet = |push| of(push, Classifier::Linear("fc"));
    let vgg = |push| of(push, Classifier::VGG);
    match name {
        "alexnet" => Architecture {
            initialize: |_| {},
            ..of(alexnet::push, Classifier::ALEXNET)
        },
        "vgg11" => vgg(|backbone| Vgg::V11.push(backbone)),
        "vgg13" => vgg(|backbone| Vgg::V13.push(backbone)),
        "vgg16" => vgg(|backbone| Vgg::V16.push(backbone)),
        "vgg19" => vgg(|backbone| Vgg::V19.push(backbone)),
        "vgg11_bn" => vgg(|backbone| Vgg::V11.with_batch_norm().push(backbone)),
        "vgg13_bn" => vgg(|backbone| Vgg::V13.with_batch_norm().push(backbone)),
        "vgg16_bn" => vgg(|backbone| Vgg::V16.with_batch_norm().push(backbone)),
        "vgg19_bn" => vgg(|backbone| Vgg::V19.with_batch_norm().push(backbone)),
        "resnet18" => resnet(|backbone| ResNet::R18.push(backbone)),
        "resnet34" => resnet(|backbone| ResNet::R34.push(backbone)),
        "resnet50" => resnet(|backbone| ResNet::R50.push(backbone)),
        "resnet101" => resnet(|backbone| ResNet::R101.push(backbone)),
        "resnet152" => resnet(|backbone| ResNet::R152.push(backbone)),
        "wide_resnet50_2" => resnet(|backbone| ResNet::WIDE50_2.push(backbone)),
        "wide_resnet101_2" => resnet(|backbone| ResNet::WIDE101_2.push(backbone)),
        "resnext50_32x4d" => resnet(|backbone| ResNet::NEXT50_32X4D.push(backbone)),
        "efficientnet_lite0" => Architecture {
            initialize: efficientnet_lite0::initialize,
            ..of(efficientnet_lite0::push, Classifier::Linear("classifier"))
        },
        _ => panic!("there is no backbone {name}"),
    }
}

/// Builds one of [`NETS`] on the backbone that `name` begins with.
pub fn build(name: &str, net: &str, options: &ModelOptions) -> Result<Model> {
    let backbone_name = name
        .strip_suffix(net)
        .and_then(|name| name.strip_suffix('-'));
    let architecture = architecture(backbone_name.expect("a name is BACKBONE-NET"));
    let mut backbone = Backbone::on_images(options, IMAGE)?;
    (architecture.push)(&mut backbone)?;
    let features = backbone.flatten();
    let mut model = if net == ORIGINAL {
        if options.head != HeadOptions::default() {
            return Err(Error::usage(
                format!("--head, --spinal-..., --activation: {name} has ImageNet's classifier"),
                "leave them out, or choose another net",
            ));
        }
        let outputs = options.classes.unwrap_or(CLASSES);
        let (classifier, no_dropout) = (architecture.classifier, options.no_dropout);
        Model::with_head(name, backbone, outputs, |parameters, layers| {
            classifier.push(parameters, layers, [features, outputs], no_dropout);
        })
    } else {
        let heads = heads(net, features, options)?;
        let kind = match net {
            "baseline" => HeadKind::Linear,
            "fc" => HeadKind::Fc,
            _ => HeadKind::Spinal,
        };
        Model::new(name, backbone, features, &heads, kind, options)?
    };
    (architecture.initialize)(&mut model.parameters);
    Ok(model)
}

/// Four sub-layers, as all of the authors' heads have, and as wide as there are classes.
fn heads(net: &str, features: u32, options: &ModelOptions) -> Result<Heads> {
    let classes = options.classes.unwrap_or(super::CLASSES);
    let plain = SpinalOptions::halves(features, classes, 4);
    let hidden = equal_width(&options.head.chain(plain)?, classes);
    let spinal = match net {
        "spinal-bn" => SpinalOptions {
            dropout: 0.5,
            batch_norm: true,
            ..plain
        },
        "spinal-affine" => SpinalOptions {
            activation: Activation::Identity,
            ..plain
        },
        _ => plain,
    };
    Ok(Heads {
        fc: FullyConnected::hidden(hidden),
        spinal,
    })
}

/// Units of the hidden layer that comes nearest to a plain Spinal head in its number of parameters.
fn equal_width(spinal: &SpinalOptions, classes: u32) -> u32 {
    let [features, classes] = [spinal.in_features, classes].map(u64::from);
    let of_unit = features + 1 + classes;
    let [width, depth, split] = [spinal.width, spinal.depth, spinal.split_size()].map(u64::from);
    let chain = depth * (split + 1) * width + (depth - 1) * width * width;
    let output = (depth * width + 1) * classes;
    let units = (chain + output - classes + of_unit / 2) / of_unit;
    u32::try_from(units.max(1)).unwrap_or(u32::MAX)
}
