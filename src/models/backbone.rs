//! Backbones, written down layer by layer: each step knows the size of the image so far.

use super::ModelOptions;
use crate::batch::Sample;
use crate::error::{Error, Result};
use crate::layers::{
    Activation, AvgPool2d, BatchNorm, Conv2d, Conv2dOptions, ConvBlock, Dropout, Flatten,
    Granularity, Layer, MaxPool2d, Sequential,
};
use crate::plan::Parameters;

/// Values of the largest image in a network: 2 GiB, the most that a binding has anywhere.
const MOST_VALUES: u64 = 1 << 29;

/// A backbone in the making.
pub struct Backbone {
    /// The parameters so far.
    pub parameters: Parameters,
    /// The layers so far.
    pub net: Sequential,
    /// What a sample is.
    pub sample: Sample,
    /// Rows, columns and channels of the image so far.
    pub size: [u32; 3],
    no_dropout: bool,
    frozen_statistics: bool,
}

impl Backbone {
    /// Begins with the images that the options name, or the paper's.
    ///
    /// # Errors
    /// Samples that are no images.
    pub fn on_images(options: &ModelOptions, paper: [u32; 3]) -> Result<Self> {
        let [height, width, channels] = paper;
        let sample = options.sample.unwrap_or(Sample::Image {
            height,
            width,
            channels,
        });
        let Sample::Image {
            height,
            width,
            channels,
        } = sample
        else {
            return Err(Error::usage(
                "this network takes images, and the data set has rows of numbers",
                "choose another --data, or the experiment regression",
            ));
        };
        let backbone = Self {
            parameters: Parameters::default(),
            net: Sequential::default(),
            sample,
            size: [height, width, channels],
            no_dropout: options.no_dropout,
            frozen_statistics: options.frozen_statistics,
        };
        backbone.check_indices()?;
        Ok(backbone)
    }

    /// Refuses an image that no adapter binds.
    fn check_indices(&self) -> Result<()> {
        let [height, width, channels] = self.size;
        let values: u64 = self.size.iter().map(|&size| u64::from(size)).product();
        if values <= MOST_VALUES {
            return Ok(());
        }
        Err(Error::usage(
            format!(
                "an image of {height} x {width} x {channels} in the network has {values} values, of {MOST_VALUES} at most"
            ),
            "use smaller pictures, or a smaller --image-size",
        ))
    }

    /// Appends a layer that leaves the size as it is.
    pub fn push(&mut self, name: &str, layer: impl Layer + 'static) {
        self.net.push(name, layer);
    }

    /// Adds a convolution of this backbone's parameters and goes over to its output size.
    ///
    /// # Errors
    /// An image that is smaller than the kernel.
    pub fn convolution(
        &mut self,
        name: &str,
        out_channels: u32,
        change: impl FnOnce(Conv2dOptions) -> Conv2dOptions,
        kernel_size: u32,
    ) -> Result<Conv2d> {
        let [height, width, channels] = self.size;
        let options = change(Conv2dOptions::square(channels, out_channels, kernel_size));
        let size = (options.out_size(0, height), options.out_size(1, width));
        let (Some(height), Some(width)) = size else {
            return Err(self.too_small());
        };
        self.size = [height, width, out_channels];
        self.check_indices()?;
        Ok(Conv2d::new(&mut self.parameters, name, options))
    }

    /// Adds a convolution without bias, padded so that only the stride makes the image smaller.
    ///
    /// # Errors
    /// An image that is smaller than the kernel.
    pub fn plain_convolution(
        &mut self,
        name: &str,
        out_channels: u32,
        stride: u32,
        kernel_size: u32,
    ) -> Result<Conv2d> {
        self.grouped_convolution(name, out_channels, stride, kernel_size, 1)
    }

    /// The same, channels in groups that do not see each other.
    ///
    /// # Errors
    /// An image that is smaller than the kernel.
    pub fn grouped_convolution(
        &mut self,
        name: &str,
        out_channels: u32,
        stride: u32,
        kernel_size: u32,
        groups: u32,
    ) -> Result<Conv2d> {
        let plain = |conv: Conv2dOptions| Conv2dOptions {
            stride: [stride; 2],
            padding: conv.kernel_size.map(|size| size / 2),
            padding_end: conv.kernel_size.map(|size| size / 2),
            groups,
            bias: false,
            ..conv
        };
        self.convolution(name, out_channels, plain, kernel_size)
    }

    /// The same, padded as TensorFlow's `SAME`: by as little as makes y as large as x divided by the stride, more of it below
    /// and to the right where it is odd.
    ///
    /// # Errors
    /// An image that no adapter binds.
    pub fn same_convolution(
        &mut self,
        name: &str,
        out_channels: u32,
        stride: u32,
        kernel_size: u32,
        groups: u32,
    ) -> Result<Conv2d> {
        let [height, width, _] = self.size;
        let padding = [height, width].map(|size| {
            let covered = (size.div_ceil(stride) - 1) * stride + kernel_size;
            covered.saturating_sub(size)
        });
        let padded = |conv: Conv2dOptions| Conv2dOptions {
            stride: [stride; 2],
            padding: padding.map(|rows| rows / 2),
            padding_end: padding.map(|rows| rows.div_ceil(2)),
            groups,
            bias: false,
            ..conv
        };
        self.convolution(name, out_channels, padded, kernel_size)
    }

