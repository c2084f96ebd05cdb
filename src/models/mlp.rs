//! Networks without convolutions on MNIST pixels: one hidden layer of 300 units, and the same 300 units as a spinal chain.

use super::Model;
use crate::layers::{Activation, Flatten, Linear, Sample, Sequential, Spinal, SpinalOptions};
use crate::plan::Parameters;

const PIXELS: u32 = 784;
const CLASSES: u32 = 10;

fn model(name: &str, parameters: Parameters, layers: Sequential) -> Model {
    let sample = Sample::Image {
        height: 28,
        width: 28,
        channels: 1,
    };
    Model {
        name: name.to_owned(),
        parameters,
        sample,
        outputs: CLASSES,
        layers,
    }
}

/// 784-300-10 with ReLU.
pub fn baseline(name: &str) -> Model {
    let mut parameters = Parameters::default();
    let mut net = Sequential::default();
    net.push("flatten", Flatten);
    net.push("fc1", Linear::new(&mut parameters, "fc1", PIXELS, 300));
    net.push("relu1", Activation::Relu);
    net.push("fc2", Linear::new(&mut parameters, "fc2", 300, CLASSES));
    model(name, parameters, net)
}

/// Two halves of 392, six sub-layers of 50 with ReLU: the hidden layer converted as in section 1.3 of the paper's supplement.
pub fn spinal(name: &str) -> Model {
    let mut parameters = Parameters::default();
    let mut net = Sequential::default();
    net.push("flatten", Flatten);
    let options = SpinalOptions::halves(PIXELS, 50, 6);
    net.push(
        "spinal",
        Spinal::new(&mut parameters, "spinal", options, CLASSES),
    );
    model(name, parameters, net)
}
