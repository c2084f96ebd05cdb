//! The kernels of a convolution that run over its windows: what they cost, and how they cut the work.
//!
//! All files have the same entry points, bindings and constants; only what an invocation covers differs.

use super::Conv2dOptions;
use super::tiled::{self, TILED, TILED_F16};
use crate::layers::block::Block;
use crate::layers::pieces::pieces;
use crate::layers::processor::{of_cpu_kernel, on_cpu, register_cycles};
use crate::layers::tile::{Cut, Product};
use crate::plan::{Candidate, Kernels, Limits, Offer, Precision, Shader};

static DIRECT: Shader = crate::shader!("conv2d/direct");
static IMPLICIT_GEMM: Shader = crate::shader!("conv2d/implicit_gemm");

/// What gradients are multiplied by before they are rounded to f16, as under loss scaling: those of a mean over a batch are
/// often smaller than f16's smallest number. A gradient of an element may reach 16 before it becomes infinite.
const GRADIENT_SCALE: f64 = 4096.0;

/// How many times larger the error of a product of factors that were rounded to f16, 2^-10 of its magnitude, is than the
/// tolerance for sums in f32, 8 x 2^-23.
const F16_AMPLIFICATION: f64 = 1024.0;

/// Partial sums of the weight gradient of direct convolution: enough to occupy a device, few enough to add up cheaply.
const MAX_CHUNKS: u32 = 64;

/// Elements of all partial sums together: 64 MiB, half of what every adapter binds.
const MAX_PARTIAL_ELEMENTS: u32 = 1 << 24;

/// Elements of x and dy in a chunk of the weight gradient on CPU adapters: 512 KiB stay in a core's cache while all its
/// workgroups read them.
const CACHED_ELEMENTS: u32 = 1 << 17;

/// A way to compute a convolution or one of its gradients.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Algorithm {
    /// Every invocation walks over the windows of its own pixels. Any shape and groups, any adapter.
    Direct,
    /// A matrix product with one factor read through the windows. CPU adapters; channels of y in fours, and for the
    /// gradient of x those of x.
    ImplicitGemm(Block),
    /// A matrix product in tiles that lie in workgroup memory. Graphics processors; images of a multiple of 4 elements.
    Tiled(Cut),
    /// The same with factors in f16, on the matrix units of a subgroup.
    TiledF16(Cut),
}

/// What a matrix product is for: which factor is a gradient.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Purpose {
    /// y: no factor.
    Forward,
    /// The gradient of x: the left one, dy.
    BackwardInput,
    /// The gradient of the weight: the right one, dy.
    BackwardWeight,
}

/// A convolution or one of its gradients.
#[derive(Clone, Copy)]
pub(super) struct Work<'a> {
    /// Which of them.
    pub(super) purpose: Purpose,
    /// The sizes of the layer.
    pub(super) options: &'a Conv2dOptions,
    /// `[N, H, W, C]` of x.
    pub(super) x: [u32; 4],
    /// `[N, H, W, C]` of y.
    pub(super) y: [u32; 4],
}

