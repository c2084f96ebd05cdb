//! What one sample of a data set is.

use crate::plan::{Tape, Tensor};

/// What one sample is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sample {
    /// An image of bytes and a class.
    Image {
        /// Rows of pixels.
        height: u32,
        /// Pixels of a row.
        width: u32,
        /// Values of a pixel.
        channels: u32,
    },
    /// A row of numbers, which a frozen backbone has made of an image, and a class.
    Features {
        /// Numbers given.
        features: u32,
    },
    /// A row of numbers and numbers to predict.
    Row {
        /// Numbers given.
        features: u32,
        /// Numbers to predict.
        targets: u32,
    },
}

impl Sample {
    /// The same image of this height and width, if one is given; rows have none.
    pub fn with_size(self, size: Option<[u32; 2]>) -> Self {
        match (self, size) {
            (Self::Image { channels, .. }, Some([height, width])) => Self::Image {
                height,
                width,
                channels,
            },
            _ => self,
        }
    }

    /// The buffer `input` of a batch that is given, not gathered: images `[N, H, W, C]` or rows `[N, features]`.
    pub fn input(self, tape: &mut Tape, batch: u32) -> Tensor {
        match self {
            Self::Image {
                height,
                width,
                channels,
            } => tape.data("input", [batch, height, width, channels]),
            Self::Features { features } | Self::Row { features, .. } => {
                tape.data("input", [batch, features])
            }
        }
    }
}
