//! The CIFAR CNN with dropout (paper, section III-C): six convolutions, of which each block normalises only the first.

use super::backbone::Backbone;
use super::head::{FullyConnected, HeadKind, Heads, Hidden, PAIR};
use super::{Model, ModelOptions};
use crate::error::Result;
use crate::layers::{Activation, SpinalOptions};

/// The pair.
pub const NETS: &[&str] = PAIR;

/// Channels of the two convolutions of each block.
const BLOCKS: [[u32; 2]; 3] = [[32, 64], [128, 128], [256, 256]];

/// Sub-layers of 128 for CIFAR-10 and of 256 for CIFAR-100.
fn heads(features: u32, classes: u32) -> Heads {
    let hidden = |width, dropout| Hidden {
        dropout,
        ..Hidden::plain(width)
    };
    let width = if classes > 10 { 256 } else { 128 };
    Heads {
        fc: FullyConnected {
            input_dropout: 0.1,
            hidden: vec![hidden(1024, 0.0), hidden(512, 0.1)],
            activation: Activation::Relu,
        },
        spinal: SpinalOptions {
            dropout: 0.1,
            ..SpinalOptions::halves(features, width, 4)
        },
    }
}

/// Builds one of [`NETS`].
pub fn build(name: &str, net: &str, options: &ModelOptions) -> Result<Model> {
    let mut backbone = Backbone::on_images(options, [32, 32, 3])?;
    for (block, [first, second]) in (1..).zip(BLOCKS) {
        backbone.conv3_bn_relu(2 * block - 1, first, [1, 1])?;
        backbone.conv3_relu(2 * block, second)?;
        backbone.max_pool(&format!("pool{block}"), [2, 2])?;
        if block == 2 {
            backbone.dropout2d("dropout2d", 0.05);
        }
    }
    let features = backbone.flatten();
    let kind = HeadKind::of_net(net, HeadKind::Fc);
    let heads = heads(features, options.classes.unwrap_or(10));
    Model::new(name, backbone, features, &heads, kind, options)
}
