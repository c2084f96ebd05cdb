//! AlexNet (Krizhevsky, arXiv 1404.5997) as torchvision builds it.

use crate::error::Result;
use crate::layers::{Activation, Conv2dOptions, ConvBlock, MaxPool2d};
use crate::models::backbone::Backbone;

/// Number of a convolution among torchvision's features, its channels, kernel, stride and padding, and whether pooling follows.
type Convolution = (u32, u32, u32, u32, u32, bool);

const CONVOLUTIONS: [Convolution; 5] = [
    (0, 64, 11, 4, 2, true),
    (3, 192, 5, 1, 2, true),
    (6, 384, 3, 1, 1, false),
    (8, 256, 3, 1, 1, false),
    (10, 256, 3, 1, 1, true),
];

/// Appends all layers up to the mean over 6 x 6 windows.
pub(super) fn push(backbone: &mut Backbone) -> Result<()> {
    for (number, channels, kernel, stride, padding, pooled) in CONVOLUTIONS {
        let name = format!("features.{number}");
        let padded = |conv| Conv2dOptions {
            stride: [stride; 2],
            padding: [padding; 2],
            padding_end: [padding; 2],
            ..conv
        };
        let conv = backbone.convolution(&name, channels, padded, kernel)?;
        let block = ConvBlock {
            conv,
            pool: [1, 1],
            activation: Activation::Relu,
        };
        backbone.push(&name, block);
        if pooled {
            let overlapping = MaxPool2d {
                window: [3, 3],
                stride: [2, 2],
                padding: [0, 0],
            };
            backbone.pool(&format!("features.{}", number + 2), overlapping)?;
        }
    }
    backbone.average("avgpool", [6, 6]);
    Ok(())
}
