//! Two-dimensional convolution.

mod algorithm;
mod depthwise;
mod method;
mod tiled;
mod winograd;

use super::Layer;
use super::pieces::{Piece, pieces_of_kernel};
use super::reduce::{reduce_rows, sum_chunks};
use crate::plan::{Init, Kernel, Layout, Limits, Parameter, Parameters, Tape, Target, Tensor};
use algorithm::{Algorithm, Purpose, Work};
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
    /// Zero rows above the image, and zero columns to its left.
    pub padding: [u32; 2],
    /// Zero rows below the image, and zero columns to its right: other than `padding` under TensorFlow's "same" alone.
    pub padding_end: [u32; 2],
    /// Parts that the channels are cut into, each of which is convolved on its own: a divisor of both numbers of channels.
    pub groups: u32,
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
            padding_end: [0; 2],
            groups: 1,
            bias: true,
        }
    }

    /// Channels of x that a channel of y is made of.
    pub(super) fn group_channels(&self) -> u32 {
        self.in_channels / self.groups
    }

    /// Whether a pixel of y is made of the same pixel of x alone.
    pub(super) fn is_pointwise(&self) -> bool {
        [self.kernel_size, self.stride] == [[1; 2]; 2]
            && [self.padding, self.padding_end] == [[0; 2]; 2]
    }

    /// Rows of y (axis 0) or columns (axis 1) on images of `size` rows or columns; `None` if those are fewer than the kernel's.
    pub fn out_size(&self, axis: usize, size: u32) -> Option<u32> {
        let padded = size + self.padding[axis] + self.padding_end[axis];
        let room = padded.checked_sub(self.kernel_size[axis])?;
        Some(room / self.stride[axis] + 1)
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
    /// Adds `NAME.weight` `[out, in / groups, kh, kw]` and, if wanted, `NAME.bias` `[out]`, with PyTorch's default
    /// initialisation. Panics if the groups do not divide the channels.
    pub fn new(parameters: &mut Parameters, name: &str, options: Conv2dOptions) -> Self {
        let Conv2dOptions {
            in_channels,
            out_channels,
            kernel_size: [height, width],
            groups,
            ..
        } = options;
        let divides = [in_channels, out_channels].map(|channels| channels.is_multiple_of(groups));
        assert_eq!(divides, [true; 2], "{name}: {options:?}");
        let init = Init::UniformFanIn(options.group_channels() * height * width);
        let shape = [out_channels, options.group_channels(), height, width];
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
            let valid = options.kernel_size[axis] > 0 && options.stride[axis] > 0;
            let size = valid.then(|| options.out_size(axis, size)).flatten();
            size.unwrap_or_else(|| panic!("{options:?} does not fit {:?}", x.shape()))
        };
        [batch, out(0, height), out(1, width), options.out_channels]
    }

    pub(super) fn constants(&self, x: Tensor, y_shape: [u32; 4]) -> Vec<(&'static str, f64)> {
        let [stride_h, stride_w] = self.options.stride.map(f64::from);
        let mut constants = self.unstrided_constants(x, y_shape);
        constants.extend([
            ("STRIDE_H", stride_h),
            ("STRIDE_W", stride_w),
            ("GROUPS", self.options.groups.into()),
        ]);
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

    /// What kernels are chosen by: all sizes, on images `[N, H, W, C]`.
    pub(super) fn shape_on(&self, x: Tensor) -> String {
        let Conv2dOptions {
            kernel_size: [kernel_h, kernel_w],
            stride: [stride_h, stride_w],
            padding: [padding_h, padding_w],
            padding_end: [end_h, end_w],
            out_channels,
            groups,
            ..
        } = self.options;
        let [batch, height, width, in_channels] = x.image_sizes();
        let bias = if self.bias.is_some() { "+1" } else { "" };
        let groups = if groups == 1 {
            String::new()
        } else {
            format!(" in {groups} groups")
        };
        let end = if [end_h, end_w] == [padding_h, padding_w] {
            String::new()
        } else {
            format!(" to {end_h}x{end_w}")
        };
        format!(
            "{batch}x{height}x{width}x{in_channels} to {out_channels}{bias}, {kernel_h}x{kernel_w} \
             by {stride_h}x{stride_w} in {padding_h}x{padding_w}{end}{groups}"
        )
    }

    /// Multiplications of one pass over the batch; products with padding count, as in the paper.
    pub(super) fn multiplications(&self, y_shape: [u32; 4]) -> u64 {
        let [height, width] = self.options.kernel_size.map(u64::from);
        let elements: u64 = y_shape.iter().map(|&size| u64::from(size)).product();
        elements * u64::from(self.options.group_channels()) * height * width
    }
}

