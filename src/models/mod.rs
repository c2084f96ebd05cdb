//! The networks: the paper's pairs of a spinal net and its baseline.
//!
//! To add one: a file here and a line in [`FAMILIES`].

mod arch2;
mod backbone;
mod cifar_cnn;
mod cifar_resnet;
mod cifar_vgg;
mod freeze;
pub mod head;
mod imagenet;
mod init;
mod metadata;
mod mlp;
mod mnist_cnn;
mod regression;
mod vgg5;
mod weights;
mod wide_resnet;

use serde::{Deserialize, Serialize};

pub use freeze::Freeze;
pub use head::{HeadKind, HeadOptions};
pub use imagenet::ORIGINAL;
pub use init::initial_values;
pub use metadata::WeightsMetadata;
pub use weights::{LoadedWeights, load_weights, named_weights};

use crate::batch::Sample;
use crate::error::{Error, Result};
use crate::layers::Sequential;
use crate::plan::{Dispatch, Mode, ParameterSpec, Parameters, Tape, Tensor};
use backbone::Backbone;
use head::Heads;

/// A network: its parameters, its layers and what goes in and out.
pub struct Model {
    /// `FAMILY-NET`.
    pub name: String,
    /// Every learnable parameter and running statistic.
    pub parameters: Parameters,
    /// What one sample is that it is given.
    pub sample: Sample,
    /// What one sample of the whole network is: another one where what its backbone makes of it is given.
    pub whole_sample: Sample,
    /// Columns of the output: classes, or numbers predicted.
    pub outputs: u32,
    layers: Sequential,
    head: HeadStart,
    /// Layers, from the first on, that are not trained.
    frozen: usize,
}

/// Where the head of a network begins.
#[derive(Clone, Copy, Default, Debug)]
struct HeadStart {
    /// Its first layer.
    layer: usize,
    /// Its first parameter.
    parameter: usize,
}

impl Model {
    /// A backbone that gives rows of `features`, with the head of kind `kind` unless the options name another.
    fn new(
        name: &str,
        backbone: Backbone,
        features: u32,
        heads: &Heads,
        kind: HeadKind,
        options: &ModelOptions,
    ) -> Result<Self> {
        let head = heads.choose(kind, &options.head, options.no_dropout)?;
        let outputs = options.classes.unwrap_or(CLASSES);
        head.check_outputs(outputs)?;
        let push = |parameters: &mut _, layers: &mut _| {
            head.push(parameters, layers, features, outputs);
        };
        Ok(Self::with_head(name, backbone, outputs, push))
    }

    /// A backbone with the layers behind it that `push` appends.
    fn with_head(
        name: &str,
        backbone: Backbone,
        outputs: u32,
        push: impl FnOnce(&mut Parameters, &mut Sequential),
    ) -> Self {
        let Backbone {
            mut parameters,
            net: mut layers,
            sample,
            ..
        } = backbone;
        let head = HeadStart {
            layer: layers.len(),
            parameter: parameters.specs().len(),
        };
        push(&mut parameters, &mut layers);
        Self {
            name: name.to_owned(),
            parameters,
            sample,
            whole_sample: sample,
            outputs,
            layers,
            head,
            frozen: 0,
        }
    }

    /// Records the network on a batch: logits `[N, classes]` or predictions `[N, targets]`.
    pub fn forward(&self, tape: &mut Tape, x: Tensor) -> Tensor {
        let features = match self.sample {
            Sample::Features { .. } => x,
            _ => self.backbone(tape, x),
        };
        self.head(tape, features)
    }

    /// Records the backbone on a batch of images: features `[N, features]`.
    pub fn backbone(&self, tape: &mut Tape, x: Tensor) -> Tensor {
        let layers = &self.layers;
        let x = match self.frozen {
            0 => x,
            frozen => tape.frozen(|tape| layers.forward_part(tape, x, 0..frozen)),
        };
        layers.forward_part(tape, x, self.frozen..self.head.layer)
    }

    /// Records the head on a batch of features: logits `[N, classes]`.
    pub fn head(&self, tape: &mut Tape, x: Tensor) -> Tensor {
        let layers = &self.layers;
        layers.forward_part(tape, x, self.head.layer..layers.len())
    }

    /// The tensors, name and shape, that published weights have: those of the backbone, or with ImageNet's classifier all. They
    /// are the first ones.
    pub fn pretrained(&self) -> Vec<(String, Vec<usize>)> {
        let specs = self.parameters.specs();
        let is_original = self.name.ends_with(&format!("-{}", ORIGINAL));
        let count = if is_original {
            specs.len()
        } else {
            self.head.parameter
        };
        specs[..count].iter().map(ParameterSpec::tensor).collect()
    }

