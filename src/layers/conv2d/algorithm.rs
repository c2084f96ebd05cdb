//! The kernels of a convolution: which ones fit an adapter and a shape, and how they cut the work.
//!
//! All files have the same entry points, bindings and constants; only what an invocation covers differs.

use super::Conv2dOptions;
use crate::plan::{AdapterClass, Shader};

static DIRECT: Shader = crate::shader!("conv2d/direct");
static IMPLICIT_GEMM: Shader = crate::shader!("conv2d/implicit_gemm");

/// Partial sums of the weight gradient of direct convolution: enough to occupy a device, few enough to add up cheaply.
const MAX_CHUNKS: u32 = 64;

/// Elements of all partial sums together: 64 MiB, half of what every adapter binds.
const MAX_PARTIAL_ELEMENTS: u32 = 1 << 24;

/// Elements of x and dy in a chunk of the weight gradient on CPU adapters: 512 KiB stay in a core's cache while all its
/// workgroups read them.
const CACHED_ELEMENTS: u32 = 1 << 17;

/// A way to compute a convolution and its gradients.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Algorithm {
    /// Every invocation walks over the windows of its own pixels. Any shape, any adapter.
    Direct,
    /// A matrix product with one factor read through the windows. CPU adapters, channels in fours.
    ImplicitGemm,
}

impl Algorithm {
    /// The fastest one for a class of adapters that takes `[N, H, W, C]` of x and y.
    pub(super) fn choose(
        class: AdapterClass,
        options: &Conv2dOptions,
        x: [u32; 4],
        y: [u32; 4],
    ) -> Self {
        let in_fours = [options.in_channels, options.out_channels]
            .iter()
            .all(|channels| channels.is_multiple_of(4));
        let longest = Self::gemm_iterations(options, x, y);
        if class == AdapterClass::Cpu && in_fours && longest <= class.loop_iterations() {
            Self::ImplicitGemm
        } else {
            Self::Direct
        }
    }

    /// The WGSL file.
    pub(super) fn shader(self) -> &'static Shader {
        match self {
            Self::Direct => &DIRECT,
            Self::ImplicitGemm => &IMPLICIT_GEMM,
        }
    }

    /// The extent of `forward` for `[N, H, W, C]` of y.
    pub(super) fn forward_extent(self, y: [u32; 4]) -> [u32; 3] {
        match self {
            Self::Direct => strips(y),
            Self::ImplicitGemm => tiles(y[0] * y[1] * y[2], y[3]),
        }
    }

    /// The extent of `backward_input` for `[N, H, W, C]` of x.
    pub(super) fn backward_input_extent(self, x: [u32; 4], stride: [u32; 2]) -> [u32; 3] {
        let [batch, height, width, channels] = x;
        match self {
            Self::Direct => strips(x),
            Self::ImplicitGemm => {
                // Pixels by what is left of their place when divided by the stride.
                let pixels = batch * height.div_ceil(stride[0]) * width.div_ceil(stride[1]);
                let [pixels, channels, _] = tiles(pixels, channels);
                [pixels, channels, stride[0] * stride[1]]
            }
        }
    }

    /// The extent of `backward_weight`.
    pub(super) fn backward_weight_extent(self, options: &Conv2dOptions, chunks: u32) -> [u32; 3] {
        let (rows, columns) = partial_sizes(options);
        match self {
            Self::Direct => [rows, columns / 4, chunks],
            Self::ImplicitGemm => {
                let taps = options.kernel_size[0] * options.kernel_size[1];
                let blocks = options.in_channels.div_ceil(IMPLICIT_GEMM.constant("ROWS"));
                let groups = taps * blocks + u32::from(options.bias);
                let [groups, columns, _] = tiles(groups * IMPLICIT_GEMM.constant("ROWS"), columns);
                [groups, columns, chunks]
            }
        }
    }

    /// Partial sums of the weight gradient for `[N, H, W, C]` of x and y.
    pub(super) fn chunks(self, options: &Conv2dOptions, x: [u32; 4], y: [u32; 4]) -> u32 {
        let wanted = match self {
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

    /// Iterations of the longest invocation of the matrix product: over windows and channels, or lines and their pixels.
    fn gemm_iterations(options: &Conv2dOptions, x: [u32; 4], y: [u32; 4]) -> u64 {
        let [kernel_h, kernel_w] = options.kernel_size;
        let window = |inner: u32| u64::from(kernel_h) * u64::from(1 + kernel_w * (1 + inner));
        let lines = (y[0] * y[1]).div_ceil(Self::ImplicitGemm.chunks(options, x, y));
        let columns = y[2].div_ceil(IMPLICIT_GEMM.constant("UNROLL"));
        window(options.in_channels / 4)
            .max(window(options.out_channels / 2))
            .max(u64::from(lines) * u64::from(1 + columns))
    }
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
