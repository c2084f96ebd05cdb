//! The kernels of a convolution: which ones fit an adapter and a shape, and how they cut the work.
//!
//! All files have the same entry points, bindings and constants; only what an invocation covers differs.

use super::{Conv2dOptions, tiled};
use crate::layers::tile::Cut;
use crate::plan::{AdapterClass, Candidate, Kernels, Shader};

static DIRECT: Shader = crate::shader!("conv2d/direct");
static IMPLICIT_GEMM: Shader = crate::shader!("conv2d/implicit_gemm");
static TILED: [Shader; 3] = [
    crate::shader!("conv2d/tiled/forward"),
    crate::shader!("conv2d/tiled/backward_input"),
    crate::shader!("conv2d/tiled/backward_weight"),
];
static TILED_F16: [Shader; 3] = [
    crate::shader!(f16 "conv2d/tiled/forward"),
    crate::shader!(f16 "conv2d/tiled/backward_input"),
    crate::shader!(f16 "conv2d/tiled/backward_weight"),
];

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
    /// Every invocation walks over the windows of its own pixels. Any shape, any adapter.
    Direct,
    /// A matrix product with one factor read through the windows. CPU adapters; channels of y in fours, and for the
    /// gradient of x those of x.
    ImplicitGemm,
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

impl Algorithm {
    /// Those that fit, for y from `[N, H, W, C]` of x.
    pub(super) fn of_forward(
        kernels: &Kernels,
        options: &Conv2dOptions,
        x: [u32; 4],
        y: [u32; 4],
    ) -> Vec<Self> {
        let mut fitting = tiled::candidates(kernels, x, y, tiled::forward(options, y));
        fitting.extend(Self::of_images(kernels.class(), options, true));
        fitting
    }

    /// Those that fit, for the gradient of x.
    pub(super) fn of_backward_input(
        kernels: &Kernels,
        options: &Conv2dOptions,
        x: [u32; 4],
        y: [u32; 4],
    ) -> Vec<Self> {
        let mut fitting = tiled::candidates(kernels, x, y, tiled::backward_input(options, x));
        let in_fours = options.in_channels.is_multiple_of(4);
        fitting.extend(Self::of_images(kernels.class(), options, in_fours));
        fitting
    }

    /// Those without tiles that fit, for y and the gradient of x.
    fn of_images(class: AdapterClass, options: &Conv2dOptions, fits: bool) -> Vec<Self> {
        let [height, width] = options.kernel_size.map(u64::from);
        let channels = options.in_channels.max(options.out_channels);
        let per_tap = if options.in_channels.is_multiple_of(4) {
            channels / 2
        } else {
            channels
        };
        let iterations = height * (1 + width * (1 + u64::from(per_tap)));
        Self::of(class, options, fits, iterations)
    }

    /// Those that fit, for the gradient of the weight, for `[N, H, W, C]` of x and y.
    pub(super) fn of_weight(
        kernels: &Kernels,
        options: &Conv2dOptions,
        x: [u32; 4],
        y: [u32; 4],
    ) -> Vec<Self> {
        let mut fitting = tiled::candidates(kernels, x, y, tiled::backward_weight(options, y));
        let lines = (y[0] * y[1]).div_ceil(Self::ImplicitGemm.chunks(options, x, y));
        let iterations = u64::from(lines) * u64::from(1 + y[2]);
        fitting.extend(Self::of(kernels.class(), options, true, iterations));
        fitting
    }

    /// The matrix product if its invocations take no more than `iterations`, and the shape and the adapter are its own.
    fn of(class: AdapterClass, options: &Conv2dOptions, fits: bool, iterations: u64) -> Vec<Self> {
        let in_fours = options.out_channels.is_multiple_of(4);
        let is_cpu = class == AdapterClass::Cpu;
        if is_cpu && fits && in_fours && iterations <= class.loop_iterations() {
            vec![Self::ImplicitGemm, Self::Direct]
        } else {
            vec![Self::Direct]
        }
    }