impl Layer for Conv2d {
    fn forward(&self, tape: &mut Tape, x: Tensor) -> Tensor {
        let y_shape = self.out_shape(x);
        let y = tape.tensor("y", y_shape);
        let pass = Pass { conv: *self, x, y };
        let offers = Method::offers(pass.work(Purpose::Forward), tape.kernels());
        tape.operation(
            "conv2d.forward",
            pass.shape(),
            &offers,
            &[y],
            |tape, method| match method {
                Method::Windows(algorithm) => pass.forward(tape, algorithm),
                Method::Winograd(winograd) => {
                    let bias = self.bias.map(|bias| tape.parameter(bias));
                    let weight = tape.parameter(self.weight);
                    winograd.forward(tape, pass.images(), weight, bias, pass.multiplications());
                }
                Method::Depthwise(depthwise) => {
                    let bias = self.bias.map(|bias| tape.parameter(bias));
                    let weight = tape.parameter(self.weight);
                    depthwise.forward(tape, pass.channels(&pass.constants()), weight, bias);
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
        self.conv.shape_on(self.x)
    }

    fn work(&self, purpose: Purpose) -> Work<'_> {
        Work {
            purpose,
            options: &self.conv.options,
            x: self.x.image_sizes(),
            y: self.y.image_sizes(),
        }
    }

    /// The pieces that a kernel's sums over `channels` are taken in: all at once, unless it takes pieces and the adapter's loops
    /// want them.
    fn pieces_of(
        &self,
        limits: &Limits,
        algorithm: Algorithm,
        images: &algorithm::Images,
        channels: u32,
    ) -> Vec<Piece> {
        if algorithm.takes_pieces() {
            let kernel = (algorithm.shader(images.purpose), images.entry);
            pieces_of_kernel(limits, kernel, &self.constants(), channels)
        } else {
            let (first, count) = (0, channels);
            vec![Piece { first, count }]
        }
    }

    fn images(&self) -> Images {
        Images {
            image: self.x,
            out: self.y,
            padding: self.conv.options.padding,
        }
    }

    /// The layer as kernels take it that convolve each channel on its own.
    fn channels<'a>(&'a self, constants: &'a [(&'static str, f64)]) -> depthwise::Images<'a> {
        depthwise::Images {
            options: &self.conv.options,
            constants,
            x: self.x,
            y: self.y,
            multiplications: self.multiplications(),
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
        constants.extend(algorithm.constants(Purpose::Forward));
        constants.push(("CHUNKS", images.chunks.into()));
        let y = Target {
            tensor: self.y,
            accumulate: false,
        };
        let channels = options.group_channels();
        sum_chunks(tape, images.chunks, y, |tape, y| {
            let mut bindings = vec![
                (images.input, self.x),
                (images.weight, tape.parameter(self.conv.weight)),
                (images.output, y.tensor),
            ];
            bindings.extend(bias);
            self.dispatch_images(tape, algorithm, &images, &constants, &bindings, y, channels);
        });
    }

    /// Records what writes `images`, in pieces of its sums over `channels`.
    #[expect(
        clippy::too_many_arguments,
        reason = "a kernel, what it is given, and what it makes"
    )]
    fn dispatch_images(
        &self,
        tape: &mut Tape,
        algorithm: Algorithm,
        images: &algorithm::Images,
        constants: &[(&'static str, f64)],
        bindings: &[(&'static str, Tensor)],
        target: Target,
        channels: u32,
    ) {
        for piece in self.pieces_of(tape.limits(), algorithm, images, channels) {
            let mut constants = constants.to_vec();
            if algorithm.takes_pieces() {
                constants.extend(piece.constants());
            }
            constants.push(target.or_after(piece.first).constant());
            tape.dispatch(Kernel {
                shader: algorithm.shader(images.purpose),
                entry: images.entry,
                constants: &constants,
                bindings,
                extent: images.extent,
                multiplications: self.multiplications() / u64::from(channels)
                    * u64::from(piece.count),
            });
        }
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
        let offers = Method::offers(self.work(Purpose::BackwardWeight), tape.kernels());
        let name = "conv2d.backward_weight";
        tape.operation(
            name,
            self.shape(),
            &offers,
            &outputs,
            |tape, method| match method {
                Method::Windows(algorithm @ Algorithm::ImplicitGemm(_)) => {
                    let lines = self.in_lines();
                    let dy = dy.reshape(lines.y.image_sizes());
                    lines.backward_weight(tape, algorithm, dy, dweight, dbias);
                }
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
                Method::Depthwise(depthwise) => {
                    let constants = self.constants();
                    let images = depthwise::Images {
                        y: dy,
                        ..self.channels(&constants)
                    };
                    depthwise.backward_weight(tape, images, dweight, dbias);
                }
            },
        );
    }

    /// The same pixels as images of one line, of a length in fours, if each stands for itself and they come out even: for
    /// kernels that sum over lines, which take fours at once.
    fn in_lines(self) -> Self {
        /// Pixels of a line: many, but few enough to cut the sum anywhere.
        const MAX_LINE: u32 = 128;
        let [batch, height, width, channels] = self.x.image_sizes();
        let pixels = batch * height * width;
        let lengths = (4..=MAX_LINE).rev().step_by(4);
        let even = lengths
            .into_iter()
            .find(|&length| pixels.is_multiple_of(length));
        match even {
            Some(length) if self.conv.options.is_pointwise() => {
                let images = |channels| [pixels / length, 1, length, channels];
                Self {
                    x: self.x.reshape(images(channels)),
                    y: self.y.reshape(images(self.y.image_sizes()[3])),
                    ..self
                }
            }
            _ => self,
        }
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
        let mut constants = self.constants();
        constants.extend(algorithm.constants(Purpose::BackwardWeight));
        let (images, chunks) = self.weight_pieces(tape.limits(), algorithm, &constants);
        let kernel = algorithm.weight_gradient(options, chunks);
        let (rows, columns) = algorithm::partial_sizes(options);
        let partial = tape.tensor("partial", [chunks, rows * columns]);
        constants.push(("CHUNKS", chunks.into()));
        let batch = self.x.rows();
        for first in (0..batch).step_by(images as usize) {
            let count = images.min(batch - first);
            let constants = [&[("BATCH", count.into())], &constants[1..]].concat();
            tape.dispatch(Kernel {
                shader: algorithm.shader(Purpose::BackwardWeight),
                entry: kernel.entry,
                constants: &constants,
                bindings: &[
                    (kernel.input, self.x.row_range(first, count)),
                    ("dy", dy.row_range(first, count)),
                    ("partial", partial),
                ],
                extent: kernel.extent,
                multiplications: self.multiplications() / u64::from(batch) * u64::from(count),
            });
            let dbias = dbias.map(|dbias| dbias.or_after(first));
            reduce_rows(tape, partial, dweight.or_after(first), dbias);
        }
    }

    /// Images of a dispatch of the weight gradient, and partial sums of it: all images at once, unless the adapter's loops
    /// want more partial sums than it binds.
    fn weight_pieces(
        &self,
        limits: &Limits,
        algorithm: Algorithm,
        constants: &[(&'static str, f64)],
    ) -> (u32, u32) {
        let (x, y) = (self.x.image_sizes(), self.y.image_sizes());
        let step = winograd::aligned_rows(x, y);
        let mut images = x[0];
        loop {
            let sizes =
                [x, y].map(|[_, height, width, channels]| [images, height, width, channels]);
            let chunks = algorithm.chunks(limits, &self.conv.options, sizes, &constants[1..]);
            match chunks {
                Some(chunks) => return (images, chunks),
                None if images <= step || !algorithm.takes_pieces() => return (images, 1),
                None => images = images.div_ceil(2).next_multiple_of(step),
            }
        }
    }

    fn record_backward_input(self, tape: &mut Tape) {
        let dy = tape.gradient(self.y);
        let Some(dx) = tape.gradient_of(self.x) else {
            return;
        };
        let offers = Method::offers(self.work(Purpose::BackwardInput), tape.kernels());
        let name = "conv2d.backward_input";
        tape.operation(
            name,
            self.shape(),
            &offers,
            &[dx.tensor],
            |tape, method| match method {
                Method::Windows(algorithm) => self.backward_input(tape, algorithm, dy, dx),
                Method::Winograd(winograd) => {
                    let weight = tape.parameter(self.conv.weight);
                    let multiplications = self.multiplications();
                    winograd.backward_input(tape, self.images(), weight, dy, dx, multiplications);
                }
                Method::Depthwise(depthwise) => {
                    let constants = self.constants();
                    let images = depthwise::Images {
                        y: dy,
                        ..self.channels(&constants)
                    };
                    depthwise.backward_input(tape, images, tape.parameter(self.conv.weight), dx);
                }
            },
        );
    }

    fn backward_input(&self, tape: &mut Tape, algorithm: Algorithm, dy: Tensor, dx: Target) {
        let images = algorithm.backward_input(&self.conv.options, self.x.image_sizes());
        let weight = tape.parameter(self.conv.weight);
        let mut constants = self.constants();
        constants.extend(algorithm.constants(Purpose::BackwardInput));
        constants.push(("CHUNKS", images.chunks.into()));
        let channels = self.conv.options.out_channels / self.conv.options.groups;
        sum_chunks(tape, images.chunks, dx, |tape, dx| {
            let bindings = [
                (images.weight, weight),
                (images.input, dy),
                (images.output, dx.tensor),
            ];
            self.dispatch_images(
                tape, algorithm, &images, &constants, &bindings, dx, channels,
            );
        });
    }
}
