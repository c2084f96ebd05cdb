//! The activation functions.

use proptest::prelude::*;
use spinalnet::layers::{self, Layer};
use spinalnet::plan::{Mode, Parameters, Tape};

use crate::common::tolerance::{
    self, DIVISION, EPS, TINY, assert_exact, assert_not_finite, assert_within,
};
use crate::common::{Bench, Draw, Input, Outcome, Random, Setup, for_all};
use crate::reference::activation::{self, Activation, LEAKY_SLOPE};

/// The layer of each activation, beside its twin.
pub const ACTIVATIONS: [(layers::Activation, Activation); 6] = [
    (layers::Activation::Identity, Activation::Identity),
    (layers::Activation::Relu, Activation::Relu),
    (layers::Activation::LeakyRelu, Activation::LeakyRelu),
    (layers::Activation::Sigmoid, Activation::Sigmoid),
    (layers::Activation::Tanh, Activation::Tanh),
    (layers::Activation::Relu6, Activation::Relu6),
];

/// Absolute error of `y = phi(x)` for an exact x, as the shader computes it.
pub fn error(activation: Activation, x: f64) -> f64 {
    let y = activation.activate(x);
    match activation {
        Activation::Identity | Activation::Relu | Activation::Relu6 => 0.0,
        // The slope is rounded, and the product.
        Activation::LeakyRelu => 2.0 * EPS * LEAKY_SLOPE * x.abs() + TINY,
        // 1 / (1 + e): the error of e weighs e / (1 + e), which is 1 - y. Beyond 88 e may be infinite and y is 0.
        Activation::Sigmoid => y * ((1.0 - y) * tolerance::exp(x) + EPS + DIVISION) + TINY,
        // The odd series below 0.2: it is cut where the next term is below 1e-8, and its five sums and products round.
        Activation::Tanh if x.abs() < 0.2 + EPS => x.abs() * (1e-8 + 10.0 * EPS) + TINY,
        // 1 - t with t = 2 / (exp(2 abs(x)) + 1).
        Activation::Tanh => {
            (1.0 - y.abs()) * (tolerance::exp(2.0 * x.abs().min(20.0)) + EPS + DIVISION) + EPS
        }
    }
}

fn check(outcome: &Outcome, activation: Activation) {
    let (x, y, dy) = (&outcome.x[0], &outcome.y, &outcome.dy);
    let expected = activation::forward(activation, x);
    assert_within("y", y, &expected, |index| error(activation, x[index]));

    // From the y that the device got: 1 - y^2 and y (1 - y) are two roundings away from it.
    let expected = activation::backward(activation, y, dy);
    assert_within("dx", &outcome.dx[0], &expected, |index| {
        4.0 * (EPS * dy[index].abs() + TINY)
    });
}

pub fn activations_match_their_twins(bench: &Bench) {
    let case = (1..300u32, 1..ACTIVATIONS.len(), any::<bool>());
    for_all(
        &[
            (1, 1, false),
            (64, 2, true),
            (65, 3, true),
            (63, 4, true),
            (1000, 1, true),
            (1000, 5, true),
        ],
        4,
        case,
        |&(size, choice, twice)| {
            let (layer, twin) = ACTIVATIONS[choice];
            let mut random = Random(3);
            let values = random.values(Draw::Uniform, size as usize);
            let input = Input::new([size], values.iter().map(|value| 8.0 * value).collect());
            let setup = Setup {
                twice,
                ..Setup::without_parameters(input, Draw::Uniform)
            };
            for outcome in bench.trial(&setup, |tape, x| layer.forward(tape, x[0])) {
                check(&outcome, twin);
            }
        },
    );
}

pub fn activations_saturate_far_from_zero(bench: &Bench) {
    let sizes = [
        0.0, 1e-30, 1e-6, 0.1, 0.199, 0.2, 0.201, 0.5, 1.0, 5.0, 5.9999995, 6.0, 6.0000005, 9.0,
        15.0, 19.9, 20.1, 50.0, 87.0, 89.0, 100.0, 1e4, 1e30,
    ];
    let values: Vec<f32> = sizes.iter().flat_map(|&size| [size, -size]).collect();
    for (layer, twin) in ACTIVATIONS {
        let input = Input::new([values.len() as u32], values.clone());
        let setup = Setup::without_parameters(input, Draw::Uniform);
        for outcome in bench.trial(&setup, |tape, x| layer.forward(tape, x[0])) {
            check(&outcome, twin);
        }
    }
}

pub fn activations_let_nan_through(bench: &Bench) {
    let kinds = [
        f32::NAN,
        -f32::NAN,
        f32::INFINITY,
        -f32::INFINITY,
        1.0,
        -1.0,
    ];
    let values: Vec<f32> = kinds.iter().copied().cycle().take(70).collect();
    for (layer, twin) in ACTIVATIONS {
        let input = Input::new([values.len() as u32], values.clone());
        let setup = Setup::without_parameters(input, Draw::Uniform);
        for outcome in bench.trial(&setup, |tape, x| layer.forward(tape, x[0])) {
            assert_not_finite("y", &outcome.y, &activation::forward(twin, &outcome.x[0]));
            let expected = activation::backward(twin, &outcome.y, &outcome.dy);
            assert_not_finite("dx", &outcome.dx[0], &expected);
            if matches!(twin, Activation::Relu | Activation::Relu6) {
                assert_exact("dx", &outcome.dx[0], &expected);
            }
        }
    }
}

/// More workgroups than fit along one dimension of a grid: the rest goes to a second row.
pub fn a_long_extent_is_folded(bench: &Bench) {
    let size = 64 * 65_535 + 70;
    let mut tape = Tape::new("long", &Parameters::default(), Mode::Evaluate);
    let x = tape.tensor("x", [size]);
    let y = layers::Activation::Relu.forward(&mut tape, x);
    let values = Random(12).values(Draw::Uniform, size as usize);
    let expected: Vec<f32> = values.iter().map(|value| value.max(0.0)).collect();
    for open in bench.open(&tape.finish()) {
        open.write(x, &values);
        open.run();
        assert!(open.read::<f32>(y) == expected, "an element is missing");
    }
}
