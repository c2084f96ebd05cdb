//! Networks without convolutions: one hidden layer of 300 units, the same 300 units as a spinal chain, and any other chain.

use super::backbone::Backbone;
use super::head::{FullyConnected, HeadKind, Heads, PAIR};
use super::{Model, ModelOptions};
use crate::error::Result;
use crate::layers::SpinalOptions;

/// The pair; the baseline's hidden layer converted to the spinal net as in the paper (SpinalHL.png).
pub const NETS: &[&str] = PAIR;

/// Builds one of [`NETS`] over the pixels of an image: a chain of `DEPTH` sub-layers of `WIDTH` units, or one hidden layer of
/// as many units.
pub fn build<const WIDTH: u32, const DEPTH: u32>(
    name: &str,
    net: &str,
    options: &ModelOptions,
) -> Result<Model> {
    let mut backbone = Backbone::on_images(options, [28, 28, 1])?;
    let features = backbone.flatten();
    let spinal = options
        .head
        .chain(SpinalOptions::halves(features, WIDTH, DEPTH))?;
    let heads = Heads {
        fc: FullyConnected::hidden(spinal.out_features()),
        spinal,
    };
    let kind = HeadKind::of_net(net, HeadKind::Fc);
    Model::new(name, backbone, features, &heads, kind, options)
}
