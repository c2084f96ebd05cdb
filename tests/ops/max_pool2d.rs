//! Max pooling.

use proptest::prelude::*;
use spinalnet::layers::{Layer, MaxPool2d};

use crate::common::tolerance::{assert_exact, assert_not_finite};
use crate::common::{Bench, Draw, Input, Random, Setup, for_all, magnitudes};
use crate::reference::max_pool2d;

/// Batch, height, width, channels; window, stride and padding; integers, among which ties are common; used twice.
type Case = ([u32; 4], [[u32; 2]; 3], Draw, bool);

const LISTED: [Case; 11] = [
    ([1, 1, 1, 1], [[1, 1], [1, 1], [0, 0]], Draw::Uniform, false),
    (
        [2, 24, 24, 10],
        [[2, 2], [2, 2], [0, 0]],
        Draw::Uniform,
        false,
    ),
    ([1, 5, 7, 3], [[2, 2], [2, 2], [0, 0]], Draw::Integers, true),
    ([2, 7, 6, 2], [[3, 3], [1, 1], [0, 0]], Draw::Integers, true),
    (
        [1, 7, 5, 1],
        [[3, 2], [2, 1], [0, 0]],
        Draw::Integers,
        false,
    ),
    (
        [1, 9, 8, 5],
        [[2, 2], [3, 4], [0, 0]],
        Draw::Integers,
        false,
    ),
    ([1, 4, 3, 2], [[4, 3], [1, 1], [0, 0]], Draw::Integers, true),
    ([2, 8, 7, 3], [[3, 3], [2, 2], [1, 1]], Draw::Integers, true),
    (
        [1, 1, 1, 5],
        [[3, 2], [2, 1], [1, 1]],
        Draw::Integers,
        false,
    ),
    ([1, 5, 6, 1], [[2, 5], [1, 3], [1, 2]], Draw::Integers, true),
    ([1, 2, 3, 2], [[5, 3], [4, 7], [2, 0]], Draw::Uniform, false),
];

fn cases() -> impl Strategy<Value = Case> {
    let axis = (1..12u32, 1..5u32, 1..4u32).prop_flat_map(|(size, window, stride)| {
        let padding = 0..=window / 2;
        padding.prop_map(move |padding| (size, window.min(size + 2 * padding), stride, padding))
    });
    let draw = prop_oneof![Just(Draw::Uniform), Just(Draw::Integers)];
    (1..4u32, axis.clone(), axis, 1..6u32, draw, any::<bool>()).prop_map(
        |(
            batch,
            (height, window_h, stride_h, padding_h),
            (width, window_w, stride_w, padding_w),
            channels,
            draw,
            twice,
        )| {
            (
                [batch, height, width, channels],
                [
                    [window_h, window_w],
                    [stride_h, stride_w],
                    [padding_h, padding_w],
                ],
                draw,
                twice,
            )
        },
    )
}

fn layer_and_twin(
    shape: [u32; 4],
    [window, stride, padding]: [[u32; 2]; 3],
) -> (MaxPool2d, max_pool2d::MaxPool2d) {
    let layer = MaxPool2d {
        window,
        stride,
        padding,
    };
    let [batch, height, width, channels] = shape.map(|size| size as usize);
    let pair = |pair: [u32; 2]| pair.map(|size| size as usize);
    let twin = max_pool2d::MaxPool2d {
        batch,
        height,
        width,
        channels,
        window: pair(window),
        stride: pair(stride),
        padding: pair(padding),
    };
    (layer, twin)
}

pub fn max_pool2d_matches_its_twin(bench: &Bench) {
    for_all(&LISTED, 5, cases(), |&(shape, windows, draw, twice)| {
        let setup = Setup {
            twice,
            ..Setup::without_parameters(Input::drawn(shape, draw), draw)
        };
        let (layer, twin) = layer_and_twin(shape, windows);
        for outcome in bench.trial(&setup, |tape, x| layer.forward(tape, x[0])) {
            let x = &outcome.x[0];
            assert_exact("y", &outcome.y, &max_pool2d::forward(&twin, x));
            let expected = max_pool2d::backward(&twin, x, &outcome.dy);
            let scale = max_pool2d::backward(&twin, x, &magnitudes(&outcome.dy));
            let windows_of_a_pixel = twin.window[0] * twin.window[1];
            outcome.assert_sums("dx", &outcome.dx[0], &expected, windows_of_a_pixel, &scale);
        }
    });
}

/// NaN is the largest of a window wherever it stands in it, and takes the gradient.
pub fn max_pool2d_lets_nan_through(bench: &Bench) {
    let shape = [2, 7, 6, 3];
    let mut values = Random(1).values(Draw::Integers, shape.iter().product::<u32>() as usize);
    for (place, value) in values.iter_mut().step_by(5).enumerate() {
        *value = [f32::NAN, f32::INFINITY, -f32::INFINITY, -f32::NAN][place % 4];
    }
    for windows in [
        [[2, 2], [2, 2], [0, 0]],
        [[3, 2], [1, 1], [0, 0]],
        [[3, 3], [2, 2], [1, 1]],
    ] {
        let input = Input::new(shape, values.clone());
        let setup = Setup::without_parameters(input, Draw::Integers);
        let (layer, twin) = layer_and_twin(shape, windows);
        for outcome in bench.trial(&setup, |tape, x| layer.forward(tape, x[0])) {
            let x = &outcome.x[0];
            assert_not_finite("y", &outcome.y, &max_pool2d::forward(&twin, x));
            let expected = max_pool2d::backward(&twin, x, &outcome.dy);
            assert_exact("dx", &outcome.dx[0], &expected);
        }
    }
}
