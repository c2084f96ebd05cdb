//! The MNIST convolutional network of PyTorch's example, with its own head and with a spinal head (paper, section III-B).

use super::backbone::Backbone;
use super::head::{FullyConnected, HeadKind, Heads, Hidden};
use super::{Model, ModelOptions};
use crate::error::Result;
use crate::layers::{Activation, SpinalOptions};

/// The nets: the pair, the width of the EMNIST scripts, and four that take the comparison apart.
pub const NETS: &[&str] = &[
    "spinal",
    "baseline",
    "spinal-w10",
    "baseline-no-dropout",
    "fc-equal",
    "spinal-no-chain",
    "spinal-full-input",
];

/// The hidden layer that has as many parameters as the spinal head: 331 H + 10 = 8,538 asks for 25.8 units.
const EQUAL_WIDTH: u32 = 26;

/// conv 1->10 k5, pool, ReLU; conv 10->20 k5, Dropout2d, pool, ReLU; flatten to 320.
///
/// Dropout2d stands behind the ReLU here: scaling a channel by a number that is not negative commutes with the maximum
/// and with ReLU, and there are a quarter as many values.
pub fn features(options: &ModelOptions) -> Result<Backbone> {
    let mut backbone = Backbone::on_images(options, [28, 28, 1])?;
    for (name, channels) in [("conv1", 10), ("conv2", 20)] {
        let block = backbone.conv5_pool_relu(name, channels)?;
        backbone.push(name, block);
    }
    backbone.dropout2d("dropout2d", 0.5);
    Ok(backbone)
}

/// Two halves of 160, six sub-layers of 8 without dropout; or Linear 50, ReLU, Dropout.
fn heads(features: u32) -> Heads {
    let hidden = Hidden {
        dropout: 0.5,
        ..Hidden::plain(50)
    };
    Heads {
        fc: FullyConnected {
            input_dropout: 0.0,
            hidden: vec![hidden],
            activation: Activation::Relu,
        },
        spinal: SpinalOptions::halves(features, 8, 6),
    }
}

/// Builds one of [`NETS`].
pub fn build(name: &str, net: &str, options: &ModelOptions) -> Result<Model> {
    let mut backbone = features(options)?;
    let features = backbone.flatten();
    let mut heads = heads(features);
    let mut kind = HeadKind::Spinal;
    match net {
        "baseline" => kind = HeadKind::Fc,
        "baseline-no-dropout" => {
            kind = HeadKind::Fc;
            heads.fc = FullyConnected::hidden(50);
        }
        "fc-equal" => {
            kind = HeadKind::Fc;
            heads.fc = FullyConnected::hidden(EQUAL_WIDTH);
        }
        "spinal-w10" => heads.spinal.width = 10,
        "spinal-no-chain" => heads.spinal.chained = false,
        "spinal-full-input" => heads.spinal.splits = 1,
        _ => {}
    }
    Model::new(name, backbone, features, &heads, kind, options)
}
