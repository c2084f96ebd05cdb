//! `spinal predict`: pictures of the user's.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::device::DeviceFlags;
use super::model::ModelFlags;
use super::output::{note, print, print_json};
use crate::batch::Sample;
use crate::data::augment::Transforms;
use crate::data::{imagenet, picture};
use crate::error::{Error, Result};
use crate::experiment;
use crate::models::{self, Model, ModelOptions, WeightsMetadata};
use crate::predict::{BATCH, ClassProbability, Picture, Predictor};
use crate::recipe::Normalization;

/// Flags of `spinal predict`.
#[derive(Args, Debug)]
pub struct Predict {
    /// The weights
    #[arg(long, value_name = "FILE|NAME")]
    weights: String,
    /// The network they belong to (see `spinal list`)
    #[arg(long, value_name = "NAME")]
    model: String,
    /// PNG or JPEG pictures of any size, or folders of them; for a network of grey images drawings, dark on light or light on
    /// dark
    #[arg(required = true, value_name = "IMAGE|DIR")]
    images: Vec<PathBuf>,
    /// Scale and cut the pictures to N rows and columns, if not as the file of weights says
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    image_size: Option<u32>,
    /// How pixels are normalised, if not as the file of weights says
    #[arg(long, value_name = "NAME", value_enum)]
    normalize: Option<Normalization>,
    /// Print a line of JSON for each picture
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    network: ModelFlags,
    #[command(flatten)]
    device: DeviceFlags,
}

/// Classes shown for a picture, and in JSON.
const SHOWN: usize = 3;
const SHOWN_IN_JSON: usize = 5;

/// A picture as it is printed in JSON.
#[derive(Serialize)]
struct Line<'a> {
    file: &'a Path,
    top: Vec<Class<'a>>,
}

#[derive(Serialize)]
struct Class<'a> {
    class: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    probability: f64,
}

impl Predict {
    /// Prints the likely classes of each picture.
    pub fn run(&self) -> Result<()> {
        let (_, family, net) = experiment::of_model(&self.model)?;
        let files = self.files()?;
        let weights = crate::pretrained::resolve(&self.weights, None)?;
        let metadata = WeightsMetadata::read(&weights, &self.model)?;
        let model = models::build(&self.model, self.options(&metadata))?;
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
        let evaluation = match self.image_size {
            Some(_) => Transforms::default(),
            None => metadata.evaluation,
        };
        let size = [height, width, channels].map(|size| size as usize);
        let load = |path: &PathBuf| picture::load_as_evaluated(path, &evaluation, size);
        // Broken pictures are told of before anything is computed.
        let pictures = files.iter().map(load).collect::<Result<Vec<Picture>>>()?;
        let names = match net {
            models::ORIGINAL if metadata.class_names.is_empty() => imagenet::class_names(),
            _ => metadata.class_names.clone(),
        };
        let loaded = models::load_weights(&weights, &model.parameters)?;
        loaded.notes.iter().for_each(note);
        let device = self.device.open()?;
        let normalisation = self.normalisation(&metadata, family, &model);
        let batch = files.len().min(BATCH) as u32;
        let predictor = Predictor::new(&device, &model, &loaded.values, normalisation, batch)?;
        for (files, pictures) in files.chunks(BATCH).zip(pictures.chunks(BATCH)) {
            for (file, classes) in files.iter().zip(predictor.predict(pictures)?) {
                self.show(file, &classes, &names)?;
            }
        }
        Ok(())
    }

    /// The pictures that are named, and those in folders that are, in the order of their names.
    fn files(&self) -> Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        for path in &self.images {
            if path.is_dir() {
                files.extend(picture::files_in(path)?);
            } else {
                files.push(path.clone());
            }
        }
        Ok(files)
    }

    fn options(&self, metadata: &WeightsMetadata) -> ModelOptions {
        let options = self.network.options_for(metadata);
        let square = |side| Sample::Image {
            height: side,
            width: side,
            channels: 3,
        };
        ModelOptions {
            sample: self.image_size.map(square).or(metadata.network.sample),
            classes: options.classes.or(metadata.network.classes),
            ..options
        }
    }

    /// As the flag says, or the file of weights, or those who published them.
    fn normalisation(
        &self,
        metadata: &WeightsMetadata,
        family: &str,
        model: &Model,
    ) -> Option<(Vec<f32>, Vec<f32>)> {
        let Sample::Image { channels, .. } = model.sample else {
            return None;
        };
        let published =
            models::is_imagenet_backbone(family).then(|| Normalization::of_backbone(family));
        let named = match self.normalize {
            None if metadata.normalisation.is_some() => None,
            named => named.or(published),
        };
        named
            .and_then(|named| named.of_channels(channels as usize))
            .or_else(|| metadata.normalisation.clone())
    }

    fn show(&self, file: &Path, classes: &[ClassProbability], names: &[String]) -> Result<()> {
        let name = |class: usize| names.get(class).map(String::as_str);
        if self.json {
            let top = classes.iter().take(SHOWN_IN_JSON);
            let top = top.map(|&ClassProbability { class, probability }| Class {
                class,
                name: name(class),
                probability,
            });
            return print_json(&Line {
                file,
                top: top.collect(),
            });
        }
        let shown = classes.iter().take(SHOWN).map(|class| {
            let number = class.class.to_string();
            let name = name(class.class).unwrap_or(&number);
            format!("{name} ({:.2} %)", 100.0 * class.probability)
        });
        let shown: Vec<String> = shown.collect();
        print(format!("{}: {}", file.display(), shown.join(", ")))
    }
}
