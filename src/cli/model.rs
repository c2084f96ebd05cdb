//! The flags that change a network, shared by every subcommand that builds one.

use clap::Args;

use crate::batch::Sample;
use crate::error::{Error, Result};
use crate::layers::Activation;
use crate::models::{self, HeadKind, HeadOptions, Model, ModelOptions, WeightsMetadata};

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

/// The flag that changes the size of images, shared by the subcommands that need no data.
#[derive(Args, Clone, Copy, Debug)]
pub struct SizeFlags {
    /// Rows and columns of the images, if not the paper's
    #[arg(long, value_name = "N", help_heading = "Network", value_parser = clap::value_parser!(u32).range(1..=4096))]
    image_size: Option<u32>,
}

impl SizeFlags {
    /// Builds a network on images of that size.
    ///
    /// # Errors
    /// `Error::Usage` if there is no such network, or it does not take such images.
    pub fn build(self, name: &str, options: ModelOptions) -> Result<Model> {
        let model = models::build(name, options)?;
        let Some(side) = self.image_size else {
            return Ok(model);
        };
        let Sample::Image { channels, .. } = model.sample else {
            return Err(Error::usage(
                format!("--image-size {side}: {name} takes no images"),
                "leave it out",
            ));
        };
        let sample = Sample::Image {
            height: side,
            width: side,
            channels,
        };
        let sample = Some(sample);
        models::build(name, ModelOptions { sample, ..options })
    }
}
