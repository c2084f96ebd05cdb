//! Two-dimensional convolution.

mod algorithm;
mod method;
mod tiled;
mod winograd;

use super::Layer;
use super::reduce::{reduce_rows, sum_chunks};
use crate::plan::{Init, Kernel, Layout, Parameter, Parameters, Tape, Target, Tensor};
use algorithm::{Algorithm, Purpose};
use method::Method;
use winograd::Images;

/// Sizes of a convolution, spelled as PyTorch spells them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv2dOptions {
    /// Channels of x.
    pub in_channels: u32,
    /// Channels of y.
    pub out_channels: u32,
    /// Height and width of the kernel.
    pub kernel_size: [u32; 2],
    /// Rows and columns from one position to the next.
    pub stride: [u32; 2],
    /// Zero rows and columns on each side.
    pub padding: [u32; 2],
    /// Whether a bias is added.
    pub bias: bool,
}

impl Conv2dOptions {
    /// A square kernel, stride 1, no padding, with bias: PyTorch's defaults.
    pub fn square(in_channels: u32, out_channels: u32, kernel_size: u32) -> Self {
        let kernel_size = [kernel_size; 2];
        Self {
            in_channels,
            out_channels,
            kernel_size,
            stride: [1; 2],
            padding: [0; 2],
            bias: true,
        }
    }
}

/// y = x * weight + bias, the cross-correlation of PyTorch's `Conv2d`, on channels-last images.
#[derive(Clone, Copy, Debug)]
pub struct Conv2d {
    pub(super) options: Conv2dOptions,
    pub(super) weight: Parameter,
    pub(super) bias: Option<Parameter>,
}

impl Conv2d {
    /// Adds `NAME.weight` `[out, in, kh, kw]` and, if wanted, `NAME.bias` `[out]`, with PyTorch's default initialisation.
    pub fn new(parameters: &mut Parameters, name: &str, options: Conv2dOptions) -> Self {
        let Conv2dOptions {
            in_channels,
            out_channels,
            kernel_size: [height, width],
            ..
        } = options;
        let init = Init::UniformFanIn(in_channels * height * width);
        let shape = [out_channels, in_channels, height, width];
        let weight = parameters.add(
            format!("{name}.weight"),
            &shape,
            Layout::ConvolutionWeight,
            init,
        );
        let bias = options.bias.then(|| {
            parameters.add(
                format!("{name}.bias"),
                &[out_channels],
                Layout::PaddedVector,
                init,
            )
        });
        Self {
            options,
            weight,
            bias,
        }
    }

    /// `[N, H, W, C]` of y for `[N, H, W, C]` of x. Panics if they do not fit.
    pub(super) fn out_shape(&self, x: Tensor) -> [u32; 4] {
        let [batch, height, width, channels] = x.image_sizes();
        let options = &self.options;
        assert_eq!(
            channels,
            options.in_channels,
            "{options:?} got {:?}",
            x.shape()
        );
        let out = |axis: usize, size: u32| {
            let padded = size + 2 * options.padding[axis];
            let fits =
                (1..=padded).contains(&options.kernel_size[axis]) && options.stride[axis] > 0;
            assert!(fits, "{options:?} does not fit {:?}", x.shape());
            (padded - options.kernel_size[axis]) / options.stride[axis] + 1
        };
        [batch, out(0, height), out(1, width), options.out_channels]
    }

    pub(super) fn constants(&self, x: Tensor, y_shape: [u32; 4]) -> Vec<(&'static str, f64)> {
        let [stride_h, stride_w] = self.options.stride.map(f64::from);
        let mut constants = self.unstrided_constants(x, y_shape);
        constants.extend([("STRIDE_H", stride_h), ("STRIDE_W", stride_w)]);
        constants
    }

    /// The overrides of kernels with stride 1.
    pub(super) fn unstrided_constants(
        &self,
        x: Tensor,
        y_shape: [u32; 4],
    ) -> Vec<(&'static str, f64)> {
        let [batch, height, width, in_channels] = x.image_sizes().map(f64::from);
        let [_, out_height, out_width, out_channels] = y_shape.map(f64::from);
        let options = &self.options;
        vec![
            ("BATCH", batch),
            ("HEIGHT", height),
            ("WIDTH", width),
            ("IN_CHANNELS", in_channels),
            ("OUT_HEIGHT", out_height),
            ("OUT_WIDTH", out_width),
            ("OUT_CHANNELS", out_channels),
            ("KERNEL_H", options.kernel_size[0].into()),
            ("KERNEL_W", options.kernel_size[1].into()),
            ("PADDING_H", options.padding[0].into()),
            ("PADDING_W", options.padding[1].into()),
        ]
    }