    /// Makes what the frozen backbone makes of images the samples.
    pub fn take_features(&mut self, features: u32) {
        assert_eq!(self.frozen, self.head.layer, "the backbone is frozen");
        self.sample = Sample::Features { features };
    }

    /// Whether there is a Spinal layer in it.
    pub fn has_spinal(&self) -> bool {
        let mut specs = self.parameters.specs().iter();
        specs.any(|spec| spec.name.contains(".sub_layers."))
    }

    /// Refuses a `--batch-size` that it cannot be trained on.
    ///
    /// # Errors
    /// `Error::Usage`.
    pub fn check_batch(&self, batch_size: u32) -> Result<()> {
        let smallest = self.smallest_batch();
        if batch_size >= smallest {
            return Ok(());
        }
        Err(Error::usage(
            format!(
                "--batch-size {batch_size}: {} normalises over the batch",
                self.name
            ),
            format!("choose {smallest} or more"),
        ))
    }

    /// The smallest batch it can be trained on: batch normalisation needs two values of a channel, which an image of more
    /// than one pixel has alone.
    pub fn smallest_batch(&self) -> u32 {
        let mut tape = Tape::new(&self.name, &self.parameters, Mode::Evaluate);
        let x = self.sample.input(&mut tape, 1);
        self.forward(&mut tape, x);
        let plan = tape.finish();
        match plan.dispatches.iter().any(normalises_one_value) {
            true => 2,
            false => 1,
        }
    }
}

/// Whether it is a normalisation that has but one value of each channel.
fn normalises_one_value(dispatch: &Dispatch) -> bool {
    let elements = |name: &str| {
        let mut bindings = dispatch.bindings.iter();
        let found = bindings.find(|binding| binding.name == name);
        found.map(|binding| binding.tensor.elements())
    };
    elements("variance").is_some() && elements("variance") == elements("x")
}

/// What the names of a head's tensors begin with, in our files and in those of others.
pub const HEADS: &[&str] = &["spinal.", "fc.", "fc1.", "fc2.", "fc1_bn.", "classifier."];

/// Classes of the paper's first data sets.
const CLASSES: u32 = 10;

/// What can be changed about a network.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct ModelOptions {
    /// Leave every dropout out.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub no_dropout: bool,
    /// What a sample is; the paper's if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample: Option<Sample>,
    /// Classes; ten if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classes: Option<u32>,
    /// Residual blocks as usual (1 x 1 shortcuts, ReLU after the addition) instead of the authors'.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub standard_blocks: bool,
    /// Normalise the backbone by its running statistics, which stay as they are, while it is trained.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub frozen_statistics: bool,
    /// Changes to the head.
    #[serde(flatten)]
    pub head: HeadOptions,
}

impl ModelOptions {
    /// The same, with what `head` says about the head where these say nothing.
    pub fn or(self, head: HeadOptions) -> Self {
        Self {
            head: self.head.or(head),
            ..self
        }
    }
}

/// Networks of one backbone.
pub struct Family {
    /// The first part of their names.
    pub name: &'static str,
    /// The last parts.
    pub nets: &'static [&'static str],
    /// Classes of the data sets that the paper trains them on, the first of them unless the user says otherwise.
    pub classes: &'static [u32],
    /// Whether there are published weights, trained on ImageNet, to begin with.
    pub is_imagenet: bool,
    /// Builds the network `NAME` with the last part `NET`.
    build: Build,
}

impl Family {
    /// The classes that one of its nets is shown with: those of the family, or for an ImageNet classifier ImageNet's.
    pub fn classes_of(&self, net: &str) -> &'static [u32] {
        match net {
            ORIGINAL => &[imagenet::CLASSES],
            _ => self.classes,
        }
    }
}

type Build = fn(name: &str, net: &str, options: &ModelOptions) -> Result<Model>;

const fn family(
    name: &'static str,
    nets: &'static [&'static str],
    classes: &'static [u32],
    build: Build,
) -> Family {
    Family {
        name,
        nets,
        classes,
        is_imagenet: false,
        build,
    }
}

/// Classes of MNIST and Fashion-MNIST; of EMNIST's letters, its balanced set and all its characters; of CIFAR.
const MNIST: &[u32] = &[10];
const EMNIST: &[u32] = &[10, 26, 47, 62];
const CIFAR: &[u32] = &[10, 100];

