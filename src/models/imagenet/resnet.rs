//! ResNet (He et al., arXiv 1512.03385), wide ResNet (arXiv 1605.07146) and ResNeXt (arXiv 1611.05431) as torchvision builds
//! them: the stride of a bottleneck is in its 3 x 3 convolution.

use crate::error::Result;
use crate::layers::{Activation, MaxPool2d, Residual, Sequential};
use crate::models::backbone::Backbone;

/// The sizes of one of them.
#[derive(Clone, Copy)]
pub(super) struct ResNet {
    block: Block,
    /// Blocks of each stage.
    blocks: [u32; 4],
    /// Groups of the 3 x 3 convolution of a bottleneck.
    groups: u32,
    /// Channels of a group in the first stage.
    group_width: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Block {
    /// Two 3 x 3 convolutions.
    Basic,
    /// 1 x 1 to fewer channels, 3 x 3, and 1 x 1 to four times as many as a basic block has.
    Bottleneck,
}

impl ResNet {
    const fn new(block: Block, blocks: [u32; 4]) -> Self {
        Self {
            block,
            blocks,
            groups: 1,
            group_width: 64,
        }
    }

    pub(super) const R18: Self = Self::new(Block::Basic, [2, 2, 2, 2]);
    pub(super) const R34: Self = Self::new(Block::Basic, [3, 4, 6, 3]);
    pub(super) const R50: Self = Self::new(Block::Bottleneck, [3, 4, 6, 3]);
    pub(super) const R101: Self = Self::new(Block::Bottleneck, [3, 4, 23, 3]);
    pub(super) const R152: Self = Self::new(Block::Bottleneck, [3, 8, 36, 3]);
    pub(super) const WIDE50_2: Self = Self {
        group_width: 128,
        ..Self::R50
    };
    pub(super) const WIDE101_2: Self = Self {
        group_width: 128,
        ..Self::R101
    };
    pub(super) const NEXT50_32X4D: Self = Self {
        groups: 32,
        group_width: 4,
        ..Self::R50
    };

    /// Appends all layers up to the global mean.
    pub(super) fn push(self, backbone: &mut Backbone) -> Result<()> {
        let conv = backbone.plain_convolution("conv1", 64, 2, 7)?;
        backbone.push("conv1", conv);
        let norm = backbone.norm("bn1", Activation::Relu);
        backbone.push("bn1", norm);
        let overlapping = MaxPool2d {
            window: [3, 3],
            stride: [2, 2],
            padding: [1, 1],
        };
        backbone.pool("maxpool", overlapping)?;
        for (stage, blocks) in (1..).zip(self.blocks) {
            for index in 0..blocks {
                let stride = if stage > 1 && index == 0 { 2 } else { 1 };
                let name = format!("layer{stage}.{index}");
                let block = self.block(backbone, &name, 32 << stage, stride)?;
                backbone.push(&name, block);
            }
        }
        backbone.average("avgpool", [1, 1]);
        Ok(())
    }

    /// A block of `planes` channels in its inner convolutions, were it a basic one.
    fn block(
        self,
        backbone: &mut Backbone,
        name: &str,
        planes: u32,
        stride: u32,
    ) -> Result<Residual> {
        let width = planes * self.group_width / 64 * self.groups;
        // Channels, stride, kernel and groups.
        let (convolutions, out) = match self.block {
            Block::Basic => (vec![(planes, stride, 3, 1), (planes, 1, 3, 1)], planes),
            Block::Bottleneck => (
                vec![
                    (width, 1, 1, 1),
                    (width, stride, 3, self.groups),
                    (4 * planes, 1, 1, 1),
                ],
                4 * planes,
            ),
        };
        let before = backbone.size;
        let mut main = Sequential::default();
        let last = convolutions.len();
        for (number, (channels, stride, kernel, groups)) in (1..).zip(convolutions) {
            let conv = backbone.grouped_convolution(
                &format!("{name}.conv{number}"),
                channels,
                stride,
                kernel,
                groups,
            )?;
            main.push(format!("conv{number}"), conv);
            let activation = match number == last {
                true => Activation::Identity,
                false => Activation::Relu,
            };
            let norm = backbone.norm(&format!("{name}.bn{number}"), activation);
            main.push(format!("bn{number}"), norm);
        }
        let mut shortcut = Sequential::default();
        if stride != 1 || before[2] != out {
            let part = format!("{name}.downsample.0");
            let conv = backbone.shortcut_convolution(&part, before, stride, 1)?;
            shortcut.push("downsample.0", conv);
            let norm = backbone.norm(&format!("{name}.downsample.1"), Activation::Identity);
            shortcut.push("downsample.1", norm);
        }
        Ok(Residual {
            main,
            shortcut,
            activation: Activation::Relu,
        })
    }
}
