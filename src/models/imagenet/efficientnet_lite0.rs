//! EfficientNet-Lite0 (Google, 2020; after arXiv 1905.11946): EfficientNet-B0 without squeeze-and-excitation, with ReLU6 instead
//! of Swish, padded as TensorFlow pads. Names and sizes are those of timm's `tf_efficientnet_lite0`.

use crate::error::Result;
use crate::layers::{Activation, Residual, Sequential};
use crate::models::backbone::Backbone;
use crate::models::init::he_convolutions;
use crate::plan::{Init, Parameters};

/// Added to variances: TensorFlow's default.
const EPS: f64 = 1e-3;

/// Blocks of a stage, the channels they widen to, their kernel, the stride of the first, and the channels they leave.
struct Stage {
    blocks: u32,
    expansion: u32,
    kernel: u32,
    stride: u32,
    channels: u32,
}

const fn stage(blocks: u32, expansion: u32, kernel: u32, stride: u32, channels: u32) -> Stage {
    Stage {
        blocks,
        expansion,
        kernel,
        stride,
        channels,
    }
}

const STAGES: [Stage; 7] = [
    stage(1, 1, 3, 1, 16),
    stage(2, 6, 3, 2, 24),
    stage(2, 6, 5, 2, 40),
    stage(3, 6, 3, 2, 80),
    stage(3, 6, 5, 1, 112),
    stage(4, 6, 5, 2, 192),
    stage(1, 6, 3, 1, 320),
];

/// Appends all layers up to the global mean.
pub(super) fn push(backbone: &mut Backbone) -> Result<()> {
    let conv = backbone.same_convolution("conv_stem", 32, 2, 3, 1)?;
    backbone.push("conv_stem", conv);
    let norm = backbone.norm("bn1", Activation::Relu6).with_eps(EPS);
    backbone.push("bn1", norm);
    for (number, stage) in STAGES.iter().enumerate() {
        for index in 0..stage.blocks {
            block(backbone, &format!("blocks.{number}.{index}"), stage, index)?;
        }
    }
    let conv = backbone.same_convolution("conv_head", 1280, 1, 1, 1)?;
    backbone.push("conv_head", conv);
    let norm = backbone.norm("bn2", Activation::Relu6).with_eps(EPS);
    backbone.push("bn2", norm);
    backbone.average("global_pool", [1, 1]);
    Ok(())
}

/// He initialisation over the outputs of a group, as timm and TensorFlow have it.
pub(super) fn initialize(parameters: &mut Parameters) {
    he_convolutions(parameters);
    parameters.reinitialize(|spec| match spec.shape[..] {
        [_, 1, height, width] => Some(Init::NormalFanOut((height * width) as u32)),
        _ => None,
    });
}

/// An inverted residual block: 1 x 1 to more channels, depthwise, and 1 x 1 to fewer without activation; beside x where that has
/// the same size. The first stage does not widen.
fn block(backbone: &mut Backbone, name: &str, stage: &Stage, index: u32) -> Result<()> {
    let before = backbone.size;
    let stride = if index == 0 { stage.stride } else { 1 };
    let wide = before[2] * stage.expansion;
    let mut parts = Parts {
        backbone,
        block: name,
        layers: Sequential::default(),
        norms: 0,
    };
    if stage.expansion == 1 {
        parts.push("conv_dw", [wide, stride, stage.kernel, wide])?;
        parts.push("conv_pw", [stage.channels, 1, 1, 1])?;
    } else {
        parts.push("conv_pw", [wide, 1, 1, 1])?;
        parts.push("conv_dw", [wide, stride, stage.kernel, wide])?;
        parts.push("conv_pwl", [stage.channels, 1, 1, 1])?;
    }
    let main = parts.layers;
    if backbone.size == before {
        let residual = Residual {
            main,
            shortcut: Sequential::default(),
            activation: Activation::Identity,
        };
        backbone.push(name, residual);
    } else {
        backbone.push(name, main);
    }
    Ok(())
}

/// The layers of a block in the making.
struct Parts<'a> {
    backbone: &'a mut Backbone,
    block: &'a str,
    layers: Sequential,
    norms: u32,
}

impl Parts<'_> {
    /// Appends a convolution of so many channels, stride, kernel and groups, and its normalisation; the last convolution of a
    /// block, which leaves fewer channels, has no activation.
    fn push(&mut self, name: &str, sizes: [u32; 4]) -> Result<()> {
        let [channels, stride, kernel, groups] = sizes;
        let part = format!("{}.{name}", self.block);
        let narrows = channels < self.backbone.size[2];
        let conv = self
            .backbone
            .same_convolution(&part, channels, stride, kernel, groups)?;
        self.layers.push(name, conv);
        self.norms += 1;
        let norm = format!("bn{}", self.norms);
        let activation = match narrows {
            true => Activation::Identity,
            false => Activation::Relu6,
        };
        let layer = self
            .backbone
            .norm(&format!("{}.{norm}", self.block), activation)
            .with_eps(EPS);
        self.layers.push(norm, layer);
        Ok(())
    }
}
