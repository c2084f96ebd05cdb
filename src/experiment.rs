//! Experiments: a spinal net and its baseline, with the recipe that the paper trains them by.

use crate::error::{Error, Result};
use crate::recipe::{OptimizerName, Recipe};

/// What an experiment is trained on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DataKind {
    /// Images with classes.
    Images,
    /// The regression tables.
    Regression,
}

/// A set of nets that are compared.
#[derive(Clone, Copy, Debug)]
pub struct Experiment {
    /// Its name.
    pub name: &'static str,
    /// The nets; `spinal` and `baseline` are the pair, the others are variants.
    pub nets: &'static [&'static str],
    /// What they are trained on.
    pub data: DataKind,
    /// How they are trained.
    pub recipe: Recipe,
}

const MNIST_RECIPE: Recipe = Recipe {
    epochs: 8,
    momentum: 0.5,
    ..Recipe::PLAIN
};

/// All experiments.
pub const EXPERIMENTS: &[Experiment] = &[
    Experiment {
        name: "mnist-cnn",
        nets: &["spinal", "baseline", "spinal-w10"],
        data: DataKind::Images,
        recipe: MNIST_RECIPE,
    },
    Experiment {
        name: "mlp",
        nets: &["spinal", "baseline"],
        data: DataKind::Images,
        recipe: MNIST_RECIPE,
    },
    Experiment {
        name: "regression",
        nets: &["spinal", "baseline", "spinal-tied"],
        data: DataKind::Regression,
        recipe: Recipe {
            epochs: 200,
            optimizer: OptimizerName::Adam,
            ..Recipe::PLAIN
        },
    },
];

/// The experiment called `name`.
pub fn find(name: &str) -> Result<&'static Experiment> {
    let found = EXPERIMENTS
        .iter()
        .find(|experiment| experiment.name == name);
    found.ok_or_else(|| {
        let names: Vec<_> = EXPERIMENTS
            .iter()
            .map(|experiment| experiment.name)
            .collect();
        Error::usage(
            format!("there is no experiment `{name}`"),
            format!("choose one of {}", names.join(", ")),
        )
    })
}

impl Experiment {
    /// The nets that `--net` asks for: one by its name, or the pair by `both`.
    pub fn select(&self, net: &str) -> Result<Vec<&'static str>> {
        if net == "both" {
            return Ok(vec!["spinal", "baseline"]);
        }
        let found = self.nets.iter().find(|name| **name == net);
        found.map(|name| vec![*name]).ok_or_else(|| {
            Error::usage(
                format!("--net {net}: {} has no such net", self.name),
                format!("choose both or one of {}", self.nets.join(", ")),
            )
        })
    }

    /// The data set or function it is trained on unless the user names another.
    pub fn default_data(&self) -> &'static str {
        match self.data {
            DataKind::Images => "mnist",
            DataKind::Regression => "sum",
        }
    }
}

/// The name of the model of a net: `EXPERIMENT-NET`.
pub fn model_name(experiment: &str, net: &str) -> String {
    format!("{experiment}-{net}")
}
