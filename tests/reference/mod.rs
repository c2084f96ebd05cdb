//! f64 twins of the shaders: the same names, the same layouts, the plainest loops.
//!
//! `reference/conv2d.rs` is the truth about `shaders/conv2d*`. A twin uses nothing of the crate, so a mistake in the
//! crate cannot hide in it, and it is written to be checked by eye. `tests/twins.rs` checks every backward against
//! central differences of its forward; `tests/ops.rs` checks every shader against its twin.
//!
//! Activations are channels last, `[N, H, W, C]` or `[N, F]`, row-major. Linear weights are `[OUT, IN]` and convolution
//! weights `[COUT, CIN, KH, KW]`, as PyTorch orders them.
#![allow(dead_code, reason = "each test binary uses part of the twins")]
#![allow(
    clippy::needless_range_loop,
    reason = "indices are written out, as in the shaders"
)]

pub mod activation;
pub mod adam;
pub mod add;
pub mod augment;
pub mod avg_pool2d;
pub mod batch_norm;
pub mod ceiling;
pub mod clip;
pub mod concat;
pub mod conv2d;
pub mod cross_entropy;
pub mod dropout;
pub mod gather;
pub mod linear;
pub mod max_pool2d;
pub mod mse;
pub mod random;
pub mod sgd;
pub mod spinal;
pub mod torchvision;
pub mod winograd;
