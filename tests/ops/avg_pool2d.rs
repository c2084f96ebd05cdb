//! Adaptive average pooling.

use proptest::prelude::*;
use spinalnet::layers::{AvgPool2d, Layer};

use crate::common::tolerance::{DIVISION, EPS, assert_within, sum};
use crate::common::{Bench, Draw, Input, Setup, for_all, magnitudes};
use crate::reference::avg_pool2d;

/// Batch, height, width, channels; windows; used twice.
type Case = ([u32; 4], [u32; 2], bool);

/// Global pooling, one window for each pixel, windows side by side, windows that overlap, more windows than pixels.
const LISTED: [Case; 7] = [
    ([1, 1, 1, 1], [1, 1], false),
    ([2, 7, 7, 65], [1, 1], false),
    ([1, 3, 5, 3], [3, 5], true),
    ([3, 4, 6, 10], [2, 3], true),
    ([2, 5, 7, 3], [3, 4], true),
    ([1, 13, 3, 1], [2, 2], false),
    ([1, 2, 3, 2], [5, 4], true),
];

fn cases() -> impl Strategy<Value = Case> {
    (
        [1..4u32, 1..14, 1..14, 1..70],
        [1..6u32, 1..6],
        any::<bool>(),
    )
}

pub fn avg_pool2d_matches_its_twin(bench: &Bench) {
    for_all(&LISTED, 4, cases(), |&(shape, out, twice)| {
        let setup = Setup {
            twice,
            ..Setup::without_parameters(Input::drawn(shape, Draw::Uniform), Draw::Uniform)
        };
        let [batch, height, width, channels] = shape.map(|size| size as usize);
        let twin = avg_pool2d::AvgPool2d {
            batch,
            height,
            width,
            channels,
            out: out.map(|size| size as usize),
        };
        // Pixels of a window, and windows of a pixel, at most: along an axis one more than the quotient, rounded up.
        let most = |size: usize, other: usize| size.div_ceil(other) + 1;
        let pixels = most(height, twin.out[0]) * most(width, twin.out[1]);
        let windows = most(twin.out[0], height) * most(twin.out[1], width);
        for outcome in bench.trial(&setup, |tape, x| AvgPool2d { out }.forward(tape, x[0])) {
            let x = &outcome.x[0];
            let expected = avg_pool2d::forward(&twin, x);
            let scale = avg_pool2d::forward(&twin, &magnitudes(x));
            assert_within("y", &outcome.y, &expected, |index| {
                sum(pixels, scale[index]) + DIVISION * scale[index]
            });
            let expected = avg_pool2d::backward(&twin, &outcome.dy);
            let scale = avg_pool2d::backward(&twin, &magnitudes(&outcome.dy));
            // Used twice, it adds twice as many shares.
            assert_within("dx", &outcome.dx[0], &expected, |index| {
                sum(2 * windows, scale[index]) + (DIVISION + EPS) * scale[index]
            });
        }
    });
}