    /// Adds a convolution 3 x 3 with padding 1 and bias.
    ///
    /// # Errors
    /// An image that no adapter binds.
    pub fn padded_convolution(&mut self, name: &str, out_channels: u32) -> Result<Conv2d> {
        self.convolution(name, out_channels, same, 3)
    }

    /// Adds the normalisation of the channels so far.
    pub fn norm(&mut self, name: &str, activation: Activation) -> BatchNorm {
        let norm = BatchNorm::new(&mut self.parameters, name, self.size[2], activation);
        match self.frozen_statistics {
            true => norm.frozen(),
            false => norm,
        }
    }

    /// Adds the plain convolution of a shortcut, from an image of the size `before` to one of the size that the main way has
    /// reached by now.
    ///
    /// # Errors
    /// An image that is smaller than the kernel.
    pub fn shortcut_convolution(
        &mut self,
        name: &str,
        before: [u32; 3],
        stride: u32,
        kernel_size: u32,
    ) -> Result<Conv2d> {
        let after = std::mem::replace(&mut self.size, before);
        let conv = self.plain_convolution(name, after[2], stride, kernel_size)?;
        assert_eq!(self.size, after, "both ways lead to one size");
        Ok(conv)
    }

    /// Convolution 5 x 5 without padding, max pooling 2 x 2, ReLU.
    pub fn conv5_pool_relu(&mut self, name: &str, out_channels: u32) -> Result<ConvBlock> {
        let conv = self.convolution(name, out_channels, |options| options, 5)?;
        self.shrink([2, 2])?;
        Ok(ConvBlock {
            conv,
            pool: [2, 2],
            activation: Activation::Relu,
        })
    }

    /// Appends convolution 3 x 3 with padding 1 and bias, BatchNorm, ReLU, max pooling over windows side by side (1 x 1 for
    /// none): `convN`, `bnN`.
    pub fn conv3_bn_relu(
        &mut self,
        number: u32,
        out_channels: u32,
        window: [u32; 2],
    ) -> Result<()> {
        let conv = self.convolution(&format!("conv{number}"), out_channels, same, 3)?;
        self.push(&format!("conv{number}"), conv);
        let name = format!("bn{number}");
        let norm = BatchNorm::new(&mut self.parameters, &name, out_channels, Activation::Relu);
        self.shrink(window)?;
        self.push(&name, norm.pooled(window));
        Ok(())
    }

    /// Appends convolution 3 x 3 with padding 1 and bias, and ReLU: `convN`.
    pub fn conv3_relu(&mut self, number: u32, out_channels: u32) -> Result<()> {
        let name = format!("conv{number}");
        let conv = self.convolution(&name, out_channels, same, 3)?;
        let block = ConvBlock {
            conv,
            pool: [1, 1],
            activation: Activation::Relu,
        };
        self.push(&name, block);
        Ok(())
    }

    /// Appends max pooling over windows side by side.
    pub fn max_pool(&mut self, name: &str, window: [u32; 2]) -> Result<()> {
        self.shrink(window)?;
        self.push(name, MaxPool2d::side_by_side(window));
        Ok(())
    }

    /// Appends max pooling of any kind.
    ///
    /// # Errors
    /// An image that is smaller than the window.
    pub fn pool(&mut self, name: &str, pool: MaxPool2d) -> Result<()> {
        let [height, width, channels] = self.size;
        let size = (pool.out_size(0, height), pool.out_size(1, width));
        let (Some(height), Some(width)) = size else {
            return Err(self.too_small());
        };
        self.size = [height, width, channels];
        self.push(name, pool);
        Ok(())
    }

    /// Appends the means of `out` windows that cover the image, unless it has that size already.
    pub fn average(&mut self, name: &str, out: [u32; 2]) {
        let [height, width, channels] = self.size;
        if [height, width] != out {
            self.push(name, AvgPool2d { out });
            self.size = [out[0], out[1], channels];
        }
    }

    /// Appends dropout of whole channels.
    pub fn dropout2d(&mut self, name: &str, probability: f64) {
        if !self.no_dropout {
            self.push(name, Dropout::new(probability, Granularity::Channel));
        }
    }

    /// Appends the flattening in PyTorch's order; returns the number of features.
    pub fn flatten(&mut self) -> u32 {
        self.push("flatten", Flatten);
        self.size.iter().product()
    }

    /// Goes over to the size behind pooling over windows side by side.
    ///
    /// # Errors
    /// An image that is smaller than the window.
    pub fn shrink(&mut self, window: [u32; 2]) -> Result<()> {
        let [height, width, channels] = self.size;
        self.size = [height / window[0], width / window[1], channels];
        if self.size.contains(&0) {
            return Err(self.too_small());
        }
        Ok(())
    }

    fn too_small(&self) -> Error {
        let Sample::Image { height, width, .. } = self.sample else {
            unreachable!("a backbone is built on images")
        };
        Error::usage(
            format!("images of {height}x{width} are too small for this network's pooling"),
            "choose a data set with larger images, or give --image-size",
        )
    }
}

/// Padding that keeps the size of a 3 x 3 convolution with stride 1.
fn same(options: Conv2dOptions) -> Conv2dOptions {
    Conv2dOptions {
        padding: [1, 1],
        padding_end: [1, 1],
        ..options
    }
}
