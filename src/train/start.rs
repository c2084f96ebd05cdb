//! The weights that the nets of a training begin with.

use super::config::Config;
use crate::checkpoint::NamedTensor;
use crate::error::{Error, Result};
use crate::models::{self, Model};
use crate::plan::Values;
use crate::pretrained;

/// What weights are read from files for the nets of a training; all others are drawn.
#[derive(Default)]
pub(super) struct Start {
    seed: u64,
    /// Of the one net, all of them.
    whole: Option<Values>,
    /// Of every net, those of its backbone.
    backbone: Vec<NamedTensor>,
    /// What there is to tell of the files, a line each.
    pub notes: Vec<String>,
}

impl Start {
    /// Reads the files that `config` names for `models`, which have one backbone.
    ///
    /// # Errors
    /// `Error::File` if a file cannot be read or is not of these networks, `Error::Usage` if they have no backbone.
    pub fn read(config: &Config, models: &[Model]) -> Result<Self> {
        let mut start = Self {
            seed: config.seed,
            ..Self::default()
        };
        if let (Some(path), Some(model)) = (&config.init, models.first()) {
            let loaded = models::load_weights(path, &model.parameters)?;
            (start.whole, start.notes) = (Some(loaded.values), loaded.notes);
        }
        let Some(path) = &config.weights else {
            return Ok(start);
        };
        let largest = models.iter().max_by_key(|model| model.pretrained().len());
        let expected = largest.map(Model::pretrained).unwrap_or_default();
        if expected.is_empty() {
            return Err(Error::usage(
                format!(
                    "--weights: {} has no backbone to begin with",
                    config.experiment
                ),
                "leave it out, or give --init with all weights of a net",
            ));
        }
        let file = pretrained::read(path)?;
        let selection = pretrained::select(file, &expected, models::HEADS)?;
        start.backbone = selection.tensors;
        start.notes.extend(selection.notes);
        Ok(start)
    }

    /// The first weights of a net.
    pub fn values(&self, model: &Model) -> Values {
        if let Some(values) = &self.whole {
            return values.clone();
        }
        let mut values = models::initial_values(&model.parameters, self.seed);
        let own = model.pretrained().len();
        for (spec, tensor) in model.parameters.specs()[..own].iter().zip(&self.backbone) {
            values.set(spec, &tensor.values);
        }
        values
    }
}
