//! VGG-5 and Spinal VGG-5 (paper, section III-B): ten convolutions in four blocks, and two fully connected layers.

use super::backbone::Backbone;
use super::head::{FullyConnected, HeadKind, Heads, Hidden, PAIR};
use super::init::he_convolutions;
use super::{Model, ModelOptions};
use crate::error::Result;
use crate::layers::{Activation, SpinalOptions};

/// The pair.
pub const NETS: &[&str] = PAIR;

/// Channels of the convolutions of each block; a block ends with max pooling.
const BLOCKS: [&[u32]; 4] = [&[64, 64], &[128, 128], &[256, 256, 256], &[256, 256, 256]];

fn heads(features: u32) -> Heads {
    let hidden = Hidden {
        batch_norm: true,
        dropout: 0.5,
        ..Hidden::plain(512)
    };
    Heads {
        fc: FullyConnected {
            input_dropout: 0.5,
            hidden: vec![hidden],
            activation: Activation::Relu,
        },
        spinal: SpinalOptions {
            dropout: 0.5,
            batch_norm: true,
            ..SpinalOptions::halves(features, 128, 4)
        },
    }
}

/// Builds one of [`NETS`].
pub fn build(name: &str, net: &str, options: &ModelOptions) -> Result<Model> {
    let mut backbone = Backbone::on_images(options, [28, 28, 1])?;
    let mut number = 0;
    for channels in BLOCKS {
        for (left, &channels) in (1..=channels.len()).rev().zip(channels) {
            number += 1;
            let window = if left == 1 { [2, 2] } else { [1, 1] };
            backbone.conv3_bn_relu(number, channels, window)?;
        }
    }
    he_convolutions(&mut backbone.parameters);
    let features = backbone.flatten();
    let kind = HeadKind::of_net(net, HeadKind::Fc);
    Model::new(name, backbone, features, &heads(features), kind, options)
}
