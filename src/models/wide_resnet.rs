//! Wide residual networks (Zagoruyko & Komodakis, arXiv 1605.07146) with a plain and with a spinal head.

use super::backbone::Backbone;
use super::head::{FullyConnected, HeadKind, Heads, PAIR};
use super::init::{he_convolutions, zero_linear_biases};
use super::{Model, ModelOptions};
use crate::error::Result;
use crate::layers::{Activation, AvgPool2d, BatchNorm, Residual, Sequential, SpinalOptions};

/// The pair.
pub const NETS: &[&str] = PAIR;

fn norm_relu(backbone: &mut Backbone, name: &str) -> BatchNorm {
    let channels = backbone.size[2];
    BatchNorm::new(&mut backbone.parameters, name, channels, Activation::Relu)
}

/// Appends BN ReLU conv BN ReLU conv beside x. Where the width changes, the shortcut is a 1 x 1 convolution of what the
/// first BN ReLU gives.
fn block(backbone: &mut Backbone, name: &str, channels: u32, stride: u32) -> Result<()> {
    let widens = backbone.size[2] != channels;
    let mut main = Sequential::default();
    let first = norm_relu(backbone, &format!("{name}.bn1"));
    if widens {
        backbone.push(&format!("{name}.bn1"), first);
    } else {
        main.push("bn1", first);
    }
    let before = backbone.size;
    let part = format!("{name}.conv1");
    main.push(
        "conv1",
        backbone.plain_convolution(&part, channels, stride, 3)?,
    );
    main.push("bn2", norm_relu(backbone, &format!("{name}.bn2")));
    let part = format!("{name}.conv2");
    main.push("conv2", backbone.plain_convolution(&part, channels, 1, 3)?);
    let mut shortcut = Sequential::default();
    if widens {
        let part = format!("{name}.shortcut");
        let conv = backbone.shortcut_convolution(&part, before, stride, 1)?;
        shortcut.push("conv", conv);
    }
    let activation = Activation::Identity;
    backbone.push(
        name,
        Residual {
            main,
            shortcut,
            activation,
        },
    );
    Ok(())
}

/// The plain ReLU head of the authors' transfer scripts: sub-layers of 20 for ten classes, of 200 for more.
fn heads(features: u32, classes: u32) -> Heads {
    let width = if classes > 10 { 200 } else { 20 };
    Heads {
        fc: FullyConnected::hidden(features),
        spinal: SpinalOptions::halves(features, width, 4),
    }
}

/// Builds one of [`NETS`] on WRN-`DEPTH`-`WIDEN`: 6 n + 4 convolutions for n blocks a group, and `WIDEN` times the channels
/// 16, 32, 64.
pub fn build<const DEPTH: u32, const WIDEN: u32>(
    name: &str,
    net: &str,
    options: &ModelOptions,
) -> Result<Model> {
    let mut backbone = Backbone::on_images(options, [32, 32, 3])?;
    let conv = backbone.plain_convolution("conv1", 16, 1, 3)?;
    backbone.push("conv1", conv);
    for (group, stride) in [(1, 1), (2, 2), (3, 2)] {
        for index in 0..(DEPTH - 4) / 6 {
            let stride = if index == 0 { stride } else { 1 };
            let channels = (8 << group) * WIDEN;
            block(
                &mut backbone,
                &format!("group{group}.{index}"),
                channels,
                stride,
            )?;
        }
    }
    let norm = norm_relu(&mut backbone, "bn");
    backbone.push("bn", norm);
    backbone.push("pool", AvgPool2d::global());
    backbone.size = [1, 1, backbone.size[2]];
    let features = backbone.flatten();
    let kind = HeadKind::of_net(net, HeadKind::Linear);
    let heads = heads(features, options.classes.unwrap_or(10));
    let mut model = Model::new(name, backbone, features, &heads, kind, options)?;
    he_convolutions(&mut model.parameters);
    zero_linear_biases(&mut model.parameters);
    Ok(model)
}
