//! Experiments: a spinal net and its baseline, with the recipe that the paper trains them by.

mod transfer;

use crate::error::{Error, Result};
use crate::models::{self, HeadOptions};
use crate::recipe::{Recipe, recipes};

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
    /// The family of its networks.
    pub family: &'static str,
    /// The nets.
    pub nets: &'static [&'static str],
    /// The nets that `both` stands for; the first is compared with the second.
    pub pair: &'static [&'static str],
    /// The nets that are trained unless the user says otherwise: `both` or `all`.
    pub default_net: &'static str,
    /// What they are trained on.
    pub data: DataKind,
    /// The data set or function they are trained on unless the user names another.
    pub default_data: &'static str,
    /// What is changed about the heads that the nets have by themselves.
    pub head: HeadOptions,
    /// How they are trained.
    pub recipe: Recipe,
    /// How they are trained on data sets for which the paper has another recipe.
    pub recipes: &'static [(&'static str, Recipe)],
    /// What a reader must know of the authors' script.
    pub caveat: Option<&'static str>,
}

/// An experiment on MNIST by the recipe of PyTorch's example; others are written as what they change about it.
const MNIST: Experiment = Experiment {
    name: "",
    family: "",
    nets: &["spinal", "baseline"],
    pair: &["spinal", "baseline"],
    default_net: "both",
    data: DataKind::Images,
    default_data: "mnist",
    head: HeadOptions::UNCHANGED,
    recipe: recipes::MNIST_CNN,
    recipes: &[],
    caveat: None,
};

/// A pair of CIFAR networks of a family of their own name.
const fn cifar(
    name: &'static str,
    recipe: Recipe,
    recipes: &'static [(&'static str, Recipe)],
) -> Experiment {
    Experiment {
        name,
        family: name,
        default_data: "cifar10",
        recipe,
        recipes,
        ..MNIST
    }
}

/// All experiments.
pub fn all() -> impl Iterator<Item = &'static Experiment> {
    FROM_SCRATCH
        .iter()
        .chain([&transfer::ANY])
        .chain(&transfer::SCRIPTS)
}

/// Those whose networks begin with random weights.
const FROM_SCRATCH: &[Experiment] = &[
    Experiment {
        name: "mnist-cnn",
        family: "mnist-cnn",
        nets: &["spinal", "baseline", "spinal-w10"],
        ..MNIST
    },
    Experiment {
        name: "mnist-cnn-ablations",
        family: "mnist-cnn",
        nets: &[
            "spinal",
            "baseline",
            "baseline-no-dropout",
            "fc-equal",
            "spinal-no-chain",
            "spinal-full-input",
        ],
        default_net: "all",
        ..MNIST
    },
    Experiment {
        name: "arch2",
        family: "arch2",
        nets: &["spinal", "spinal-w50", "spinal-w300"],
        pair: &["spinal"],
        recipe: recipes::ARCH2,
        recipes: recipes::ARCH2_OTHERS,
        ..MNIST
    },
    Experiment {
        name: "vgg5",
        family: "vgg5",
        recipe: recipes::VGG5,
        recipes: &[("fashion-mnist", recipes::VGG5_FASHION)],
        ..MNIST
    },
    cifar(
        "cifar-cnn",
        recipes::CIFAR10_CNN,
        &[("cifar100", recipes::CIFAR100_CNN)],
    ),
    cifar("cifar-vgg11", recipes::CIFAR10_VGG, CIFAR100_VGG),
    cifar("cifar-vgg13", recipes::CIFAR10_VGG, CIFAR100_VGG),
    cifar("cifar-vgg16", recipes::CIFAR10_VGG, CIFAR100_VGG),
    cifar("cifar-vgg19", recipes::CIFAR10_VGG, CIFAR100_VGG),
    cifar("cifar-resnet18", recipes::CIFAR_RESNET, &[]),
    cifar("cifar-resnet34", recipes::CIFAR_RESNET, &[]),
    cifar("wrn-28-10", recipes::WIDE_RESNET, &[]),
    cifar("wrn-16-8", recipes::WIDE_RESNET, &[]),
    Experiment {
        name: "mlp",
        family: "mlp",
        ..MNIST
    },
    Experiment {
        name: "custom",
        family: "custom",
        ..MNIST
    },
    REGRESSION,
    Experiment {
        name: "regression-ablations",
        default_net: "all",
        ..REGRESSION
    },
];

const CIFAR100_VGG: &[(&str, Recipe)] = &[("cifar100", recipes::CIFAR100_VGG)];

const REGRESSION: Experiment = Experiment {
    name: "regression",
    family: "regression",
    nets: &["spinal", "baseline", "spinal-tied"],
    data: DataKind::Regression,
    default_data: "sum",
    recipe: recipes::REGRESSION,
    ..MNIST
};

/// The experiment called `name`.
pub fn find(name: &str) -> Result<&'static Experiment> {
    all()
        .find(|experiment| experiment.name == name)
        .ok_or_else(|| {
            let names: Vec<_> = all().map(|experiment| experiment.name).collect();
            Error::usage(
                format!("there is no experiment `{name}`"),
                format!("choose one of {}", names.join(", ")),
            )
        })
}

/// The first experiment that has the model called `name`, the family of the model, and the net that it is there.
pub fn of_model(name: &str) -> Result<(&'static Experiment, &'static str, &'static str)> {
    let candidates = FROM_SCRATCH.iter().flat_map(|experiment| {
        let nets = experiment.nets.iter();
        nets.map(move |&net| (experiment, experiment.family, net))
    });
    let backbones = models::imagenet_backbones().flat_map(|backbone| {
        let nets = transfer::ANY.nets.iter().chain(&[models::ORIGINAL]);
        nets.map(move |&net| (&transfer::ANY, backbone, net))
    });
    let mut found = candidates
        .chain(backbones)
        .filter(|(_, family, net)| format!("{family}-{net}") == name);
    found
        .next()
        .ok_or_else(|| models::unknown(format!("--model {name}: there is no such network"), name))
}

impl Experiment {
    /// Whether its backbone begins with published weights, and may be another one.
    pub fn is_transfer(&self) -> bool {
        models::is_imagenet_backbone(self.family)
    }

    /// The nets that `--net` asks for: some by their names, the pair by `both`, or all.
    pub fn select(&self, nets: &str) -> Result<Vec<&'static str>> {
        match nets {
            "both" => return Ok(self.pair.to_vec()),
            "all" => return Ok(self.nets.to_vec()),
            _ => {}
        }
        let refuse = |what: String| {
            Error::usage(
                what,
                format!(
                    "choose both, all or some of {}, with commas between",
                    self.nets.join(", ")
                ),
            )
        };
        let mut selected = Vec::new();
        for net in nets.split(',') {
            let found = self.nets.iter().find(|name| **name == net);
            let found = found
                .ok_or_else(|| refuse(format!("--net {net}: {} has no such net", self.name)))?;
            if selected.contains(found) {
                return Err(refuse(format!("--net {nets}: {net} is named twice")));
            }
            selected.push(*found);
        }
        Ok(selected)
    }

    /// How its nets are trained on a data set.
    pub fn recipe_on(&self, data: &str) -> &Recipe {
        let other = self.recipes.iter().find(|(name, _)| *name == data);
        other.map_or(&self.recipe, |(_, recipe)| recipe)
    }
}
