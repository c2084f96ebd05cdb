//! Convolution of each channel on its own: as many groups as channels of x and of y.

use super::Conv2dOptions;
use super::algorithm::{Work, partial_sizes};
use crate::layers::pieces::{balanced, pieces};
use crate::layers::processor::of_cpu_kernel;
use crate::layers::reduce::reduce_rows;
use crate::plan::{Kernel, Limits, Shader, Tape, Target, Tensor};

static QUADS: Shader = crate::shader!("conv2d/depthwise");
static PAIRS: Shader = crate::shader!("conv2d/depthwise_pairs");

/// Rows that an invocation for CPU adapters walks down at most: the longer, the fewer are loaded twice.
const MOST_LINES: u32 = 20;

/// Products of a strip that llvmpipe still unrolls, so that what an invocation keeps lies in registers: where it makes images, and
/// where it makes a weight's gradient. Past them everything takes ten times as long. A store is as long as some products.
const MOST_PRODUCTS: u32 = 205;
const MOST_WEIGHT_PRODUCTS: u32 = 150;
const STORE: u32 = 10;

/// Invocations of the weight gradient, at least, if there is work for them.
const INVOCATIONS: u32 = 512;

/// Partial sums of the weight gradient on graphics processors: enough to occupy one, few enough to add up cheaply.
const MAX_CHUNKS: u32 = 64;

/// The kernels that take each channel on its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Depthwise {
    /// An invocation takes four channels of some neighbouring pixels. Channels in fours.
    Quads,
    /// It walks down a strip of two channels. CPU adapters; channels in fours, small kernels.
    Pairs,
}

/// A use of the layer.
#[derive(Clone, Copy)]
pub(super) struct Images<'a> {
    /// The sizes of the layer.
    pub(super) options: &'a Conv2dOptions,
    /// The overrides of the sizes.
    pub(super) constants: &'a [(&'static str, f64)],
    /// The input.
    pub(super) x: Tensor,
    /// The output, or its gradient.
    pub(super) y: Tensor,
    /// Multiplications of the whole batch.
    pub(super) multiplications: u64,
}

/// How the rows and columns of images are shared out.
struct Shares {
    /// The overrides that say so.
    constants: Vec<(&'static str, f64)>,
    /// Shares of the whole batch.
    count: u32,
}

impl Depthwise {
    /// Those that have the shape for it.
    pub(super) fn of(work: Work) -> Vec<Self> {
        let options = work.options;
        let channels = [options.in_channels, options.out_channels];
        if channels != [options.groups; 2] || !options.groups.is_multiple_of(4) {
            return Vec::new();
        }
        let [largest, widest] = ["MAX_KERNEL", "MAX_STRIDE"].map(|name| PAIRS.constant(name));
        let is_small = options.kernel_size.iter().all(|&size| size <= largest)
            && options.stride.iter().all(|&stride| stride <= widest);
        let mut kernels = vec![Self::Quads];
        kernels.extend(is_small.then_some(Self::Pairs));
        kernels
    }

    /// What it takes. On a CPU adapter loads and stores count, not products.
    pub(super) fn cost(self, limits: &Limits, work: Work) -> f64 {
        /// Multiplications of the best product there that an element takes which is loaded and stored about once, and that a
        /// product takes whose factor is loaded for it.
        const ELEMENT: f64 = 5.0;
        const PRODUCT: f64 = 4.0;
        /// How many loads of single channels one of four channels saves.
        const SAVED: f64 = 4.0;
        let elements = [work.x, work.y].map(|shape| f64::from(shape.iter().product::<u32>()));
        match self {
            Self::Pairs => {
                let cost = ELEMENT * (elements[0] + elements[1]);
                of_cpu_kernel(limits, cost, work.plain_cycles())
            }
            Self::Quads if limits.is_cpu => PRODUCT * work.multiplications(),
            Self::Quads => work.plain_cycles() / SAVED,
        }
    }