impl Work<'_> {
    /// The same as one product of matrices.
    fn product(self) -> Product {
        match self.purpose {
            Purpose::Forward => tiled::forward(self.options, self.y),
            Purpose::BackwardInput => tiled::backward_input(self.options, self.x),
            Purpose::BackwardWeight => tiled::backward_weight(self.options, self.y),
        }
    }

    /// The block of the implicit product.
    fn block(self) -> Block {
        let (rows, columns) = match self.purpose {
            Purpose::Forward => (pixels(self.y), self.options.out_channels),
            Purpose::BackwardInput => (
                residue_pixels(self.options, self.x),
                self.options.in_channels,
            ),
            // Every tap begins with a block of its own.
            Purpose::BackwardWeight if self.options.in_channels.is_multiple_of(4) => {
                (self.options.in_channels, self.options.out_channels)
            }
            Purpose::BackwardWeight => partial_sizes(self.options),
        };
        Block::of(&IMPLICIT_GEMM, rows, columns, self.multiplications())
    }

    /// Multiplications of the whole batch.
    pub(super) fn multiplications(self) -> f64 {
        let [height, width] = self.options.kernel_size;
        let sizes = [&self.y[..], &[height, width, self.options.group_channels()]].concat();
        sizes.iter().map(|&size| f64::from(size)).product()
    }

    /// Summands of an element of what is written.
    fn summands(self) -> u32 {
        let taps = self.options.kernel_size[0] * self.options.kernel_size[1];
        match self.purpose {
            Purpose::Forward => taps * self.options.group_channels(),
            Purpose::BackwardInput => taps * self.y[3] / self.options.groups,
            Purpose::BackwardWeight => self.y[1] * self.y[2],
        }
    }

    /// Cycles that direct convolution takes on a graphics processor.
    pub(super) fn plain_cycles(self) -> f64 {
        register_cycles(self.multiplications() as u64, self.summands())
    }

    /// The kernels over the windows that have the shape for it.
    pub(super) fn algorithms(self, kernels: &Kernels) -> Vec<Offer<Algorithm>> {
        let limits = kernels.limits();
        let mut algorithms = Vec::new();
        let whole = self.options.groups == 1;
        let in_fours = |shape: &[u32; 4]| shape.iter().product::<u32>().is_multiple_of(4);
        if whole && [self.x, self.y].iter().all(in_fours) {
            let cuts = self.product().cuts(limits);
            if kernels.precision() == Precision::F16 {
                algorithms.extend(cuts.iter().copied().map(Algorithm::TiledF16));
            }
            algorithms.extend(cuts.into_iter().map(Algorithm::Tiled));
        }
        let read_in_fours =
            self.purpose != Purpose::BackwardInput || self.options.in_channels.is_multiple_of(4);
        if whole && read_in_fours && self.options.out_channels.is_multiple_of(4) {
            algorithms.push(Algorithm::ImplicitGemm(self.block()));
        }
        algorithms.push(Algorithm::Direct);
        let offer = |algorithm: Algorithm| Offer::new(algorithm, algorithm.cost(limits, self));
        algorithms.into_iter().map(offer).collect()
    }
}

impl Algorithm {
    fn cost(self, limits: &Limits, work: Work) -> f64 {
        /// Of the time in f32, where a tile's multiplications are made on matrix units.
        const MATRIX_UNITS: f64 = 0.4;
        let on_cpu = |factor: f64| factor * work.multiplications();
        // The product for the weight reads both its factors through windows.
        let windows = if work.purpose == Purpose::BackwardWeight {
            2.0
        } else {
            1.0
        };
        match self {
            Self::Tiled(_) | Self::TiledF16(_) if limits.is_cpu => on_cpu(on_cpu::WORKGROUP_TILES),
            Self::Tiled(cut) => cut.cycles(work.product()),
            Self::TiledF16(cut) => MATRIX_UNITS * cut.cycles(work.product()),
            Self::ImplicitGemm(_) => {
                of_cpu_kernel(limits, on_cpu(windows * on_cpu::PAIRS), work.plain_cycles())
            }
            Self::Direct if limits.is_cpu => on_cpu(on_cpu::REGISTERS),
            Self::Direct => work.plain_cycles(),
        }
    }

    /// Whether it takes the sums of an image in pieces, each added to what the one before has written.
    pub(super) fn takes_pieces(self) -> bool {
        self == Self::Direct
    }

