//! The classifiers that backbones were trained on ImageNet with, under torchvision's names.

use crate::layers::{Activation, Dropout, Granularity, Linear, Sequential};
use crate::plan::Parameters;

/// A classifier.
#[derive(Clone, Copy)]
pub(super) enum Classifier {
    /// One Linear of this name.
    Linear(&'static str),
    /// Several layers, numbered as torchvision's `classifier`.
    Layers(&'static [Part]),
}

/// A layer of a classifier.
#[derive(Clone, Copy)]
pub(super) enum Part {
    /// A Linear to 4096 units.
    Hidden,
    /// A Linear to the classes.
    Output,
    Relu,
    /// Dropout of half of the units.
    Dropout,
}

use Part::{Hidden, Output, Relu};

const UNITS: u32 = 4096;

impl Classifier {
    /// That of AlexNet.
    pub(super) const ALEXNET: Self = Self::Layers(&[
        Part::Dropout,
        Hidden,
        Relu,
        Part::Dropout,
        Hidden,
        Relu,
        Output,
    ]);

    /// That of VGG.
    pub(super) const VGG: Self = Self::Layers(&[
        Hidden,
        Relu,
        Part::Dropout,
        Hidden,
        Relu,
        Part::Dropout,
        Output,
    ]);

    /// Appends it to a net of so many features, for so many classes.
    pub(super) fn push(
        self,
        parameters: &mut Parameters,
        layers: &mut Sequential,
        [mut features, classes]: [u32; 2],
        no_dropout: bool,
    ) {
        let parts = match self {
            Self::Linear(name) => {
                layers.push(name, Linear::new(parameters, name, features, classes));
                return;
            }
            Self::Layers(parts) => parts,
        };
        for (number, part) in parts.iter().enumerate() {
            let name = format!("classifier.{number}");
            match part {
                Part::Hidden | Part::Output => {
                    let outputs = match part {
                        Part::Hidden => UNITS,
                        _ => classes,
                    };
                    let linear = Linear::new(parameters, &name, features, outputs);
                    layers.push(name, linear);
                    features = outputs;
                }
                Part::Relu => layers.push(name, Activation::Relu),
                Part::Dropout if no_dropout => {}
                Part::Dropout => layers.push(name, Dropout::new(0.5, Granularity::Element)),
            }
        }
    }
}