    /// The name of the candidate.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Quads => "depthwise",
            Self::Pairs => "depthwise pairs",
        }
    }

    /// The WGSL file.
    pub(super) fn shader(self) -> &'static Shader {
        match self {
            Self::Quads => &QUADS,
            Self::Pairs => &PAIRS,
        }
    }

    /// Channels of an invocation.
    fn channels(self) -> u32 {
        match self {
            Self::Quads => 4,
            Self::Pairs => 2,
        }
    }

    /// The shares of images of so many rows and columns, of which an invocation stores `stores` for each column it takes.
    fn shares(self, images: &Images, [batch, height, width]: [u32; 3], stores: u32) -> Shares {
        match self {
            Self::Quads => Shares {
                constants: Vec::new(),
                count: batch * height * width.div_ceil(QUADS.constant("PIXELS")),
            },
            Self::Pairs => images.walks([batch, height, width], MOST_PRODUCTS, stores),
        }
    }

    /// Records y.
    pub(super) fn forward(
        self,
        tape: &mut Tape,
        images: Images,
        weight: Tensor,
        bias: Option<Tensor>,
    ) {
        let [batch, height, width, _] = images.y.image_sizes();
        let shares = self.shares(&images, [batch, height, width], 1);
        let mut bindings = vec![("x", images.x), ("weight", weight), ("y", images.y)];
        bindings.extend(bias.map(|bias| ("bias", bias)));
        let entry = ["forward", "forward_bias"][usize::from(bias.is_some())];
        self.dispatch(tape, images, entry, &shares, &bindings);
    }

    /// Records the gradient of x.
    pub(super) fn backward_input(
        self,
        tape: &mut Tape,
        images: Images,
        weight: Tensor,
        dx: Target,
    ) {
        let [batch, height, width, _] = images.x.image_sizes();
        let [stride_h, stride_w] = images.options.stride;
        let sizes = match self {
            Self::Quads => [batch, height, width],
            Self::Pairs => {
                let [height, width] = images.places_by_stride();
                [batch, height, width]
            }
        };
        let mut shares = self.shares(&images, sizes, stride_h * stride_w);
        shares.constants.push(dx.constant());
        let bindings = [("dy", images.y), ("weight", weight), ("dx", dx.tensor)];
        self.dispatch(tape, images, "backward_input", &shares, &bindings);
    }

    /// Records the gradients of the weight and the bias.
    pub(super) fn backward_weight(
        self,
        tape: &mut Tape,
        images: Images,
        dweight: Target,
        dbias: Option<Target>,
    ) {
        let [batch, height, width, _] = images.y.image_sizes();
        let (rows, columns) = partial_sizes(images.options);
        let (summands, wanted, parts, constants) = match self {
            Self::Quads => (batch * height, MAX_CHUNKS, rows, Vec::new()),
            Self::Pairs => {
                let walks = images.walks([batch, height, width], MOST_WEIGHT_PRODUCTS, 1);
                let wanted = INVOCATIONS.div_ceil(columns / self.channels());
                (walks.count, wanted, 1, walks.constants)
            }
        };
        let entry = "backward_weight";
        let of_chunks = |chunks: u32| [&constants[..], &[("CHUNKS", f64::from(chunks))]].concat();
        let iterations = |at_once: u32| {
            let own = of_chunks(summands.div_ceil(at_once));
            let constants = [images.constants, &own].concat();
            self.shader().resources(entry, &constants).iterations
        };
        let fewest = pieces(tape.limits(), summands, iterations).len() as u32;
        let chunks = wanted.min(summands).max(fewest);
        let partial = tape.tensor("partial", [chunks, rows * columns]);
        let shares = Shares {
            constants: of_chunks(chunks),
            count: chunks * parts,
        };
        let bindings = [("input", images.x), ("dy", images.y), ("partial", partial)];
        self.dispatch(tape, images, entry, &shares, &bindings);
        reduce_rows(tape, partial, dweight, dbias);
    }

    /// Records a dispatch whose invocations take some channels of each of the shares.
    fn dispatch(
        self,
        tape: &mut Tape,
        images: Images,
        entry: &'static str,
        shares: &Shares,
        bindings: &[(&'static str, Tensor)],
    ) {
        tape.dispatch(Kernel {
            shader: self.shader(),
            entry,
            constants: &[images.constants, &shares.constants].concat(),
            bindings,
            extent: [
                shares.count * (images.options.groups / self.channels()),
                1,
                1,
            ],
            multiplications: images.multiplications,
        });
    }
}

impl Images<'_> {
    /// Walks down strips of images of so many rows and columns, which are no longer than `products` and what is stored.
    fn walks(&self, [batch, height, width]: [u32; 3], products: u32, stores: u32) -> Shares {
        let [kernel_h, kernel_w] = self.options.kernel_size;
        let longest = products / (kernel_h * kernel_w + STORE * stores);
        let strip = balanced(width, longest.clamp(1, PAIRS.constant("MAX_STRIP")));
        let lines = balanced(height, MOST_LINES);
        Shares {
            constants: vec![("STRIP", strip.into()), ("LINES", lines.into())],
            count: batch * height.div_ceil(lines) * width.div_ceil(strip),
        }
    }

    /// Rows and columns of the padded x when divided by the stride, as far as they hold pixels of x.
    fn places_by_stride(&self) -> [u32; 2] {
        let [_, height, width, _] = self.x.image_sizes();
        let size = |axis: usize, size: u32| {
            let (stride, padding) = (self.options.stride[axis], self.options.padding[axis]);
            (size - 1 + padding) / stride + 1 - padding / stride
        };
        [size(0, height), size(1, width)]
    }
}