    /// The WGSL file.
    pub(super) fn shader(self, purpose: Purpose) -> &'static Shader {
        match self {
            Self::Direct => &DIRECT,
            Self::ImplicitGemm(_) => &IMPLICIT_GEMM,
            Self::Tiled(_) => &TILED[purpose as usize],
            Self::TiledF16(_) => &TILED_F16[purpose as usize],
        }
    }

    /// The overrides that only this algorithm has.
    pub(super) fn constants(self, purpose: Purpose) -> Vec<(&'static str, f64)> {
        let (left, right) = match purpose {
            Purpose::Forward => (1.0, 1.0),
            Purpose::BackwardInput => (GRADIENT_SCALE, 1.0),
            Purpose::BackwardWeight => (1.0, GRADIENT_SCALE),
        };
        match self {
            Self::Direct => Vec::new(),
            Self::ImplicitGemm(block) => block.constants().to_vec(),
            Self::Tiled(cut) => cut.constants().to_vec(),
            Self::TiledF16(cut) => {
                let mut constants = cut.constants().to_vec();
                constants.extend([("LEFT_SCALE", left), ("RIGHT_SCALE", right)]);
                constants
            }
        }
    }

    /// How y is dispatched, for its `[N, H, W, C]`.
    pub(super) fn forward(self, options: &Conv2dOptions, y: [u32; 4]) -> Images {
        let (extent, chunks) = match self {
            Self::Direct => (strips(y), 1),
            Self::ImplicitGemm(block) => (block.extent(&IMPLICIT_GEMM, [pixels(y), y[3]], 1), 1),
            Self::Tiled(cut) | Self::TiledF16(cut) => {
                (cut.extent(tiled::forward(options, y)), cut.chunks)
            }
        };
        let writes_elements = self.writes_elements(y[3]);
        let reads_elements =
            matches!(self, Self::ImplicitGemm(_)) && !options.in_channels.is_multiple_of(4);
        let entry = match (options.bias, reads_elements || writes_elements) {
            (false, false) => "forward",
            (true, false) => "forward_bias",
            (false, true) => "forward_any",
            (true, true) => "forward_bias_any",
        };
        Images {
            purpose: Purpose::Forward,
            entry,
            input: if reads_elements { "x_elements" } else { "x" },
            weight: "weight",
            output: if writes_elements { "y_any" } else { "y" },
            extent,
            chunks,
        }
    }

    /// How the gradient of x is dispatched, for its `[N, H, W, C]`.
    pub(super) fn backward_input(self, options: &Conv2dOptions, x: [u32; 4]) -> Images {
        let channels = x[3];
        let stride = options.stride;
        let (weight, extent, chunks) = match self {
            Self::Direct => ("weights", strips(x), 1),
            Self::ImplicitGemm(block) => {
                let sizes = [residue_pixels(options, x), channels];
                let extent = block.extent(&IMPLICIT_GEMM, sizes, stride[0] * stride[1]);
                ("weights", extent, 1)
            }
            Self::Tiled(cut) | Self::TiledF16(cut) => {
                let extent = cut.extent(tiled::backward_input(options, x));
                ("weight", extent, cut.chunks)
            }
        };
        let (entry, output) = if self.writes_elements(channels) {
            ("backward_input_any", "dx_any")
        } else {
            ("backward_input", "dx")
        };
        Images {
            purpose: Purpose::BackwardInput,
            entry,
            input: "dy",
            weight,
            output,
            extent,
            chunks,
        }
    }

    /// Whether images with so many channels are written by an entry point of their own, one element at a time.
    fn writes_elements(self, channels: u32) -> bool {
        matches!(self, Self::Tiled(_) | Self::TiledF16(_)) && !channels.is_multiple_of(4)
    }

    /// How the gradient of the weight is dispatched.
    pub(super) fn weight_gradient(self, options: &Conv2dOptions, chunks: u32) -> WeightGradient {
        let (rows, columns) = partial_sizes(options);
        let (entry, input, extent) = match self {
            Self::Direct => ("backward_weight", "input", [rows, columns / 4]),
            Self::ImplicitGemm(block) => {
                let (entry, input, rows) = if options.in_channels.is_multiple_of(4) {
                    // Every tap begins with a block of its own, and so does the bias.
                    let taps = options.kernel_size[0] * options.kernel_size[1];
                    let of_tap = options
                        .in_channels
                        .next_multiple_of(block.rows(&IMPLICIT_GEMM));
                    let rows = taps * of_tap + u32::from(options.bias);
                    ("backward_weight", "input", rows)
                } else {
                    ("backward_weight_any", "elements", rows)
                };
                let [columns, rows, _] = block.extent(&IMPLICIT_GEMM, [rows, columns], 1);
                (entry, input, [columns, rows])
            }
            Self::Tiled(cut) | Self::TiledF16(cut) => {
                let [rows, columns, _] = cut.extent(tiled::weight_product(options));
                ("backward_weight", "x", [rows, columns])
            }
        };
        WeightGradient {
            entry,
            input,
            extent: [extent[0], extent[1], chunks],
        }
    }

    /// Partial sums of the weight gradient for `[N, H, W, C]` of x and y: enough to occupy an adapter, and that its loops end.
    /// `None` if those would be more than it binds. `constants` are the kernel's.
    pub(super) fn chunks(
        self,
        limits: &Limits,
        options: &Conv2dOptions,
        [x, y]: [[u32; 4]; 2],
        constants: &[(&'static str, f64)],
    ) -> Option<u32> {
        let wanted = match self {
            Self::Tiled(cut) | Self::TiledF16(cut) => return Some(cut.chunks),
            Self::Direct => MAX_CHUNKS,
            Self::ImplicitGemm(_) => [x, y]
                .iter()
                .map(|shape| shape.iter().product::<u32>().div_ceil(CACHED_ELEMENTS))
                .sum(),
        };
        let entry = self.weight_gradient(options, 1).entry;
        let lines = y[0] * y[1];
        let iterations = |lines_at_once: u32| {
            let sizes = [
                ("BATCH", y[0].into()),
                ("CHUNKS", lines.div_ceil(lines_at_once).into()),
            ];
            let constants = [&sizes, constants].concat();
            let shader = self.shader(Purpose::BackwardWeight);
            shader.resources(entry, &constants).iterations
        };
        let fewest = pieces(limits, lines, iterations).len() as u32;
        let (rows, columns) = partial_sizes(options);
        let most = MAX_PARTIAL_ELEMENTS.min(limits.binding_elements()) / (rows * columns);
        let chunks = wanted.min(lines).min(most.max(1)).max(fewest);
        (chunks == 1 || chunks <= most).then_some(chunks)
    }
}

impl Candidate for Algorithm {
    fn name(&self) -> String {
        match self {
            Self::Direct => "direct".to_owned(),
            Self::ImplicitGemm(_) => "implicit_gemm".to_owned(),
            Self::Tiled(cut) => format!("tiled {}", cut.name()),
            Self::TiledF16(cut) => format!("tiled f16 {}", cut.name()),
        }
    }

    fn shaders(&self) -> Vec<&'static Shader> {
        match self {
            Self::Direct => vec![&DIRECT],
            Self::ImplicitGemm(_) => vec![&IMPLICIT_GEMM],
            Self::Tiled(_) => TILED.iter().collect(),
            Self::TiledF16(_) => TILED_F16.iter().collect(),
        }
    }

    fn amplification(&self) -> f64 {
        match self {
            Self::TiledF16(_) => F16_AMPLIFICATION,
            Self::Direct | Self::ImplicitGemm(_) | Self::Tiled(_) => 1.0,
        }
    }
}

