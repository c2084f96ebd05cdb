//! `spinal predict`: pictures of the user's.

use std::path::PathBuf;

use clap::Args;

use super::device::DeviceFlags;
use super::model::ModelFlags;
use super::output::print;
use crate::batch::Sample;
use crate::error::{Error, Result};
use crate::experiment;
use crate::models::{self, WeightsMetadata};
use crate::predict::{Picture, Predictor};

/// Flags of `spinal predict`.
#[derive(Args, Debug)]
pub struct Predict {
    /// The weights
    #[arg(long, value_name = "FILE.safetensors")]
    weights: PathBuf,
    /// The network they belong to (see `spinal list`)
    #[arg(long, value_name = "NAME")]
    model: String,
    /// PNG or JPEG pictures of any size, grey or colour, dark on light or light on dark
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<PathBuf>,
    #[command(flatten)]
    network: ModelFlags,
    #[command(flatten)]
    device: DeviceFlags,
}

/// Classes shown for a picture.
const SHOWN: usize = 3;

impl Predict {
    /// Prints the likely classes of each picture.
    pub fn run(&self) -> Result<()> {
        experiment::of_model(&self.model)?;
        let metadata = WeightsMetadata::read(&self.weights, &self.model)?;
        let model = models::build(&self.model, self.network.options_for(&metadata))?;
        let Sample::Image {
            height,
            width,
            channels,
        } = model.sample
        else {
            return Err(Error::usage(
                format!("--model {}: it predicts numbers, not pictures", self.model),
                "choose a network of images, such as mnist-cnn-spinal",
            ));
        };
        let load = |path: &PathBuf| {
            crate::data::picture::load(path, height as usize, width as usize, channels as usize)
        };
        let pictures = self
            .images
            .iter()
            .map(load)
            .collect::<Result<Vec<Picture>>>()?;
        let device = self.device.open()?;
        let predictor = Predictor::new(&device, model, &self.weights, metadata.normalisation)?;
        for (path, picture) in self.images.iter().zip(&pictures) {
            let classes = predictor.predict(picture)?;
            let shown: Vec<_> = classes
                .iter()
                .take(SHOWN)
                .map(|class| format!("{} ({:.2} %)", class.class, 100.0 * class.probability))
                .collect();
            print(format!("{}: {}", path.display(), shown.join(", ")))?;
        }
        Ok(())
    }
}