    /// The WGSL file.
    pub(super) fn shader(self, purpose: Purpose) -> &'static Shader {
        match self {
            Self::Direct => &DIRECT,
            Self::ImplicitGemm => &IMPLICIT_GEMM,
            Self::Tiled(_) => &TILED[purpose as usize],
            Self::TiledF16(_) => &TILED_F16[purpose as usize],
        }
    }

    /// The overrides that only this algorithm has.
    pub(super) fn constants(
        self,
        purpose: Purpose,
        options: &Conv2dOptions,
    ) -> Vec<(&'static str, f64)> {
        let (left, right) = match purpose {
            Purpose::Forward => (1.0, 1.0),
            Purpose::BackwardInput => (GRADIENT_SCALE, 1.0),
            Purpose::BackwardWeight => (1.0, GRADIENT_SCALE),
        };
        match self {
            Self::Direct => match purpose {
                Purpose::Forward => vec![
                    ("FIRST", 0.0),
                    ("COUNT", options.in_channels.into()),
                    ("ACCUMULATE", 0.0),
                ],
                Purpose::BackwardInput => {
                    vec![("FIRST", 0.0), ("COUNT", options.out_channels.into())]
                }
                Purpose::BackwardWeight => Vec::new(),
            },
            Self::ImplicitGemm => Vec::new(),
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
            Self::ImplicitGemm => (tiles(y[0] * y[1] * y[2], y[3]), 1),
            Self::Tiled(cut) | Self::TiledF16(cut) => {
                (cut.extent(tiled::forward(options, y)), cut.chunks)
            }
        };
        let writes_elements = self.writes_elements(y[3]);
        let reads_elements = self == Self::ImplicitGemm && !options.in_channels.is_multiple_of(4);
        let entry = match (options.bias, reads_elements || writes_elements) {
            (false, false) => "forward",
            (true, false) => "forward_bias",
            (false, true) => "forward_any",
            (true, true) => "forward_bias_any",
        };
        Images {
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
        let [batch, height, width, channels] = x;
        let stride = options.stride;
        let (weight, extent, chunks) = match self {
            Self::Direct => ("weights", strips(x), 1),
            Self::ImplicitGemm => {
                // Pixels by what is left of their place when divided by the stride.
                let pixels = batch * height.div_ceil(stride[0]) * width.div_ceil(stride[1]);
                let [pixels, channels, _] = tiles(pixels, channels);
                ("weights", [pixels, channels, stride[0] * stride[1]], 1)
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
        let [tile_rows, tile_columns, _] = tiles(rows, columns);
        let (entry, input, extent) = match self {
            Self::Direct => ("backward_weight", "input", [rows, columns / 4]),
            Self::ImplicitGemm if options.in_channels.is_multiple_of(4) => {
                // Every tap begins with a tile of its own, and so does the bias.
                let taps = options.kernel_size[0] * options.kernel_size[1];
                let [tap_rows, _, _] = tiles(options.in_channels, columns);
                let [bias_rows, _, _] = tiles(options.bias.into(), columns);
                let extent = [taps * tap_rows + bias_rows, tile_columns];
                ("backward_weight", "input", extent)
            }
            Self::ImplicitGemm => ("backward_weight_any", "elements", [tile_rows, tile_columns]),
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

    /// Partial sums of the weight gradient for `[N, H, W, C]` of x and y.
    pub(super) fn chunks(self, options: &Conv2dOptions, x: [u32; 4], y: [u32; 4]) -> u32 {
        let wanted = match self {
            Self::Tiled(cut) | Self::TiledF16(cut) => return cut.chunks,
            Self::Direct => MAX_CHUNKS,
            Self::ImplicitGemm => [x, y]
                .iter()
                .map(|shape| shape.iter().product::<u32>().div_ceil(CACHED_ELEMENTS))
                .sum(),
        };
        let (rows, columns) = partial_sizes(options);
        let largest = (MAX_PARTIAL_ELEMENTS / (rows * columns)).max(1);
        wanted.min(y[0] * y[1]).min(largest)
    }
}

impl Candidate for Algorithm {
    fn name(&self) -> String {
        match self {
            Self::Direct => "direct".to_owned(),
            Self::ImplicitGemm => "implicit_gemm".to_owned(),
            Self::Tiled(cut) => format!("tiled {}", cut.name()),
            Self::TiledF16(cut) => format!("tiled f16 {}", cut.name()),
        }
    }

    fn shaders(&self) -> Vec<&'static Shader> {
        match self {
            Self::Direct => vec![&DIRECT],
            Self::ImplicitGemm => vec![&IMPLICIT_GEMM],
            Self::Tiled(_) => TILED.iter().collect(),
            Self::TiledF16(_) => TILED_F16.iter().collect(),
        }
    }

    fn amplification(&self) -> f64 {
        match self {
            Self::TiledF16(_) => F16_AMPLIFICATION,
            Self::Direct | Self::ImplicitGemm | Self::Tiled(_) => 1.0,
        }
    }
}

/// A dispatch that writes images.
pub(super) struct Images {
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
        height * width * options.in_channels + 1,
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

/// The extent of a kernel whose workgroups take a tile of a matrix product.
fn tiles(rows: u32, columns: u32) -> [u32; 3] {
    let constant = |name| IMPLICIT_GEMM.constant(name);
    [
        rows.div_ceil(constant("ROWS")) * constant("LANES"),
        columns.div_ceil(constant("COLUMNS")),
        1,
    ]
}

/// Summands of a step of the tiled product.
pub(super) fn tiled_depth() -> u32 {
    TILED[0].constant("TILE_DEPTH")
}
