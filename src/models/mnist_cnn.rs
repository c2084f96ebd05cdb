//! The MNIST convolutional network of PyTorch's example, with its own head and with a spinal head (paper, section III-B).

use super::{Model, ModelOptions};
use crate::layers::{
    Activation, Conv2d, Conv2dOptions, ConvBlock, Dropout, Flatten, Granularity, Linear, Sample,
    Sequential, Spinal, SpinalOptions,
};
use crate::plan::Parameters;

const CLASSES: u32 = 10;
const FEATURES: u32 = 320;

/// conv 1->10 k5, pool, ReLU; conv 10->20 k5, Dropout2d, pool, ReLU; flatten to 320.
///
/// Dropout2d stands behind the ReLU here: scaling a channel by a number that is not negative commutes with the maximum
/// and with ReLU, and there are a quarter as many values.
fn features(parameters: &mut Parameters, options: ModelOptions) -> Sequential {
    let mut block = |name, in_channels, out_channels| ConvBlock {
        conv: Conv2d::new(
            parameters,
            name,
            Conv2dOptions::square(in_channels, out_channels, 5),
        ),
        pool: [2, 2],
        activation: Activation::Relu,
    };
    let mut net = Sequential::default();
    net.push("conv1", block("conv1", 1, 10));
    net.push("conv2", block("conv2", 10, 20));
    if !options.no_dropout {
        net.push("dropout2d", Dropout::new(0.5, Granularity::Channel));
    }
    net.push("flatten", Flatten);
    net
}

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

/// The head of PyTorch's example: Linear 50, ReLU, Dropout, Linear 10.
pub fn baseline(name: &str, options: ModelOptions) -> Model {
    let mut parameters = Parameters::default();
    let mut net = features(&mut parameters, options);
    net.push("fc1", Linear::new(&mut parameters, "fc1", FEATURES, 50));
    net.push("relu", Activation::Relu);
    if !options.no_dropout {
        net.push("dropout", Dropout::new(0.5, Granularity::Element));
    }
    net.push("fc2", Linear::new(&mut parameters, "fc2", 50, CLASSES));
    model(name, parameters, net)
}

/// The spinal head: two halves of 160, six sub-layers of `width`, no dropout.
pub fn spinal(name: &str, width: u32, options: ModelOptions) -> Model {
    let mut parameters = Parameters::default();
    let mut net = features(&mut parameters, options);
    let head = SpinalOptions::halves(FEATURES, width, 6);
    net.push(
        "spinal",
        Spinal::new(&mut parameters, "spinal", head, CLASSES),
    );
    model(name, parameters, net)
}
