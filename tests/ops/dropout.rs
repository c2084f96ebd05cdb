//! Dropout: the mask is the twin's, bit for bit, and the kept values are scaled.

use proptest::prelude::*;
use spinalnet::layers::{Add, Dropout, Granularity, Layer};

use crate::common::tolerance::{EPS, assert_within};
use crate::common::{Bench, Draw, Input, Outcome, Setup, for_all};
use crate::reference::dropout::{self, Images};

fn setup(shape: [u32; 4], [seed, in_training]: [u32; 2]) -> Setup {
    Setup {
        step: [seed, 7, in_training],
        ..Setup::without_parameters(Input::drawn(shape, Draw::Uniform), Draw::Uniform)
    }
}

fn check(outcome: &Outcome, expected: [Vec<f64>; 2]) {
    let zeros = |values: &[f64]| values.iter().map(|&value| value == 0.0).collect::<Vec<_>>();
    for (what, got, expected) in [
        ("y", &outcome.y, &expected[0]),
        ("dx", &outcome.dx[0], &expected[1]),
    ] {
        assert!(zeros(got) == zeros(expected), "{what}: another mask");
        // The scale is rounded, and the product.
        assert_within(what, got, expected, |index| {
            2.0 * EPS * expected[index].abs()
        });
    }
}

fn probabilities() -> impl Strategy<Value = f64> {
    prop_oneof![Just(0.5), 0.001..0.999f64]
}

pub fn dropout_matches_its_twin_bit_for_bit(bench: &Bench) {
    let listed = [
        ([1, 1, 1, 1], 0.5, [0, 0]),
        ([3, 5, 7, 11], 0.25, [1, u32::MAX]),
        ([16, 24, 24, 20], 0.5, [2, 1]),
        ([1, 1, 1, 500], 0.999, [u32::MAX, 3]),
    ];
    for_all(
        &listed,
        3,
        (
            [1..5u32, 1..5, 1..5, 1..9],
            probabilities(),
            any::<[u32; 2]>(),
        ),
        |&(shape, p, state)| {
            let layer = Dropout::new(p, Granularity::Element);
            for outcome in bench.trial(&setup(shape, state), |tape, x| layer.forward(tape, x[0])) {
                let twin = dropout::Dropout {
                    p,
                    seed: state[0],
                    step: state[1],
                    layer: 1,
                };
                check(
                    &outcome,
                    [
                        dropout::forward(&twin, &outcome.x[0]),
                        dropout::backward(&twin, &outcome.dy),
                    ],
                );
            }
        },
    );
}

pub fn dropout2d_matches_its_twin_bit_for_bit(bench: &Bench) {
    let listed = [([2, 8, 8, 20], 0.5, [1, 0]), ([2, 3, 1, 5], 0.9, [9, 4])];
    for_all(
        &listed,
        3,
        (
            [1..5u32, 1..5, 1..5, 1..9],
            probabilities(),
            any::<[u32; 2]>(),
        ),
        |&(shape, p, state)| {
            let layer = Dropout::new(p, Granularity::Channel);
            let [batch, height, width, channels] = shape.map(|size| size as usize);
            let images = Images {
                batch,
                pixels: height * width,
                channels,
            };
            for outcome in bench.trial(&setup(shape, state), |tape, x| layer.forward(tape, x[0])) {
                let twin = dropout::Dropout {
                    p,
                    seed: state[0],
                    step: state[1],
                    layer: 1,
                };
                let y = dropout::forward_2d(&twin, &images, &outcome.x[0]);
                check(
                    &outcome,
                    [y, dropout::backward_2d(&twin, &images, &outcome.dy)],
                );
            }
        },
    );
}

/// Two masks of one tensor and the tensor itself: the layers draw independently, and the gradients add up.
pub fn dropout_adds_to_a_gradient(bench: &Bench) {
    let layer = Dropout::new(0.5, Granularity::Element);
    let outcomes = bench.trial(&setup([2, 3, 5, 7], [11, 13]), |tape, x| {
        let [first, second] = [0, 1].map(|_| layer.forward(tape, x[0]));
        let both = Add.forward(tape, first, second);
        Add.forward(tape, both, x[0])
    });
    for outcome in outcomes {
        let twin = |layer| dropout::Dropout {
            p: 0.5,
            seed: 11,
            step: 13,
            layer,
        };
        // With p = 1/2 the scale is 2, so that only the sums round.
        let sums = |values: &[f64]| -> Vec<f64> {
            let masked = [1, 2].map(|layer| dropout::forward(&twin(layer), values));
            (0..values.len())
                .map(|index| masked[0][index] + masked[1][index] + values[index])
                .collect()
        };
        let (y, dx) = (sums(&outcome.x[0]), sums(&outcome.dy));
        assert_within("y", &outcome.y, &y, |index| 2.0 * EPS * y[index].abs());
        assert_within("dx", &outcome.dx[0], &dx, |index| {
            2.0 * EPS * dx[index].abs()
        });
    }
}
