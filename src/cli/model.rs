//! The flags that change a network, shared by every subcommand that builds one.

use clap::Args;

use crate::layers::Activation;
use crate::models::{HeadKind, HeadOptions, ModelOptions, WeightsMetadata};

/// What is changed about a network.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Network")]
pub struct ModelFlags {
    /// Outputs of the network; the classes of the data set if not given, none of which may be without a sample then
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=65_536))]
    classes: Option<u32>,
    /// Put another head on the backbone (with one net)
    #[arg(long, value_enum)]
    head: Option<HeadKind>,
    /// Units of a sub-layer of the spinal head
    #[arg(long, value_name = "W")]
    spinal_width: Option<u32>,
    /// Sub-layers of the spinal head
    #[arg(long, value_name = "L")]
    spinal_depth: Option<u32>,
    /// Parts that the input of the spinal head is cut into
    #[arg(long, value_name = "N")]
    spinal_splits: Option<u32>,
    /// Probability of the dropout before every Linear of the spinal head
    #[arg(long, value_name = "P", allow_negative_numbers = true)]
    spinal_dropout: Option<f64>,
    /// Whether the sub-layers of the spinal head are normalised
    #[arg(long, value_name = "BOOL")]
    spinal_bn: Option<bool>,
    /// Turn hidden layer N of a fully connected head into a chain of its units
    #[arg(long, value_name = "N")]
    spinal_hidden: Option<u32>,
    /// The activation of the head
    #[arg(long, value_enum)]
    activation: Option<Activation>,
    /// Build residual blocks as usual (1x1 shortcuts, ReLU after the addition) instead of as the authors did
    #[arg(long)]
    standard_blocks: bool,
    /// Normalise the backbone by its running statistics, and leave them as they are, while it is trained (for small batches)
    #[arg(long)]
    frozen_statistics: bool,
}

impl ModelFlags {
    /// The options for a file of weights: those of the flags, or if none is given those that the file tells.
    pub fn options_for(&self, metadata: &WeightsMetadata) -> ModelOptions {
        match self.options() {
            options if options == ModelOptions::default() => metadata.network,
            options => options,
        }
    }

    /// The options of the model, on the paper's kind of samples.
    pub fn options(&self) -> ModelOptions {
        ModelOptions {
            classes: self.classes,
            standard_blocks: self.standard_blocks,
            frozen_statistics: self.frozen_statistics,
            head: HeadOptions {
                head: self.head,
                spinal_width: self.spinal_width,
                spinal_depth: self.spinal_depth,
                spinal_splits: self.spinal_splits,
                spinal_dropout: self.spinal_dropout,
                spinal_bn: self.spinal_bn,
                spinal_hidden: self.spinal_hidden,
                activation: self.activation,
            },
            ..ModelOptions::default()
        }
    }
}
