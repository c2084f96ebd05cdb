//! VGG (Simonyan and Zisserman, arXiv 1409.1556) as torchvision builds it, with and without batch normalisation.

use crate::error::Result;
use crate::layers::{Activation, ConvBlock};
use crate::models::backbone::Backbone;

/// Channels of the convolutions between one pooling and the next.
type Blocks = [&'static [u32]; 5];

/// The sizes of one of them.
#[derive(Clone, Copy)]
pub(super) struct Vgg {
    blocks: Blocks,
    batch_norm: bool,
}

impl Vgg {
    const fn new(blocks: Blocks) -> Self {
        Self {
            blocks,
            batch_norm: false,
        }
    }

    pub(super) const V11: Self = Self::new([&[64], &[128], &[256; 2], &[512; 2], &[512; 2]]);
    pub(super) const V13: Self = Self::new([&[64; 2], &[128; 2], &[256; 2], &[512; 2], &[512; 2]]);
    pub(super) const V16: Self = Self::new([&[64; 2], &[128; 2], &[256; 3], &[512; 3], &[512; 3]]);
    pub(super) const V19: Self = Self::new([&[64; 2], &[128; 2], &[256; 4], &[512; 4], &[512; 4]]);

    /// The same with batch normalisation behind every convolution.
    pub(super) const fn with_batch_norm(self) -> Self {
        Self {
            batch_norm: true,
            ..self
        }
    }

    /// Appends all layers up to the mean over 7 x 7 windows.
    pub(super) fn push(self, backbone: &mut Backbone) -> Result<()> {
        let mut number = 0;
        for block in self.blocks {
            for (index, &channels) in (1..).zip(block) {
                let is_last = index == block.len();
                let window = if is_last { [2, 2] } else { [1, 1] };
                number += self.convolution(backbone, number, channels, window)?;
            }
            // The pooling has a number, too.
            number += 1;
        }
        backbone.average("avgpool", [7, 7]);
        Ok(())
    }

    /// Appends convolution, normalisation, ReLU and pooling as number `number`; returns how many numbers they take.
    fn convolution(
        self,
        backbone: &mut Backbone,
        number: u32,
        channels: u32,
        window: [u32; 2],
    ) -> Result<u32> {
        let name = format!("features.{number}");
        let conv = backbone.padded_convolution(&name, channels)?;
        backbone.shrink(window)?;
        if self.batch_norm {
            backbone.push(&name, conv);
            let name = format!("features.{}", number + 1);
            let norm = backbone.norm(&name, Activation::Relu).pooled(window);
            backbone.push(&name, norm);
            return Ok(3);
        }
        let block = ConvBlock {
            conv,
            pool: window,
            activation: Activation::Relu,
        };
        backbone.push(&name, block);
        Ok(2)
    }
}
