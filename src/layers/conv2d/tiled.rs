//! The matrix products that `shaders/conv2d/tiled` makes of a convolution.

use super::Conv2dOptions;
use crate::layers::tile::Product;
use crate::plan::Shader;

/// The tiles in f32, by purpose.
pub(super) static TILED: [Shader; 3] = [
    crate::shader!("conv2d/tiled/forward"),
    crate::shader!("conv2d/tiled/backward_input"),
    crate::shader!("conv2d/tiled/backward_weight"),
];

/// The same with factors in f16.
pub(super) static TILED_F16: [Shader; 3] = [
    crate::shader!(f16 "conv2d/tiled/forward"),
    crate::shader!(f16 "conv2d/tiled/backward_input"),
    crate::shader!(f16 "conv2d/tiled/backward_weight"),
];

/// Pixels of y by its channels, for `[N, H, W, C]` of y.
pub(super) fn forward(options: &Conv2dOptions, y: [u32; 4]) -> Product {
    let taps = taps(options);
    let steps = if options.in_channels.is_multiple_of(4) {
        taps * options.in_channels.div_ceil(tiled_depth())
    } else {
        (taps * options.in_channels).div_ceil(tiled_depth())
    };
    Product {
        rows: y[0] * y[1] * y[2],
        columns: options.out_channels,
        steps,
        count: 1,
        shares: 2,
    }
}

/// Pixels of x that leave the same rest when divided by the stride, by the channels of x: a product for each rest. For
/// `[N, H, W, C]` of x.
pub(super) fn backward_input(options: &Conv2dOptions, x: [u32; 4]) -> Product {
    let [stride_h, stride_w] = options.stride;
    let [kernel_h, kernel_w] = options.kernel_size;
    let taps = kernel_h.div_ceil(stride_h) * kernel_w.div_ceil(stride_w);
    Product {
        rows: x[0] * x[1].div_ceil(stride_h) * x[2].div_ceil(stride_w),
        columns: options.in_channels,
        steps: taps * options.out_channels.div_ceil(tiled_depth()),
        count: stride_h * stride_w,
        shares: 2,
    }
}

/// Rows of the weight by output channels, summed over the pixels of `[N, H, W, C]` of y.
pub(super) fn backward_weight(options: &Conv2dOptions, y: [u32; 4]) -> Product {
    Product {
        steps: (y[0] * y[1] * y[2]).div_ceil(tiled_depth()),
        ..weight_product(options)
    }
}

/// The same for one step.
pub(super) fn weight_product(options: &Conv2dOptions) -> Product {
    Product {
        rows: taps(options) * options.in_channels,
        columns: options.out_channels,
        steps: 1,
        count: 1,
        shares: 2,
    }
}

fn taps(options: &Conv2dOptions) -> u32 {
    options.kernel_size[0] * options.kernel_size[1]
}

/// Summands of a step of the tiled product.
fn tiled_depth() -> u32 {
    TILED[0].constant("TILE_DEPTH")
}