    /// Multiplications of one pass over the batch; products with padding count, as in the paper.
    pub(super) fn multiplications(&self, y_shape: [u32; 4]) -> u64 {
        let [height, width] = self.options.kernel_size.map(u64::from);
        let elements: u64 = y_shape.iter().map(|&size| u64::from(size)).product();
        elements * u64::from(self.options.in_channels) * height * width
    }
}

impl Layer for Conv2d {
    fn forward(&self, tape: &mut Tape, x: Tensor) -> Tensor {
        let y_shape = self.out_shape(x);
        let y = tape.tensor("y", y_shape);
        let pass = Pass { conv: *self, x, y };
        let x_shape = x.image_sizes();
        let windows = Algorithm::of_forward(tape.kernels(), &self.options, x_shape, y_shape);
        let candidates = Method::candidates(
            Purpose::Forward,
            windows,
            tape.kernels(),
            &self.options,
            x_shape,
            y_shape,
        );
        tape.operation(
            "conv2d.forward",
            pass.shape(),
            &candidates,
            &[y],
            |tape, method| match method {
                Method::Windows(algorithm) => pass.forward(tape, algorithm),
                Method::Winograd(winograd) => {
                    let bias = self.bias.map(|bias| tape.parameter(bias));
                    let weight = tape.parameter(self.weight);
                    winograd.forward(tape, pass.images(), weight, bias, pass.multiplications());
                }
            },
        );
        tape.on_backward(y, move |tape| {
            pass.record_backward_weight(tape);
            pass.record_backward_input(tape);
        });
        y
    }
}

/// One use of the layer.
#[derive(Clone, Copy)]
struct Pass {
    conv: Conv2d,
    x: Tensor,
    y: Tensor,
}

impl Pass {
    /// What kernels are chosen by.
    fn shape(&self) -> String {
        let Conv2dOptions {
            kernel_size: [kernel_h, kernel_w],
            stride: [stride_h, stride_w],
            padding: [padding_h, padding_w],
            out_channels,
            ..
        } = self.conv.options;
        let [batch, height, width, in_channels] = self.x.image_sizes();
        let bias = if self.conv.bias.is_some() { "+1" } else { "" };
        format!(
            "{batch}x{height}x{width}x{in_channels} to {out_channels}{bias}, {kernel_h}x{kernel_w} \
             by {stride_h}x{stride_w} in {padding_h}x{padding_w}"
        )
    }

    fn images(&self) -> Images {
        Images {
            image: self.x,
            out: self.y,
            padding: self.conv.options.padding,
        }
    }

    fn constants(&self) -> Vec<(&'static str, f64)> {
        self.conv.constants(self.x, self.y.image_sizes())
    }

    fn multiplications(&self) -> u64 {
        self.conv.multiplications(self.y.image_sizes())
    }

    fn forward(&self, tape: &mut Tape, algorithm: Algorithm) {
        let options = &self.conv.options;
        let images = algorithm.forward(options, self.y.image_sizes());
        let bias = self.conv.bias.map(|bias| ("bias", tape.parameter(bias)));
        let mut constants = self.constants();
        constants.extend(algorithm.constants(Purpose::Forward, options));
        constants.push(("CHUNKS", images.chunks.into()));
        let y = Target {
            tensor: self.y,
            accumulate: false,
        };
        sum_chunks(tape, images.chunks, y, |tape, y| {
            let mut bindings = vec![
                (images.input, self.x),
                (images.weight, tape.parameter(self.conv.weight)),
                (images.output, y.tensor),
            ];
            bindings.extend(bias);
            tape.dispatch(Kernel {
                shader: algorithm.shader(Purpose::Forward),
                entry: images.entry,
                constants: &constants,
                bindings: &bindings,
                extent: images.extent,
                multiplications: self.multiplications(),
            });
        });
    }

