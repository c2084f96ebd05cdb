//! Heads: what stands between the features of a backbone and the classes.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::layers::spinal::Tie;
use crate::layers::{
    Activation, BatchNorm, Dropout, Granularity, Linear, Sequential, Spinal, SpinalChain,
    SpinalOptions,
};
use crate::plan::Parameters;

/// The kinds of heads.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum HeadKind {
    /// Fully connected hidden layers.
    Fc,
    /// A chain of sub-layers with gradual input.
    Spinal,
    /// A chain whose sub-layers after the first share one Linear.
    SpinalShared,
    /// One Linear.
    Linear,
}

/// The nets of a pair.
pub const PAIR: &[&str] = &["spinal", "baseline"];

impl HeadKind {
    /// The head of a net: `baseline` for the net of that name, Spinal for every other.
    pub fn of_net(net: &str, baseline: Self) -> Self {
        match net {
            "baseline" => baseline,
            _ => Self::Spinal,
        }
    }

    /// Whether it is a Spinal layer.
    pub fn is_spinal(self) -> bool {
        matches!(self, Self::Spinal | Self::SpinalShared)
    }
}

/// What is changed about a head; what is absent stays as the paper has it for the backbone.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct HeadOptions {
    /// Another kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head: Option<HeadKind>,
    /// Units of a sub-layer, w.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spinal_width: Option<u32>,
    /// Sub-layers, L.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spinal_depth: Option<u32>,
    /// Parts of the input, n.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spinal_splits: Option<u32>,
    /// Probability of the dropout before every Linear of the Spinal layer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spinal_dropout: Option<f64>,
    /// Whether the sub-layers are normalised.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spinal_bn: Option<bool>,
    /// The hidden layer of a fully connected head, from 1, that is turned into a chain of its units (paper, SpinalHL.png).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spinal_hidden: Option<u32>,
    /// The activation of the head.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activation: Option<Activation>,
}

impl HeadOptions {
    /// Nothing is changed.
    pub const UNCHANGED: Self = Self {
        head: None,
        spinal_width: None,
        spinal_depth: None,
        spinal_splits: None,
        spinal_dropout: None,
        spinal_bn: None,
        spinal_hidden: None,
        activation: None,
    };

    /// These changes, and of `others` those that they leave open.
    pub fn or(self, others: Self) -> Self {
        Self {
            head: self.head.or(others.head),
            spinal_width: self.spinal_width.or(others.spinal_width),
            spinal_depth: self.spinal_depth.or(others.spinal_depth),
            spinal_splits: self.spinal_splits.or(others.spinal_splits),
            spinal_dropout: self.spinal_dropout.or(others.spinal_dropout),
            spinal_bn: self.spinal_bn.or(others.spinal_bn),
            spinal_hidden: self.spinal_hidden.or(others.spinal_hidden),
            activation: self.activation.or(others.activation),
        }
    }

    /// Whether anything is changed that only a Spinal layer has.
    pub fn changes_spinal(&self) -> bool {
        self.spinal_width.is_some()
            || self.spinal_depth.is_some()
            || self.spinal_splits.is_some()
            || self.spinal_dropout.is_some()
            || self.spinal_bn.is_some()
    }

    /// A chain as the paper has it with what these options change.
    ///
    /// # Errors
    /// A value that no chain over these features can have, naming its flag.
    pub fn chain(&self, paper: SpinalOptions) -> Result<SpinalOptions> {
        let chain = SpinalOptions {
            width: self.spinal_width.unwrap_or(paper.width),
            depth: self.spinal_depth.unwrap_or(paper.depth),
            splits: self.spinal_splits.unwrap_or(paper.splits),
            dropout: self.spinal_dropout.unwrap_or(paper.dropout),
            batch_norm: self.spinal_bn.unwrap_or(paper.batch_norm),
            activation: self.activation.unwrap_or(paper.activation),
            ..paper
        };
        check(&chain)?;
        Ok(chain)
    }
}

/// A hidden layer of a fully connected head: Linear, BatchNorm, activation, dropout.
#[derive(Clone, Copy, Debug)]
pub struct Hidden {
    /// Units.
    pub width: u32,
    /// Normalise between Linear and activation.
    pub batch_norm: bool,
    /// Probability of the dropout behind it.
    pub dropout: f64,
    /// The chain that takes the place of the Linear, if any; it has as many units.
    pub chain: Option<SpinalOptions>,
}

