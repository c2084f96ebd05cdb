//! VGG-11, -13, -16 and -19 with BatchNorm for CIFAR (paper, section III-C): configurations A, B, D and E of VGG.

use super::backbone::Backbone;
use super::head::{FullyConnected, HeadKind, Heads, Hidden, PAIR};
use super::{Model, ModelOptions};
use crate::error::Result;
use crate::layers::{Activation, SpinalOptions};

/// The pair.
pub const NETS: &[&str] = PAIR;

/// Channels of the blocks.
const CHANNELS: [u32; 5] = [64, 128, 256, 512, 512];

/// Convolutions of each block.
fn convolutions(depth: u32) -> [u32; 5] {
    match depth {
        11 => [1, 1, 2, 2, 2],
        13 => [2, 2, 2, 2, 2],
        16 => [2, 2, 3, 3, 3],
        19 => [2, 2, 4, 4, 4],
        _ => panic!("there is no VGG-{depth}"),
    }
}

fn heads(features: u32) -> Heads {
    let hidden = Hidden {
        dropout: 0.5,
        ..Hidden::plain(4096)
    };
    Heads {
        fc: FullyConnected {
            input_dropout: 0.0,
            hidden: vec![hidden; 2],
            activation: Activation::Relu,
        },
        spinal: SpinalOptions {
            dropout: 0.5,
            ..SpinalOptions::halves(features, 512, 4)
        },
    }
}

/// Builds one of [`NETS`] on a VGG of `DEPTH` layers.
pub fn build<const DEPTH: u32>(name: &str, net: &str, options: &ModelOptions) -> Result<Model> {
    let mut backbone = Backbone::on_images(options, [32, 32, 3])?;
    let mut number = 0;
    for (channels, convolutions) in CHANNELS.into_iter().zip(convolutions(DEPTH)) {
        for left in (1..=convolutions).rev() {
            number += 1;
            let window = if left == 1 { [2, 2] } else { [1, 1] };
            backbone.conv3_bn_relu(number, channels, window)?;
        }
    }
    let features = backbone.flatten();
    let kind = HeadKind::of_net(net, HeadKind::Fc);
    Model::new(name, backbone, features, &heads(features), kind, options)
}
