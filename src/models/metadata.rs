//! What a file of weights says about the network it belongs to.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::ModelOptions;
use crate::batch::Sample;
use crate::data::augment::Transforms;
use crate::error::{Error, Result};
use crate::pretrained;

/// The network of a file of weights, and what its inputs were like.
#[derive(Clone, PartialEq, Debug)]
pub struct WeightsMetadata {
    /// The model's name.
    pub model: String,
    /// What was changed about it.
    pub network: ModelOptions,
    /// Mean and standard deviation of each channel that pixels were normalised by, of 1; nothing for rows of numbers.
    pub normalisation: Option<(Vec<f32>, Vec<f32>)>,
    /// What evaluation makes of pictures in files.
    pub evaluation: Transforms,
    /// What the classes are called; empty where nothing tells.
    pub class_names: Vec<String>,
}

impl WeightsMetadata {
    /// The side of the images that the network was given, if they were square.
    pub fn side(&self) -> Option<u32> {
        match self.network.sample {
            Some(Sample::Image { height, width, .. }) if height == width => Some(height),
            _ => None,
        }
    }

    /// The entries of a file.
    pub fn entries(&self) -> BTreeMap<String, String> {
        let mut entries = BTreeMap::from([
            ("model".to_owned(), self.model.clone()),
            ("network".to_owned(), json(&self.network)),
        ]);
        if let Some(normalisation) = &self.normalisation {
            entries.insert("normalisation".to_owned(), json(normalisation));
        }
        if self.evaluation != Transforms::default() {
            entries.insert("evaluation".to_owned(), json(&self.evaluation.to_string()));
        }
        if !self.class_names.is_empty() {
            entries.insert("classes".to_owned(), json(&self.class_names));
        }
        entries
    }

    /// Reads the entries of a file of weights of `model`; what it does not say is as the paper has it.
    ///
    /// # Errors
    /// `Error::File` if the file cannot be read, is of another model, or has an entry that is broken.
    pub fn read(path: &Path, model: &str) -> Result<Self> {
        match Self::read_any(path)? {
            Some(metadata) if metadata.model != model => Err(Error::file(
                path,
                format!(
                    "these are the weights of {}, not of {model}",
                    metadata.model
                ),
                format!("give --model {}, or other weights", metadata.model),
            )),
            Some(metadata) => Ok(metadata),
            None => Ok(Self {
                model: model.to_owned(),
                network: ModelOptions::default(),
                normalisation: None,
                evaluation: Transforms::default(),
                class_names: Vec::new(),
            }),
        }
    }

    /// Reads the entries of a file of weights of whatever model; nothing of a file that another program wrote.
    ///
    /// # Errors
    /// `Error::File` if the file cannot be read, or has an entry that is broken.
    pub fn read_any(path: &Path) -> Result<Option<Self>> {
        let entries = pretrained::metadata(path)?;
        let Some(model) = entries.get("model") else {
            return Ok(None);
        };
        Ok(Some(Self {
            model: model.clone(),
            network: entry(path, &entries, "network")?.unwrap_or_default(),
            normalisation: entry(path, &entries, "normalisation")?,
            evaluation: evaluation(path, &entries)?,
            class_names: entry(path, &entries, "classes")?.unwrap_or_default(),
        }))
    }
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("numbers and names are valid JSON")
}

fn evaluation(path: &Path, entries: &BTreeMap<String, String>) -> Result<Transforms> {
    let Some(text) = entry::<String>(path, entries, "evaluation")? else {
        return Ok(Transforms::default());
    };
    let transforms = text.parse::<Transforms>();
    let are_fixed = |transforms: &Transforms| !transforms.iter().any(|one| one.is_random());
    transforms.ok().filter(are_fixed).ok_or_else(|| {
        Error::file(
            path,
            "its metadata entry evaluation has operations that are not known",
            "use a weights file as the program wrote it",
        )
    })
}

fn entry<T: DeserializeOwned>(
    path: &Path,
    entries: &BTreeMap<String, String>,
    name: &str,
) -> Result<Option<T>> {
    let parse = |json: &String| {
        serde_json::from_str(json).map_err(|error| {
            Error::file(
                path,
                format!("its metadata entry {name} cannot be understood: {error}"),
                "use a weights file as the program wrote it",
            )
        })
    };
    entries.get(name).map(parse).transpose()
}