impl Hidden {
    /// Linear and activation alone.
    pub fn plain(width: u32) -> Self {
        Self {
            width,
            batch_norm: false,
            dropout: 0.0,
            chain: None,
        }
    }
}

/// Dropout, hidden layers, and a Linear to the classes.
#[derive(Clone, Debug)]
pub struct FullyConnected {
    /// Probability of the dropout before the first Linear.
    pub input_dropout: f64,
    /// The hidden layers; none for a Linear alone.
    pub hidden: Vec<Hidden>,
    /// Their activation.
    pub activation: Activation,
}

impl FullyConnected {
    /// One hidden layer without dropout.
    pub fn hidden(width: u32) -> Self {
        Self {
            input_dropout: 0.0,
            hidden: vec![Hidden::plain(width)],
            activation: Activation::Relu,
        }
    }

    /// One Linear.
    pub fn linear() -> Self {
        Self {
            input_dropout: 0.0,
            hidden: Vec::new(),
            activation: Activation::Identity,
        }
    }

    /// Turns hidden layer `number` of a head over `features` into a chain of its units, two halves unless the options say
    /// otherwise.
    ///
    /// # Errors
    /// A number of no hidden layer, or units that the sub-layers do not divide.
    fn convert(&mut self, number: u32, features: u32, options: &HeadOptions) -> Result<()> {
        let layers = self.hidden.len();
        let index = (number as usize).wrapping_sub(1);
        if index >= layers {
            return Err(Error::usage(
                format!("--spinal-hidden {number}: the head has {layers} hidden layers"),
                "count from 1, or choose a net with a fully connected head",
            ));
        }
        let before = self.hidden[..index].last();
        let in_features = before.map_or(features, |hidden| hidden.width);
        let hidden = &mut self.hidden[index];
        let (width, depth) = groups(hidden.width, options)?;
        let paper = SpinalOptions {
            activation: self.activation,
            batch_norm: hidden.batch_norm,
            ..SpinalOptions::halves(in_features, width, depth)
        };
        hidden.chain = Some(options.chain(paper)?);
        Ok(())
    }

    fn push(&self, parameters: &mut Parameters, net: &mut Sequential, features: u32, outputs: u32) {
        push_dropout(net, "dropout", self.input_dropout);
        let mut columns = features;
        for (index, hidden) in (1..).zip(&self.hidden) {
            hidden.push(parameters, net, index, columns, self.activation);
            push_dropout(net, &format!("dropout{index}"), hidden.dropout);
            columns = hidden.width;
        }
        let name = format!("fc{}", self.hidden.len() + 1);
        let linear = Linear::new(parameters, &name, columns, outputs);
        net.push(name, linear);
    }
}

impl Hidden {
    /// Appends Linear, BatchNorm and activation, or the chain of them, as hidden layer `index`.
    fn push(
        &self,
        parameters: &mut Parameters,
        net: &mut Sequential,
        index: u32,
        columns: u32,
        activation: Activation,
    ) {
        let name = format!("fc{index}");
        if let Some(chain) = self.chain {
            let chain = SpinalChain::new(parameters, &name, chain);
            net.push(name, chain);
            return;
        }
        let linear = Linear::new(parameters, &name, columns, self.width);
        net.push(name, linear);
        if self.batch_norm {
            let name = format!("fc{index}_bn");
            let norm = BatchNorm::new(parameters, &name, self.width, activation);
            net.push(name, norm);
        } else {
            net.push(format!("activation{index}"), activation);
        }
    }
}

fn push_dropout(net: &mut Sequential, name: &str, probability: f64) {
    if probability > 0.0 {
        net.push(name, Dropout::new(probability, Granularity::Element));
    }
}

/// The heads that the paper, or this program where the paper has none, puts on a backbone.
#[derive(Clone, Debug)]
pub struct Heads {
    /// The fully connected one.
    pub fc: FullyConnected,
    /// The Spinal one.
    pub spinal: SpinalOptions,
}

/// A head that is decided on.
#[derive(Clone, Debug)]
pub enum Head {
    /// Fully connected.
    FullyConnected(FullyConnected),
    /// Spinal.
    Spinal(SpinalOptions),
}

