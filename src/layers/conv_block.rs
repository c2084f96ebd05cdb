//! Convolution, max pooling and activation as one layer, which some adapters run as one kernel.

use super::pieces::balanced;
use super::processor::{of_cpu_kernel, on_cpu, register_cycles};
use super::{Activation, Conv2d, Layer, MaxPool2d};
use crate::plan::{Candidate, Kernel, Offer, RowCut, Shader, Tape, Tensor, UNIFORM_ELEMENTS};

static UNIFORM: Shader = crate::shader!("conv2d/uniform");

/// phi(max_pool(conv(x))): the order of PyTorch's MNIST example, equal to max_pool(phi(conv(x))) as phi is monotonic.
#[derive(Clone, Copy, Debug)]
pub struct ConvBlock {
    /// The convolution.
    pub conv: Conv2d,
    /// Height and width of the pooling windows, which lie side by side; 1 and 1 for none.
    pub pool: [u32; 2],
    /// The activation.
    pub activation: Activation,
}

/// A way to run the block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Algorithm {
    /// One kernel, whose inputs are uniform buffers. CPU adapters.
    Uniform,
    /// Convolution, then pooling and activation.
    Composed,
}

impl Candidate for Algorithm {
    fn name(&self) -> String {
        match self {
            Self::Uniform => "uniform",
            Self::Composed => "composed",
        }
        .to_owned()
    }

    fn shaders(&self) -> Vec<&'static Shader> {
        match self {
            Self::Uniform => vec![&UNIFORM],
            Self::Composed => Vec::new(),
        }
    }
}

impl Layer for ConvBlock {
    fn forward(&self, tape: &mut Tape, x: Tensor) -> Tensor {
        let conv_shape = self.conv.out_shape(x);
        let multiplications = self.conv.multiplications(conv_shape);
        let plain = register_cycles(multiplications, x.columns());
        let multiplications = multiplications as f64;
        let composed = if tape.limits().is_cpu {
            multiplications + on_cpu::DISPATCH
        } else {
            plain
        };
        let uniform = of_cpu_kernel(tape.limits(), multiplications, plain);
        let mut offers = vec![Offer::new(Algorithm::Composed, composed)];
        if UniformBlock::new(*self, x).is_some() {
            offers.insert(0, Offer::new(Algorithm::Uniform, uniform));
        }
        let (block, pool, activation) = (*self, self.pool, self.activation);
        let shape = format!("{}, pool {pool:?}, {activation:?}", self.conv.shape_on(x));
        tape.layer_operation(
            "conv_block",
            shape,
            &offers,
            |tape, algorithm| match algorithm {
                Algorithm::Composed => block.composed(tape, x),
                Algorithm::Uniform => UniformBlock::new(block, x)
                    .expect("it fits")
                    .forward(tape, x),
            },
        )
    }
}

impl ConvBlock {
    fn composed(&self, tape: &mut Tape, x: Tensor) -> Tensor {
        let y = self.conv.forward(tape, x);
        if self.pool == [1, 1] {
            return tape.scope("activation", |tape| self.activation.forward(tape, y));
        }
        let pool = MaxPool2d::side_by_side(self.pool);
        tape.scope("pool", |tape| {
            pool.forward_activated(tape, y, self.activation)
        })
    }
}

/// The block as `conv2d/uniform.wgsl` runs it: a few images a dispatch, so that they fit into uniform bindings.
struct UniformBlock {
    block: ConvBlock,
    conv_shape: [u32; 4],
    y_shape: [u32; 4],
    winner_shape: [u32; 4],
    /// Pooled columns that an invocation of the forward pass takes, whose winners are one word.
    pooled: u32,
    forward_ranges: Vec<(u32, u32)>,
    weight_ranges: Vec<(u32, u32)>,
    input_ranges: Vec<(u32, u32)>,
}

impl UniformBlock {
    /// The block, if its sizes fit the kernel's registers and uniform bindings.
    fn new(block: ConvBlock, x: Tensor) -> Option<Self> {
        let conv_shape = block.conv.out_shape(x);
        let [batch, out_height, out_width, out_channels] = conv_shape;
        let [window_h, window_w] = block.pool;
        if out_height < window_h || out_width < window_w || !fits(block) {
            return None;
        }
        let y_shape = [
            batch,
            out_height / window_h,
            out_width / window_w,
            out_channels,
        ];
        let pooled = balanced(y_shape[2], UNIFORM.constant("PIXELS") / window_w);
        let winner_shape = [batch, y_shape[1], y_shape[2].div_ceil(pooled), out_channels];
        let [x_columns, y_columns, winner_columns] =
            [x.image_sizes(), y_shape, winner_shape].map(|shape| shape[1..].iter().product());
        let ranges = |uniform: &[u32], storage: &[u32]| {
            let step = UNIFORM.constant("LANES");
            let cut = RowCut {
                rows: batch,
                uniform,
                storage,
                step,
            };
            cut.ranges()
        };
        Some(Self {
            block,
            conv_shape,
            y_shape,
            winner_shape,
            pooled,
            forward_ranges: ranges(&[x_columns], &[y_columns, winner_columns])?,
            weight_ranges: ranges(&[x_columns, y_columns, winner_columns], &[])?,
            input_ranges: ranges(&[y_columns, winner_columns], &[x_columns])?,
        })
    }

    fn constants(
        &self,
        x: Tensor,
        count: u32,
        [strip, slice]: [u32; 2],
    ) -> Vec<(&'static str, f64)> {
        let mut constants = self
            .block
            .conv
            .unstrided_constants(x.row_range(0, count), self.conv_shape);
        let [window_h, window_w] = self.block.pool;
        constants.extend([
            ("WINDOW_H", window_h.into()),
            ("WINDOW_W", window_w.into()),
            ("STRIP", strip.into()),
            ("SLICE", slice.into()),
            ("POOLED", self.pooled.into()),
            self.block.activation.constant(),
        ]);
        constants
    }

