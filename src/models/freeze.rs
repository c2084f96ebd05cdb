//! What of a network is trained: transferred initialisation trains all of it, classic transfer learning the head alone (paper.md
//! 1.6).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::Model;
use crate::error::{Error, Result};

/// The layers that stay as they are. They evaluate while the others train: without dropout, and normalised by running
/// statistics.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Freeze {
    /// None.
    #[default]
    None,
    /// All but the head.
    Backbone,
    /// All up to this one, and it.
    Until(String),
}

const UNTIL: &str = "until:";

impl FromStr for Freeze {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "none" => Ok(Self::None),
            "backbone" => Ok(Self::Backbone),
            _ => match text.strip_prefix(UNTIL) {
                Some(layer) if !layer.is_empty() => Ok(Self::Until(layer.to_owned())),
                _ => Err(Error::usage(
                    format!("--freeze {text}: there is no such choice"),
                    "choose none, backbone or until:LAYER, such as until:layer2",
                )),
            },
        }
    }
}

impl fmt::Display for Freeze {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Backbone => f.write_str("backbone"),
            Self::Until(layer) => write!(f, "{UNTIL}{layer}"),
        }
    }
}

impl Serialize for Freeze {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Freeze {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl Model {
    /// Freezes layers, and multiplies the learning rate of those of the backbone that are trained.
    ///
    /// # Errors
    /// `Error::Usage` if the network has no backbone, or no such layer in it.
    pub fn freeze(&mut self, freeze: &Freeze, rate_of_backbone: f64) -> Result<()> {
        if *freeze == Freeze::None && rate_of_backbone == 1.0 {
            return Ok(());
        }
        if self.head.layer == 0 {
            return Err(Error::usage(
                format!("--freeze, --lr-backbone: {} has no backbone", self.name),
                "leave it out, or choose a network with convolutions",
            ));
        }
        let (layers, parameters) = match freeze {
            Freeze::None => (0, 0),
            Freeze::Backbone => (self.head.layer, self.head.parameter),
            Freeze::Until(layer) => self.until(layer)?,
        };
        self.frozen = layers;
        let names: Vec<String> = self.parameters.specs()[..self.head.parameter]
            .iter()
            .map(|spec| spec.name.clone())
            .collect();
        let (frozen, trained) = names.split_at(parameters);
        self.parameters
            .set_rate(rate_of_backbone, |spec| trained.contains(&spec.name));
        self.parameters
            .set_rate(0.0, |spec| frozen.contains(&spec.name));
        Ok(())
    }

    /// Layers and parameters up to the end of `layer`, which may stand for several: `layer2` for `layer2.0` and `layer2.1`.
    fn until(&self, layer: &str) -> Result<(usize, usize)> {
        let is_part = |name: &str| {
            let rest = name.strip_prefix(layer);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        let backbone: Vec<&str> = self.layers.names().take(self.head.layer).collect();
        let layers = backbone.iter().rposition(|name| is_part(name));
        let specs = &self.parameters.specs()[..self.head.parameter];
        let parameters = specs.iter().rposition(|spec| is_part(&spec.name));
        match (layers, parameters) {
            (Some(layers), Some(parameters)) => Ok((layers + 1, parameters + 1)),
            _ => {
                let has_parameters = |layer: &&&str| {
                    let mut names = specs.iter().map(|spec| spec.name.as_str());
                    names.any(|name| name.starts_with(&format!("{layer}.")))
                };
                let layers: Vec<&str> = backbone.iter().filter(has_parameters).copied().collect();
                Err(Error::usage(
                    format!("--freeze until:{layer}: {} has no such layer", self.name),
                    format!("choose one of {}", layers.join(", ")),
                ))
            }
        }
    }
}
