//! Flattening to PyTorch's order: a permutation.

use proptest::prelude::*;
use spinalnet::layers::{Flatten, Layer};

use crate::common::tolerance::assert_exact;
use crate::common::{Bench, Draw, Input, Setup, for_all};

/// `[N, H*W, C]` to `[N, C, H*W]`.
fn transposed(values: &[f64], [batch, pixels, channels]: [usize; 3]) -> Vec<f64> {
    let mut y = vec![0.0; values.len()];
    for n in 0..batch {
        for p in 0..pixels {
            for c in 0..channels {
                y[(n * channels + c) * pixels + p] = values[(n * pixels + p) * channels + c];
            }
        }
    }
    y
}

pub fn flatten_matches_pytorch_order(bench: &Bench) {
    let shapes = [1..5u32, 1..7, 1..7, 1..9];
    for_all(
        &[
            ([1, 1, 1, 1], false),
            ([3, 1, 1, 5], true),
            ([2, 4, 4, 20], true),
            ([2, 5, 3, 1], false),
        ],
        3,
        (shapes, any::<bool>()),
        |&(shape, twice)| {
            let setup = Setup {
                twice,
                ..Setup::without_parameters(Input::drawn(shape, Draw::Uniform), Draw::Uniform)
            };
            let [batch, height, width, channels] = shape.map(|size| size as usize);
            if twice && (height * width == 1 || channels == 1) {
                return; // y is x itself, which is not added to itself
            }
            for outcome in bench.trial(&setup, |tape, x| Flatten.forward(tape, x[0])) {
                let y = transposed(&outcome.x[0], [batch, height * width, channels]);
                let dx = transposed(&outcome.dy, [batch, channels, height * width]);
                assert_exact("y", &outcome.y, &y);
                assert_exact("dx", &outcome.dx[0], &dx);
            }
        },
    );
}