    fn record_backward_weight(self, tape: &mut Tape) {
        let dy = tape.gradient(self.y);
        let dweight = tape.gradient_of_parameter(self.conv.weight);
        let dbias = self.conv.bias.map(|bias| tape.gradient_of_parameter(bias));
        let outputs: Vec<Tensor> = [Some(dweight), dbias]
            .into_iter()
            .flatten()
            .map(|target| target.tensor)
            .collect();
        let (x, y) = (self.x.image_sizes(), self.y.image_sizes());
        let windows = Algorithm::of_weight(tape.kernels(), &self.conv.options, x, y);
        let candidates = Method::candidates(
            Purpose::BackwardWeight,
            windows,
            tape.kernels(),
            &self.conv.options,
            x,
            y,
        );
        let name = "conv2d.backward_weight";
        tape.operation(
            name,
            self.shape(),
            &candidates,
            &outputs,
            |tape, method| match method {
                Method::Windows(algorithm) => {
                    self.backward_weight(tape, algorithm, dy, dweight, dbias);
                }
                Method::Winograd(winograd) => {
                    let images = Images {
                        out: dy,
                        ..self.images()
                    };
                    let multiplications = self.multiplications();
                    winograd.backward_weight(tape, images, dweight, dbias, multiplications);
                }
            },
        );
    }

    fn backward_weight(
        &self,
        tape: &mut Tape,
        algorithm: Algorithm,
        dy: Tensor,
        dweight: Target,
        dbias: Option<Target>,
    ) {
        let options = &self.conv.options;
        let chunks = algorithm.chunks(options, self.x.image_sizes(), self.y.image_sizes());
        let kernel = algorithm.weight_gradient(options, chunks);
        let (rows, columns) = algorithm::partial_sizes(options);
        let partial = tape.tensor("partial", [chunks, rows * columns]);
        let mut constants = self.constants();
        constants.extend(algorithm.constants(Purpose::BackwardWeight, options));
        constants.push(("CHUNKS", chunks.into()));
        tape.dispatch(Kernel {
            shader: algorithm.shader(Purpose::BackwardWeight),
            entry: kernel.entry,
            constants: &constants,
            bindings: &[(kernel.input, self.x), ("dy", dy), ("partial", partial)],
            extent: kernel.extent,
            multiplications: self.multiplications(),
        });
        reduce_rows(tape, partial, dweight, dbias);
    }

    fn record_backward_input(self, tape: &mut Tape) {
        let dy = tape.gradient(self.y);
        let Some(dx) = tape.gradient_of(self.x) else {
            return;
        };
        let (x, y) = (self.x.image_sizes(), self.y.image_sizes());
        let windows = Algorithm::of_backward_input(tape.kernels(), &self.conv.options, x, y);
        let candidates = Method::candidates(
            Purpose::BackwardInput,
            windows,
            tape.kernels(),
            &self.conv.options,
            x,
            y,
        );
        let name = "conv2d.backward_input";
        tape.operation(
            name,
            self.shape(),
            &candidates,
            &[dx.tensor],
            |tape, method| match method {
                Method::Windows(algorithm) => self.backward_input(tape, algorithm, dy, dx),
                Method::Winograd(winograd) => {
                    let weight = tape.parameter(self.conv.weight);
                    let multiplications = self.multiplications();
                    winograd.backward_input(tape, self.images(), weight, dy, dx, multiplications);
                }
            },
        );
    }

    fn backward_input(&self, tape: &mut Tape, algorithm: Algorithm, dy: Tensor, dx: Target) {
        let images = algorithm.backward_input(&self.conv.options, self.x.image_sizes());
        let weight = tape.parameter(self.conv.weight);
        let mut constants = self.constants();
        constants.extend(algorithm.constants(Purpose::BackwardInput, &self.conv.options));
        constants.push(("CHUNKS", images.chunks.into()));
        sum_chunks(tape, images.chunks, dx, |tape, dx| {
            constants.push(dx.constant());
            tape.dispatch(Kernel {
                shader: algorithm.shader(Purpose::BackwardInput),
                entry: images.entry,
                constants: &constants,
                bindings: &[
                    (images.weight, weight),
                    (images.input, dy),
                    (images.output, dx.tensor),
                ],
                extent: images.extent,
                multiplications: self.multiplications(),
            });
        });
    }
}