    fn multiplications(&self, count: u32) -> u64 {
        let [_, height, width, channels] = self.conv_shape;
        self.block
            .conv
            .multiplications([count, height, width, channels])
    }

    fn forward(self, tape: &mut Tape, x: Tensor) -> Tensor {
        let y = tape.tensor("y", self.y_shape);
        let winner = tape.tensor("winner", self.winner_shape);
        let [_, height, words, channels] = self.winner_shape;
        let piece = [self.pooled * self.block.pool[1], slice_of(channels)];
        let weight = tape.parameter(self.block.conv.weight);
        let bias = tape.parameter(self.block.conv.bias.expect("the block has a bias"));
        for &(start, count) in &self.forward_ranges {
            let groups = count.div_ceil(UNIFORM.constant("LANES"));
            let bindings = [
                ("x", x.row_range(start, count)),
                ("weight", weight),
                ("bias", bias),
                ("y", y.row_range(start, count)),
                ("winner", winner.row_range(start, count)),
            ];
            tape.dispatch(Kernel {
                shader: &UNIFORM,
                entry: "forward",
                constants: &self.constants(x, count, piece),
                bindings: &bindings,
                extent: workgroups([groups * height * words, channels.div_ceil(piece[1])]),
                multiplications: self.multiplications(count),
            });
        }
        tape.on_backward(y, move |tape| {
            let dy = self.activation_gradient(tape, y);
            self.backward_weight(tape, x, dy, winner);
            self.backward_input(tape, x, dy, winner);
        });
        y
    }

    /// The gradient of the pooled values: `winner` already holds what ReLU and ReLU6 cut, other activations take a pass of their own.
    fn activation_gradient(&self, tape: &mut Tape, y: Tensor) -> Tensor {
        let dy = tape.gradient(y);
        match self.block.activation {
            Activation::Identity | Activation::Relu | Activation::Relu6 => dy,
            activation => {
                let dz = tape.tensor("dz", y.shape());
                activation.record_backward(tape, y, dy, dz);
                dz
            }
        }
    }

    fn backward_weight(&self, tape: &mut Tape, x: Tensor, dy: Tensor, winner: Tensor) {
        let conv = &self.block.conv;
        let dweight = tape.gradient_of_parameter(conv.weight);
        let dbias = tape.gradient_of_parameter(conv.bias.expect("the block has a bias"));
        let channels = conv.options.out_channels;
        let piece = [self.pooled * self.block.pool[1], slice_of(channels)];
        let rows = conv.options.kernel_size[0] * conv.options.in_channels;
        for &(start, count) in &self.weight_ranges {
            let mut constants = self.constants(x, count, piece);
            constants.push(dweight.or_after(start).constant());
            let bindings = [
                ("input", x.row_range(start, count)),
                ("dy", dy.row_range(start, count)),
                ("winners", winner.row_range(start, count)),
                ("dweight", dweight.tensor),
                ("dbias", dbias.tensor),
            ];
            tape.dispatch(Kernel {
                shader: &UNIFORM,
                entry: "backward_weight",
                constants: &constants,
                bindings: &bindings,
                extent: workgroups([rows, channels.div_ceil(piece[1])]),
                multiplications: self.multiplications(count),
            });
        }
    }

    fn backward_input(&self, tape: &mut Tape, x: Tensor, dy: Tensor, winner: Tensor) {
        let Some(dx) = tape.gradient_of(x) else {
            return;
        };
        let [_, height, width, channels] = x.image_sizes();
        let window_w = self.block.pool[1];
        let windows = balanced(
            width.div_ceil(window_w),
            UNIFORM.constant("PIXELS") / window_w,
        );
        let piece = [windows * window_w, slice_of(channels)];
        for &(start, count) in &self.input_ranges {
            let mut constants = self.constants(x, count, piece);
            constants.push(dx.constant());
            let groups = count.div_ceil(UNIFORM.constant("LANES"));
            let bindings = [
                ("dy", dy.row_range(start, count)),
                ("weight", tape.parameter(self.block.conv.weight)),
                ("winners", winner.row_range(start, count)),
                ("dx", dx.tensor.row_range(start, count)),
            ];
            tape.dispatch(Kernel {
                shader: &UNIFORM,
                entry: "backward_input",
                constants: &constants,
                bindings: &bindings,
                extent: workgroups([
                    groups * height * width.div_ceil(piece[0]),
                    channels.div_ceil(piece[1]),
                ]),
                multiplications: self.multiplications(count),
            });
        }
    }
}

/// Whether the sizes that do not depend on the image are within what the kernels take.
fn fits(block: ConvBlock) -> bool {
    let options = block.conv.options;
    let [kernel_h, kernel_w] = options.kernel_size;
    let [window_h, window_w] = block.pool;
    let taps = kernel_h * kernel_w * options.in_channels;
    block.conv.bias.is_some()
        && options.groups == 1
        && options.stride == [1, 1]
        && taps * options.out_channels.next_multiple_of(4) <= UNIFORM_ELEMENTS
        && kernel_w <= UNIFORM.constant("MAX_KERNEL_W")
        && window_w <= UNIFORM.constant("PIXELS")
        && window_h * window_w <= UNIFORM.constant("NO_WINNER")
}

/// The channels that an invocation takes.
fn slice_of(channels: u32) -> u32 {
    balanced(channels, UNIFORM.constant("CHANNELS"))
}

/// The extent of a kernel whose workgroups, not invocations, take one piece of work each.
fn workgroups([x, y]: [u32; 2]) -> [u32; 3] {
    [x * UNIFORM.constant("LANES"), y, 1]
}
