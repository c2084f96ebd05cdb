//! The regression networks: eight inputs, one output (paper, section III-A and table I).

use super::head::{FullyConnected, HeadKind, Heads, Hidden};
use super::{HeadStart, Model, ModelOptions};
use crate::batch::Sample;
use crate::error::{Error, Result};
use crate::layers::spinal::Tie;
use crate::layers::{Activation, Sequential, SpinalOptions};
use crate::plan::Parameters;

/// The pair, and the spinal net as the authors' script runs it: the third and the fourth Linear are called again instead
/// of the last two, which the paper counts all the same.
pub const NETS: &[&str] = &["spinal", "baseline", "spinal-tied"];

/// Numbers given: x1 to x8.
const FEATURES: u32 = 8;

/// Two halves of 4, six sub-layers of 50; or 8-200-100-1; all with LeakyReLU.
fn heads(features: u32) -> Heads {
    Heads {
        fc: FullyConnected {
            input_dropout: 0.0,
            hidden: vec![Hidden::plain(200), Hidden::plain(100)],
            activation: Activation::LeakyRelu,
        },
        spinal: SpinalOptions {
            activation: Activation::LeakyRelu,
            ..SpinalOptions::halves(features, 50, 6)
        },
    }
}

/// Builds one of [`NETS`].
pub fn build(name: &str, net: &str, options: &ModelOptions) -> Result<Model> {
    let sample = options.sample.unwrap_or(Sample::Row {
        features: FEATURES,
        targets: 1,
    });
    let Sample::Row { features, targets } = sample else {
        return Err(Error::usage(
            format!("{name} takes rows of numbers, and the data set has images"),
            "choose a function with --data, or another experiment",
        ));
    };
    let kind = HeadKind::of_net(net, HeadKind::Fc);
    let mut heads = heads(features);
    if net == "spinal-tied" {
        heads.spinal.tie = Tie::ThirdAndFourth;
    }
    let head = heads.choose(kind, &options.head, options.no_dropout)?;
    let (mut parameters, mut layers) = (Parameters::default(), Sequential::default());
    head.push(&mut parameters, &mut layers, features, targets);
    Ok(Model {
        name: name.to_owned(),
        parameters,
        sample,
        whole_sample: sample,
        outputs: targets,
        layers,
        head: HeadStart::default(),
        frozen: 0,
    })
}
