//! ResNet-18 and -34 of half width for CIFAR (paper, section III-C). Its spinal head sees four cells one after another.

use super::backbone::Backbone;
use super::head::{FullyConnected, HeadKind, Heads, PAIR};
use super::init::{he_convolutions, zero_linear_biases};
use super::{Model, ModelOptions};
use crate::error::Result;
use crate::layers::{
    Activation, BatchNorm, ChannelsLastFlatten, Residual, Sequential, SpinalOptions,
};

/// The pair.
pub const NETS: &[&str] = PAIR;

/// Channels and stride of the stages.
const STAGES: [(u32, u32); 4] = [(32, 1), (64, 2), (128, 2), (256, 2)];

/// Basic blocks of each stage.
fn blocks(depth: u32) -> [u32; 4] {
    match depth {
        18 => [2, 2, 2, 2],
        34 => [3, 4, 6, 3],
        _ => panic!("there is no ResNet-{depth} of basic blocks"),
    }
}

/// How a basic block is built.
#[derive(Clone, Copy)]
struct BlockStyle {
    /// Kernel of the shortcut's convolution.
    shortcut_kernel: u32,
    /// The activation of the sum.
    activation: Activation,
}

impl BlockStyle {
    /// The authors': a 3 x 3 convolution in the shortcut, no ReLU after the addition.
    const AUTHORS: Self = Self {
        shortcut_kernel: 3,
        activation: Activation::Identity,
    };
    /// The usual one (He et al. 2016): 1 x 1, and ReLU.
    const STANDARD: Self = Self {
        shortcut_kernel: 1,
        activation: Activation::Relu,
    };
}

/// conv 3 x 3 BN ReLU conv 3 x 3 BN, beside x or, where size or width change, a convolution with BN.
fn basic_block(
    backbone: &mut Backbone,
    name: &str,
    channels: u32,
    stride: u32,
    style: BlockStyle,
) -> Result<Residual> {
    let before = backbone.size;
    let mut main = Sequential::default();
    for (number, stride, activation) in
        [(1, stride, Activation::Relu), (2, 1, Activation::Identity)]
    {
        let part = format!("{name}.conv{number}");
        let conv = backbone.plain_convolution(&part, channels, stride, 3)?;
        main.push(format!("conv{number}"), conv);
        let part = format!("{name}.bn{number}");
        let norm = BatchNorm::new(&mut backbone.parameters, &part, channels, activation);
        main.push(format!("bn{number}"), norm);
    }
    let mut shortcut = Sequential::default();
    if stride != 1 || before[2] != channels {
        let part = format!("{name}.shortcut.conv");
        let conv = backbone.shortcut_convolution(&part, before, stride, style.shortcut_kernel)?;
        shortcut.push("conv", conv);
        let part = format!("{name}.shortcut.bn");
        let identity = Activation::Identity;
        let norm = BatchNorm::new(&mut backbone.parameters, &part, channels, identity);
        shortcut.push("bn", norm);
    }
    Ok(Residual {
        main,
        shortcut,
        activation: style.activation,
    })
}

fn features(depth: u32, options: &ModelOptions) -> Result<Backbone> {
    let style = if options.standard_blocks {
        BlockStyle::STANDARD
    } else {
        BlockStyle::AUTHORS
    };
    let mut backbone = Backbone::on_images(options, [32, 32, 3])?;
    let conv = backbone.plain_convolution("conv1", 32, 1, 3)?;
    backbone.push("conv1", conv);
    let norm = BatchNorm::new(&mut backbone.parameters, "bn1", 32, Activation::Relu);
    backbone.push("bn1", norm);
    backbone.dropout2d("dropout2d", 0.02);
    for (stage, ((channels, stride), blocks)) in (1..).zip(STAGES.into_iter().zip(blocks(depth))) {
        for block in 0..blocks {
            let name = format!("layer{stage}.{block}");
            let stride = if block == 0 { stride } else { 1 };
            let layer = basic_block(&mut backbone, &name, channels, stride, style)?;
            backbone.push(&name, layer);
        }
    }
    Ok(backbone)
}

/// Sub-layers of 256 for CIFAR-10 and of 512 for CIFAR-100, one for each cell.
fn heads(features: u32, classes: u32) -> Heads {
    let width = if classes > 10 { 512 } else { 256 };
    Heads {
        fc: FullyConnected::hidden(256),
        spinal: SpinalOptions {
            splits: 4,
            ..SpinalOptions::halves(features, width, 4)
        },
    }
}

/// Builds one of [`NETS`] on a ResNet of `DEPTH` layers.
///
/// Max pooling leaves 2 x 2 cells for a spinal head, cell after cell, and a single one for any other.
pub fn build<const DEPTH: u32>(name: &str, net: &str, options: &ModelOptions) -> Result<Model> {
    let mut backbone = features(DEPTH, options)?;
    let kind = HeadKind::of_net(net, HeadKind::Linear);
    let spinal = options.head.head.unwrap_or(kind).is_spinal();
    let [height, width, _] = backbone.size;
    let cells = if spinal { 2 } else { 1 };
    backbone.max_pool("pool", [height / cells, width / cells])?;
    backbone.push("flatten", ChannelsLastFlatten);
    let features = backbone.size.iter().product();
    let heads = heads(features, options.classes.unwrap_or(10));
    let mut model = Model::new(name, backbone, features, &heads, kind, options)?;
    he_convolutions(&mut model.parameters);
    zero_linear_biases(&mut model.parameters);
    Ok(model)
}
