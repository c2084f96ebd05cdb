//! Transferred initialisation: a backbone that begins with ImageNet's weights under a new head (paper.md 1.6, 2.8).

use super::{Experiment, MNIST};
use crate::recipe::recipes;

/// Any backbone on any pictures.
pub(super) const ANY: Experiment = Experiment {
    name: "transfer",
    family: "resnet18",
    nets: &[
        "spinal",
        "baseline",
        "spinal-bn",
        "spinal-affine",
        "fc",
        "original",
    ],
    default_data: "hymenoptera",
    recipe: recipes::TRANSFER,
    ..MNIST
};