/// All networks.
pub const FAMILIES: &[Family] = &[
    family("mnist-cnn", mnist_cnn::NETS, MNIST, mnist_cnn::build),
    family("arch2", arch2::NETS, MNIST, arch2::build),
    family("vgg5", vgg5::NETS, EMNIST, vgg5::build),
    family("cifar-cnn", cifar_cnn::NETS, CIFAR, cifar_cnn::build),
    family(
        "cifar-vgg11",
        cifar_vgg::NETS,
        CIFAR,
        cifar_vgg::build::<11>,
    ),
    family(
        "cifar-vgg13",
        cifar_vgg::NETS,
        CIFAR,
        cifar_vgg::build::<13>,
    ),
    family(
        "cifar-vgg16",
        cifar_vgg::NETS,
        CIFAR,
        cifar_vgg::build::<16>,
    ),
    family(
        "cifar-vgg19",
        cifar_vgg::NETS,
        CIFAR,
        cifar_vgg::build::<19>,
    ),
    family(
        "cifar-resnet18",
        cifar_resnet::NETS,
        CIFAR,
        cifar_resnet::build::<18>,
    ),
    family(
        "cifar-resnet34",
        cifar_resnet::NETS,
        CIFAR,
        cifar_resnet::build::<34>,
    ),
    family(
        "wrn-28-10",
        wide_resnet::NETS,
        CIFAR,
        wide_resnet::build::<28, 10>,
    ),
    family(
        "wrn-16-8",
        wide_resnet::NETS,
        CIFAR,
        wide_resnet::build::<16, 8>,
    ),
    family("mlp", mlp::NETS, MNIST, mlp::build::<50, 6>),
    family("custom", mlp::NETS, MNIST, mlp::build::<20, 10>),
    family("regression", regression::NETS, &[1], regression::build),
    imagenet("alexnet"),
    imagenet("vgg11"),
    imagenet("vgg13"),
    imagenet("vgg16"),
    imagenet("vgg19"),
    imagenet("vgg11_bn"),
    imagenet("vgg13_bn"),
    imagenet("vgg16_bn"),
    imagenet("vgg19_bn"),
    imagenet("resnet18"),
    imagenet("resnet34"),
    imagenet("resnet50"),
    imagenet("resnet101"),
    imagenet("resnet152"),
    imagenet("wide_resnet50_2"),
    imagenet("wide_resnet101_2"),
    imagenet("resnext50_32x4d"),
    imagenet("efficientnet_lite0"),
];

/// The networks of a backbone that is trained on ImageNet.
const fn imagenet(name: &'static str) -> Family {
    Family {
        is_imagenet: true,
        ..family(name, imagenet::NETS, MNIST, imagenet::build)
    }
}

/// The backbones that there are published weights of.
pub fn imagenet_backbones() -> impl Iterator<Item = &'static str> {
    let families = FAMILIES.iter().filter(|family| family.is_imagenet);
    families.map(|family| family.name)
}

/// Whether there are published weights of a backbone of that name.
pub fn is_imagenet_backbone(name: &str) -> bool {
    imagenet_backbones().any(|backbone| backbone == name)
}

/// The names of all networks.
pub fn names() -> impl Iterator<Item = String> {
    FAMILIES.iter().flat_map(|family| {
        let nets = family.nets.iter();
        nets.map(|net| format!("{}-{net}", family.name))
    })
}

/// Builds the network called `name`.
///
/// # Errors
/// An unknown name, a data set that it does not take, or a head that it cannot have.
pub fn build(name: &str, options: ModelOptions) -> Result<Model> {
    for family in FAMILIES {
        let net = name.strip_prefix(family.name);
        let net = net.and_then(|rest| rest.strip_prefix('-'));
        if let Some(net) = net.filter(|net| family.nets.contains(net)) {
            if options.frozen_statistics && !family.is_imagenet {
                return Err(Error::usage(
                    format!("--frozen-statistics: {name} has no statistics to begin with"),
                    "leave it out, or choose a network that is trained on ImageNet",
                ));
            }
            if options.standard_blocks && !family.name.starts_with("cifar-resnet") {
                return Err(Error::usage(
                    format!("--standard-blocks: {name} has no residual blocks of two kinds"),
                    "leave it out, or choose cifar-resnet18 or cifar-resnet34",
                ));
            }
            return (family.build)(name, net, &options);
        }
    }
    Err(unknown(format!("there is no model `{name}`"), name))
}

/// The error of a name that no network has, with the names that are most like it.
pub fn unknown(what: String, name: &str) -> Error {
    let mut names: Vec<String> = names().collect();
    let unlikeness = |other: &String| -strsim::jaro_winkler(name, other);
    names.sort_by(|a, b| unlikeness(a).total_cmp(&unlikeness(b)));
    names.truncate(LIKE);
    Error::usage(
        what,
        format!("choose one of `spinal list`, such as {}", names.join(", ")),
    )
}

/// Names that are shown for one that there is not.
const LIKE: usize = 4;
