//! Arch2 (paper, section III-B): three spinal chains that read the pixels, the first and the second convolution.

use super::backbone::Backbone;
use super::head::HeadKind;
use super::{HeadStart, Model, ModelOptions};
use crate::error::{Error, Result};
use crate::layers::{
    Activation, ConvBlock, Dropout, Flatten, Granularity, Layer, Linear, Slice, SpinalChain,
    SpinalOptions, concat,
};
use crate::plan::{Tape, Tensor};

/// The widths of the scripts: MNIST 30; KMNIST, QMNIST and EMNIST digits 50; Fashion-MNIST 300.
pub const NETS: &[&str] = &["spinal", "spinal-w50", "spinal-w300"];

/// Sub-layers of the chains over pixels, first and second convolution.
const DEPTHS: [u32; 3] = [10, 8, 8];

/// Units of the layer behind the chains.
const HIDDEN: u32 = 50;

/// The layers, which are no sequence: every stage of the image feeds a chain.
struct Feeds {
    convs: [ConvBlock; 2],
    dropout2d: Option<Dropout>,
    chains: [SpinalChain; 3],
    fc1: Linear,
    fc2: Linear,
}

impl Layer for Feeds {
    fn forward(&self, tape: &mut Tape, x: Tensor) -> Tensor {
        let first = tape.scope("conv1", |tape| self.convs[0].forward(tape, x));
        let mut second = tape.scope("conv2", |tape| self.convs[1].forward(tape, first));
        if let Some(dropout) = self.dropout2d {
            second = tape.scope("dropout2d", |tape| dropout.forward(tape, second));
        }
        let feeds = [("pixels", x), ("feed1", first), ("feed2", second)];
        let mut outputs = Vec::new();
        for (chain, (name, image)) in self.chains.iter().zip(feeds) {
            let h = tape.scope(name, |tape| {
                let flat = Flatten.forward(tape, image);
                chain.forward(tape, flat)
            });
            outputs.push(Slice::all(h));
        }
        let all = tape.scope("concat", |tape| concat(tape, &outputs));
        let hidden = tape.scope("fc1", |tape| {
            let z = self.fc1.forward(tape, all);
            Activation::Relu.forward(tape, z)
        });
        tape.scope("fc2", |tape| self.fc2.forward(tape, hidden))
    }
}

/// Builds one of [`NETS`].
pub fn build(name: &str, net: &str, options: &ModelOptions) -> Result<Model> {
    if options
        .head
        .head
        .is_some_and(|head| head != HeadKind::Spinal)
    {
        return Err(Error::usage(
            format!("--head: {name} is made of its three spinal chains"),
            "leave --head out, or choose mnist-cnn",
        ));
    }
    let paper_width = match net {
        "spinal-w50" => 50,
        "spinal-w300" => 300,
        _ => 30,
    };
    let mut backbone = Backbone::on_images(options, [28, 28, 1])?;
    let mut features = vec![backbone.size.iter().product()];
    let mut convs = Vec::new();
    for (name, channels) in [("conv1", 10), ("conv2", 20)] {
        convs.push(backbone.conv5_pool_relu(name, channels)?);
        features.push(backbone.size.iter().product());
    }
    let parameters = &mut backbone.parameters;
    let mut chains = Vec::new();
    for ((name, depth), features) in ["pixels", "feed1", "feed2"]
        .into_iter()
        .zip(DEPTHS)
        .zip(features)
    {
        let halves = SpinalOptions::halves(features, paper_width, depth);
        let chain = options.head.chain(halves)?;
        chains.push(SpinalChain::new(parameters, name, chain));
    }
    let all = chains
        .iter()
        .map(|chain| chain.options().out_features())
        .sum();
    let outputs = options.classes.unwrap_or(10);
    let feeds = Feeds {
        convs: convs.try_into().expect("there are two"),
        dropout2d: (!options.no_dropout).then(|| Dropout::new(0.5, Granularity::Channel)),
        fc1: Linear::new(parameters, "fc1", all, HIDDEN),
        fc2: Linear::new(parameters, "fc2", HIDDEN, outputs),
        chains: chains.try_into().expect("there are three"),
    };
    backbone.push("arch2", feeds);
    Ok(Model {
        name: name.to_owned(),
        parameters: backbone.parameters,
        sample: backbone.sample,
        whole_sample: backbone.sample,
        outputs,
        layers: backbone.net,
        head: HeadStart::default(),
        frozen: 0,
    })
}
