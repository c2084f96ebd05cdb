//! Convolution, max pooling and activation as one layer, which some adapters run as one kernel.

use super::{Activation, Conv2d, Layer, MaxPool2d};
use crate::plan::{AdapterClass, Kernel, Kernels, RowCut, Shader, Tape, Tensor, UNIFORM_ELEMENTS};

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

impl Layer for ConvBlock {
    fn forward(&self, tape: &mut Tape, x: Tensor) -> Tensor {
        match UniformBlock::new(*self, tape.kernels(), x) {
            Some(block) => block.forward(tape, x),
            None => self.composed(tape, x),
        }
    }
}

impl ConvBlock {
    fn composed(&self, tape: &mut Tape, x: Tensor) -> Tensor {
        let y = self.conv.forward(tape, x);
        if self.pool == [1, 1] {
            return tape.scope("activation", |tape| self.activation.forward(tape, y));
        }
        let pool = MaxPool2d {
            window: self.pool,
            stride: self.pool,
        };
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
    forward_ranges: Vec<(u32, u32)>,
    weight_ranges: Vec<(u32, u32)>,
    input_ranges: Vec<(u32, u32)>,
}

impl UniformBlock {
    /// The block on a CPU adapter, if its sizes fit the kernel's limits.
    fn new(block: ConvBlock, kernels: &Kernels, x: Tensor) -> Option<Self> {
        let class = kernels.class();
        if class != AdapterClass::Cpu || kernels.is_reference() {
            return None;
        }
        let conv_shape = block.conv.out_shape(x);
        let [batch, out_height, out_width, out_channels] = conv_shape;
        let [window_h, window_w] = block.pool;
        if out_height < window_h || out_width < window_w {
            return None;
        }
        let y_shape = [
            batch,
            out_height / window_h,
            out_width / window_w,
            out_channels,
        ];
        let [kernel_h, kernel_w] = block.conv.options.kernel_size;
        let weight = kernel_h * kernel_w * x.image_sizes()[3] * out_channels.next_multiple_of(4);
        let y_columns = y_shape[1..].iter().product();
        let fits = block.conv.bias.is_some()
            && weight <= UNIFORM_ELEMENTS
            && kernel_w <= UNIFORM.constant("MAX_KERNEL_W")
            && window_w <= UNIFORM.constant("PIXELS");
        let x_columns = x.columns();
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
        let weight_ranges = ranges(&[x_columns, y_columns], &[])?;
        let positions = u64::from(weight_ranges[0].1 * y_shape[1] * y_shape[2]);
        let iterations = positions * u64::from(1 + 4 * (1 + kernel_w));
        (fits && iterations <= class.loop_iterations()).then_some(Self {
            block,
            conv_shape,
            y_shape,
            forward_ranges: ranges(&[x_columns], &[y_columns])?,
            input_ranges: ranges(&[y_columns], &[x_columns])?,
            weight_ranges,
        })
    }

    fn constants(&self, x: Tensor, count: u32, strip: u32) -> Vec<(&'static str, f64)> {
        let mut constants = self
            .block
            .conv
            .constants(x.row_range(0, count), self.conv_shape);
        let [window_h, window_w] = self.block.pool;
        constants.extend([
            ("WINDOW_H", window_h.into()),
            ("WINDOW_W", window_w.into()),
            ("STRIP", strip.into()),
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
        let winner = tape.tensor("winner", self.y_shape);
        let [_, height, width, channels] = self.y_shape;
        let window_w = self.block.pool[1];
        let pooled_strip = balanced_strip(width, UNIFORM.constant("PIXELS") / window_w);
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
                constants: &self.constants(x, count, pooled_strip * window_w),
                bindings: &bindings,
                extent: workgroups([
                    groups * height * width.div_ceil(pooled_strip),
                    channels.div_ceil(4),
                ]),
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

    /// The gradient of the pooled values: `winner` already holds what ReLU cuts, other activations take a pass of their own.
    fn activation_gradient(&self, tape: &mut Tape, y: Tensor) -> Tensor {
        let dy = tape.gradient(y);
        match self.block.activation {
            Activation::Identity | Activation::Relu => dy,
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
        let [_, _, _, channels] = self.y_shape;
        let rows = conv.options.kernel_size[0] * conv.options.in_channels + 1;
        for &(start, count) in &self.weight_ranges {
            let mut constants = self.constants(x, count, self.block.pool[1]);
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
                extent: [rows, channels.div_ceil(4), 1],
                multiplications: self.multiplications(count),
            });
        }
    }

    fn backward_input(&self, tape: &mut Tape, x: Tensor, dy: Tensor, winner: Tensor) {
        let Some(dx) = tape.gradient_of(x) else {
            return;
        };
        let [_, height, width, channels] = x.image_sizes();
        let strip = balanced_strip(width, UNIFORM.constant("PIXELS"));
        for &(start, count) in &self.input_ranges {
            let mut constants = self.constants(x, count, strip);
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
                    groups * height * width.div_ceil(strip),
                    channels.div_ceil(4),
                ]),
                multiplications: self.multiplications(count),
            });
        }
    }
}

/// The strip, at most `limit` wide, that cuts `width` into the fewest and most equal pieces.
fn balanced_strip(width: u32, limit: u32) -> u32 {
    width.div_ceil(width.div_ceil(limit))
}

/// The extent of a kernel whose workgroups, not invocations, take one piece of work each.
fn workgroups([x, y]: [u32; 2]) -> [u32; 3] {
    [x * UNIFORM.constant("LANES"), y, 1]
}