/// A dispatch that writes images.
pub(super) struct Images {
    /// Which they are.
    pub(super) purpose: Purpose,
    /// The entry point.
    pub(super) entry: &'static str,
    /// Its name of the images that it reads.
    pub(super) input: &'static str,
    /// Its name of the weight.
    pub(super) weight: &'static str,
    /// Its name of the images.
    pub(super) output: &'static str,
    /// The extent.
    pub(super) extent: [u32; 3],
    /// Partial sums that it writes instead of the images.
    pub(super) chunks: u32,
}

/// A dispatch of the gradient of the weight.
pub(super) struct WeightGradient {
    /// The entry point.
    pub(super) entry: &'static str,
    /// Its name of x.
    pub(super) input: &'static str,
    /// The extent.
    pub(super) extent: [u32; 3],
}

/// Rows and columns of a partial sum of the weight gradient: the weight's `[kh, kw, in]` and one for the bias, by its
/// output channels.
pub(super) fn partial_sizes(options: &Conv2dOptions) -> (u32, u32) {
    let [height, width] = options.kernel_size;
    (
        height * width * options.group_channels() + 1,
        options.out_channels.next_multiple_of(4),
    )
}

/// The extent of a kernel whose invocations take a strip of neighbouring pixels and four channels.
fn strips([batch, height, width, channels]: [u32; 4]) -> [u32; 3] {
    let strip = DIRECT.constant("PIXELS");
    [
        batch * height * width.div_ceil(strip),
        channels.div_ceil(4),
        1,
    ]
}

fn pixels([batch, height, width, _]: [u32; 4]) -> u32 {
    batch * height * width
}

/// The most pixels of x that leave the same rest when their place is divided by the stride.
fn residue_pixels(options: &Conv2dOptions, [batch, height, width, _]: [u32; 4]) -> u32 {
    batch * height.div_ceil(options.stride[0]) * width.div_ceil(options.stride[1])
}