impl Heads {
    /// The head of kind `kind` with what `options` change.
    ///
    /// # Errors
    /// A value that no Spinal layer over these features can have, naming its flag.
    pub fn choose(&self, kind: HeadKind, options: &HeadOptions, no_dropout: bool) -> Result<Head> {
        let kind = options.head.unwrap_or(kind);
        if !kind.is_spinal() {
            let mut fc = match kind {
                HeadKind::Linear => FullyConnected::linear(),
                _ => self.fc.clone(),
            };
            fc.activation = options.activation.unwrap_or(fc.activation);
            if let Some(number) = options.spinal_hidden {
                fc.convert(number, self.spinal.in_features, options)?;
            }
            if no_dropout {
                fc.input_dropout = 0.0;
                fc.hidden.iter_mut().for_each(|hidden| hidden.dropout = 0.0);
            }
            return Ok(Head::FullyConnected(fc));
        }
        if options.spinal_hidden.is_some() {
            return Err(Error::usage(
                "--spinal-hidden: the head is a Spinal layer already",
                "choose a net with a fully connected head, or add --head fc",
            ));
        }
        let mut spinal = options.chain(self.spinal)?;
        if kind == HeadKind::SpinalShared {
            spinal.tie = Tie::Shared;
        }
        if no_dropout {
            spinal.dropout = 0.0;
        }
        Ok(Head::Spinal(spinal))
    }
}

/// Width and number of the groups that `units` of a hidden layer are cut into: as the options say, or about six.
fn groups(units: u32, options: &HeadOptions) -> Result<(u32, u32)> {
    let divides = |depth: &u32| *depth > 0 && units.is_multiple_of(*depth);
    let depth = match (options.spinal_depth, options.spinal_width) {
        (Some(depth), _) => depth,
        (None, Some(width)) => units / width.max(1),
        (None, None) => {
            let depths = (1..=units).filter(divides);
            let nearest = depths.min_by_key(|depth| depth.abs_diff(PAPER_DEPTH));
            nearest.expect("1 divides every number")
        }
    };
    let width = options.spinal_width.unwrap_or(units / depth.max(1));
    if width * depth != units || units == 0 {
        return Err(Error::usage(
            format!("--spinal-hidden: {depth} sub-layers of {width} are not its {units} units"),
            "give a --spinal-width or --spinal-depth that divides them",
        ));
    }
    Ok((width, depth))
}

/// Sub-layers of the paper's first nets.
const PAPER_DEPTH: u32 = 6;

/// Sizes above these would not fit 32-bit indices, whatever the backbone.
const MAX_WIDTH: u32 = 16_384;
const MAX_DEPTH: u32 = 1024;

fn check(spinal: &SpinalOptions) -> Result<()> {
    Error::refuse_outside("--spinal-width", spinal.width.into(), 1.0, MAX_WIDTH.into())?;
    Error::refuse_outside("--spinal-depth", spinal.depth.into(), 1.0, MAX_DEPTH.into())?;
    let features = spinal.in_features;
    Error::refuse_outside(
        "--spinal-splits",
        spinal.splits.into(),
        1.0,
        features.into(),
    )?;
    Error::refuse_outside("--spinal-dropout", spinal.dropout, 0.0, 0.99)?;
    let of_sub_layer = u64::from(spinal.width) * u64::from(spinal.split_size() + spinal.width);
    check_weights(u64::from(spinal.depth) * of_sub_layer)
}

/// Weights of a layer, at most: a gigabyte of them.
const MAX_WEIGHTS: u64 = 1 << 28;

fn check_weights(weights: u64) -> Result<()> {
    if weights <= MAX_WEIGHTS {
        return Ok(());
    }
    Err(Error::usage(
        format!(
            "--spinal-width, --spinal-depth: {weights} weights, and {MAX_WEIGHTS} are the most"
        ),
        "choose smaller ones",
    ))
}

impl Head {
    /// Refuses an output layer that is too large for its indices.
    ///
    /// # Errors
    /// `Error::Usage` if the output layer of a chain would have more weights than fit.
    pub fn check_outputs(&self, outputs: u32) -> Result<()> {
        match self {
            Self::FullyConnected(_) => Ok(()),
            Self::Spinal(options) => {
                check_weights(u64::from(options.out_features()) * u64::from(outputs))
            }
        }
    }

    /// Appends it to a net that gives rows of `features`.
    pub fn push(
        &self,
        parameters: &mut Parameters,
        net: &mut Sequential,
        features: u32,
        outputs: u32,
    ) {
        match self {
            Self::FullyConnected(fc) => fc.push(parameters, net, features, outputs),
            Self::Spinal(options) => {
                let spinal = Spinal::new(parameters, "spinal", *options, outputs);
                net.push("spinal", spinal);
            }
        }
    }
}
