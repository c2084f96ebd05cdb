//! The regression networks: eight inputs, one output (paper, section III-A and table I).

use super::Model;
use crate::layers::spinal::Tie;
use crate::layers::{Activation, Linear, Sample, Sequential, Spinal, SpinalOptions};
use crate::plan::Parameters;

const FEATURES: u32 = 8;

fn model(name: &str, parameters: Parameters, layers: Sequential) -> Model {
    let sample = Sample::Row {
        features: FEATURES,
        targets: 1,
    };
    Model {
        name: name.to_owned(),
        parameters,
        sample,
        outputs: 1,
        layers,
    }
}

/// 8-200-100-1 with LeakyReLU.
pub fn baseline(name: &str) -> Model {
    let mut parameters = Parameters::default();
    let mut net = Sequential::default();
    net.push("fc1", Linear::new(&mut parameters, "fc1", FEATURES, 200));
    net.push("activation1", Activation::LeakyRelu);
    net.push("fc2", Linear::new(&mut parameters, "fc2", 200, 100));
    net.push("activation2", Activation::LeakyRelu);
    net.push("fc3", Linear::new(&mut parameters, "fc3", 100, 1));
    model(name, parameters, net)
}

/// Two halves of 4, six sub-layers of 50 with LeakyReLU.
///
/// The paper counts six Linears; the authors' script calls the third and the fourth again instead of the last two.
pub fn spinal(name: &str, tie: Tie) -> Model {
    let mut parameters = Parameters::default();
    let mut net = Sequential::default();
    let options = SpinalOptions {
        activation: Activation::LeakyRelu,
        tie,
        ..SpinalOptions::halves(FEATURES, 50, 6)
    };
    net.push("spinal", Spinal::new(&mut parameters, "spinal", options, 1));
    model(name, parameters, net)
}
