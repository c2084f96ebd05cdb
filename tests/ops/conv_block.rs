//! Convolution, pooling and activation in one: composed, and by the kernels for CPU adapters.

use proptest::prelude::*;
use spinalnet::layers::{Conv2d, Conv2dOptions, ConvBlock, Layer};
use spinalnet::plan::Parameters;

use super::activation::{ACTIVATIONS, error};
use crate::common::tolerance::{self, assert_exact, assert_not_finite, assert_within};
use crate::common::{AdapterClass, Bench, Draw, Input, Outcome, Setup, for_all, magnitudes};
use crate::reference::activation::{self, Activation};
use crate::reference::conv2d;
use crate::reference::max_pool2d::{self, MaxPool2d};

#[derive(Clone, Debug)]
struct Case {
    conv: conv2d::Conv2d,
    pool: [usize; 2],
    /// Index into [`ACTIVATIONS`].
    activation: usize,
    draw: Draw,
    twice: bool,
    class: AdapterClass,
}

impl Case {
    fn shape(&self) -> [u32; 4] {
        let conv = &self.conv;
        [conv.batch, conv.height, conv.width, conv.in_channels].map(|size| size as u32)
    }

    fn windows(&self) -> MaxPool2d {
        MaxPool2d {
            batch: self.conv.batch,
            height: self.conv.out_height(),
            width: self.conv.out_width(),
            channels: self.conv.out_channels,
            window: self.pool,
            stride: self.pool,
            padding: [0, 0],
        }
    }
}

/// A case for a CPU adapter from `[batch, height, width, in, out]`, kernel, stride, padding, pool and activation.
const fn case(
    sizes: [usize; 5],
    [kernel, stride, padding, pool]: [[usize; 2]; 4],
    activation: usize,
    draw: Draw,
    twice: bool,
) -> Case {
    let [batch, height, width, in_channels, out_channels] = sizes;
    Case {
        conv: conv2d::Conv2d {
            batch,
            height,
            width,
            in_channels,
            out_channels,
            kernel,
            stride,
            padding,
            padding_end: padding,
            groups: 1,
        },
        pool,
        activation,
        draw,
        twice,
        class: AdapterClass::Cpu,
    }
}

/// The same case with other zeros below and to the right.
const fn ended(case: Case, padding_end: [usize; 2]) -> Case {
    let conv = conv2d::Conv2d {
        padding_end,
        ..case.conv
    };
    Case { conv, ..case }
}

const PLAIN: [[usize; 2]; 2] = [[1, 1], [0, 0]];

/// The MNIST net's blocks, with more images than one dispatch takes and more than lanes; one value; no pooling; windows
/// that leave rows and columns over; strides, padding, the widest kernel and window; one too wide, which is composed; and
/// one long sum, as large as a dispatch takes; padding on one side, of which a window lies outside of the image.
const LISTED: [Case; 12] = [
    case(
        [18, 28, 28, 1, 10],
        [[5, 5], PLAIN[0], PLAIN[1], [2, 2]],
        1,
        Draw::Uniform,
        false,
    ),
    case(
        [9, 12, 12, 10, 20],
        [[5, 5], PLAIN[0], PLAIN[1], [2, 2]],
        1,
        Draw::Integers,
        true,
    ),
    case(
        [1, 1, 1, 1, 1],
        [[1, 1], PLAIN[0], PLAIN[1], [1, 1]],
        0,
        Draw::Integers,
        false,
    ),
    case(
        [3, 6, 11, 2, 3],
        [[3, 3], [1, 1], [1, 1], [1, 1]],
        4,
        Draw::Uniform,
        true,
    ),
    case(
        [2, 9, 10, 3, 5],
        [[2, 3], PLAIN[0], PLAIN[1], [3, 3]],
        1,
        Draw::Integers,
        false,
    ),
    case(
        [2, 13, 12, 1, 4],
        [[3, 2], [2, 3], [0, 2], [2, 1]],
        3,
        Draw::Uniform,
        false,
    ),
    case(
        [1, 4, 21, 1, 2],
        [[1, 8], PLAIN[0], PLAIN[1], [1, 8]],
        2,
        Draw::Uniform,
        false,
    ),
    case(
        [1, 4, 21, 1, 2],
        [[1, 9], PLAIN[0], PLAIN[1], [1, 2]],
        1,
        Draw::Integers,
        false,
    ),
    case(
        [4, 64, 64, 1, 1],
        [[3, 3], [1, 1], [1, 1], [1, 1]],
        1,
        Draw::Integers,
        false,
    ),
    ended(
        case(
            [3, 6, 9, 2, 7],
            [[3, 3], [1, 1], [0, 0], [2, 2]],
            5,
            Draw::Integers,
            true,
        ),
        [1, 2],
    ),
    ended(
        case(
            [2, 5, 4, 1, 3],
            [[1, 2], [1, 1], [0, 1], [1, 1]],
            5,
            Draw::Uniform,
            false,
        ),
        [3, 0],
    ),
    Case {
        class: AdapterClass::Gpu,
        ..case(
            [2, 7, 9, 2, 3],
            [[3, 3], [1, 1], [1, 1], [2, 2]],
            3,
            Draw::Uniform,
            true,
        )
    },
];

fn cases() -> impl Strategy<Value = Case> {
    let axis = (
        1..16usize,
        1..6usize,
        1..4usize,
        [0..3usize, 0..3],
        1..4usize,
    );
    let sizes = (1..12usize, 1..4usize, 1..8usize);
    let rest = (0..ACTIVATIONS.len(), any::<[bool; 2]>());
    (sizes, axis.clone(), axis, rest).prop_map(
        |(sizes, vertical, horizontal, (activation, [twice, integers]))| {
            let (batch, in_channels, out_channels) = sizes;
            // The kernel fits into the image, and the window into what the kernel gives.
            let fitting = |(size, kernel, stride, [padding, end], pool): (
                usize,
                usize,
                usize,
                [usize; 2],
                usize,
            )| {
                let padded = size + padding + end;
                let kernel = kernel.min(padded);
                let out = (padded - kernel) / stride + 1;
                (size, [kernel, stride, padding, pool.min(out), end])
            };
            let (height, vertical) = fitting(vertical);
            let (width, horizontal) = fitting(horizontal);
            let [options @ .., end] =
                [0, 1, 2, 3, 4].map(|index| [vertical[index], horizontal[index]]);
            // Only these are exact.
            let exact = integers && (activation < 2 || activation == 5);
            let draw = if exact { Draw::Integers } else { Draw::Uniform };
            let sizes = [batch, height, width, in_channels, out_channels];
            ended(case(sizes, options, activation, draw, twice), end)
        },
    )
}

pub fn conv_blocks_under_tight_limits_match_their_twins(bench: &Bench) {
    for case in &LISTED[..4] {
        let class = AdapterClass::Tight;
        trial(
            bench,
            &Case {
                class,
                ..case.clone()
            },
        );
    }
}

fn trial(bench: &Bench, case: &Case) {
    let input = Input::drawn(case.shape(), case.draw);
    for outcome in outcomes(bench, case, input) {
        check(&outcome, case);
    }
}

fn outcomes(bench: &Bench, case: &Case, input: Input) -> Vec<Outcome> {
    let pair = |[vertical, horizontal]: [usize; 2]| [vertical as u32, horizontal as u32];
    let conv = &case.conv;
    let options = Conv2dOptions {
        in_channels: conv.in_channels as u32,
        out_channels: conv.out_channels as u32,
        kernel_size: pair(conv.kernel),
        stride: pair(conv.stride),
        padding: pair(conv.padding),
        padding_end: pair(conv.padding_end),
        groups: 1,
        bias: true,
    };
    let mut parameters = Parameters::default();
    let block = ConvBlock {
        conv: Conv2d::new(&mut parameters, "conv", options),
        pool: pair(case.pool),
        activation: ACTIVATIONS[case.activation].0,
    };
    let setup = Setup {
        parameters,
        twice: case.twice,
        class: case.class,
        ..Setup::without_parameters(input, case.draw)
    };
    bench.trial(&setup, |tape, x| block.forward(tape, x[0]))
}

/// The twins of the three parts, one after the other.
fn check(outcome: &Outcome, case: &Case) {
    let (conv, function) = (&case.conv, ACTIVATIONS[case.activation].1);
    let pool = case.windows();
    let (x, dy) = (&outcome.x[0], &outcome.dy);
    let (weight, bias) = (
        &outcome.parameters["conv.weight"],
        &outcome.parameters["conv.bias"],
    );
    let taps = conv.kernel[0] * conv.kernel[1];

    let z = conv2d::forward(conv, x, weight, Some(bias));
    let z_scale = conv2d::forward(
        conv,
        &magnitudes(x),
        &magnitudes(weight),
        Some(&magnitudes(bias)),
    );
    let pooled = max_pool2d::forward(&pool, &z);
    // A maximum errs by no more than the largest error among its candidates.
    let exact = case.draw == Draw::Integers;
    let z_errors = z_scale
        .iter()
        .map(|&scale| tolerance::sum(taps * conv.in_channels + 1, scale));
    let z_errors: Vec<f64> = z_errors
        .map(|error| if exact { 0.0 } else { error })
        .collect();
    let pooled_errors = max_pool2d::forward(&pool, &z_errors);
    let expected = activation::forward(function, &pooled);
    assert_within("y", &outcome.y, &expected, |index| {
        pooled_errors[index]
            + if exact {
                0.0
            } else {
                error(function, pooled[index])
            }
    });

    if !exact && is_ambiguous(&pool, &z, &z_errors, function) {
        return;
    }
    let dpooled = activation::backward(function, &outcome.y, dy);
    let dz = max_pool2d::backward(&pool, &z, &dpooled);
    // No activation is steeper than 1; its slope takes four roundings.
    let dz_scale = max_pool2d::backward(&pool, &z, &magnitudes(dy));

    let expected = conv2d::backward_input(conv, weight, &dz);
    let scale = conv2d::backward_input(conv, &magnitudes(weight), &dz_scale);
    outcome.assert_sums(
        "dx",
        &outcome.dx[0],
        &expected,
        taps * conv.out_channels + 4,
        &scale,
    );

    // Only the winners are summands other than zero.
    let positions = conv.batch * pool.out_height() * pool.out_width();
    let (dweight, dbias) = conv2d::backward_weight(conv, x, &dz);
    let (weight_scale, bias_scale) = conv2d::backward_weight(conv, &magnitudes(x), &dz_scale);
    outcome.assert_sums(
        "dweight",
        &outcome.gradients["conv.weight"],
        &dweight,
        positions + 4,
        &weight_scale,
    );
    outcome.assert_sums(
        "dbias",
        &outcome.gradients["conv.bias"],
        &dbias,
        positions + 4,
        &bias_scale,
    );
}

/// Whether rounding may decide which element of a window wins, or on which side of a kink the winner lies: then there is no
/// one gradient to compare with.
fn is_ambiguous(pool: &MaxPool2d, z: &[f64], errors: &[f64], function: Activation) -> bool {
    let lowest: Vec<f64> = z.iter().zip(errors).map(|(z, error)| z - error).collect();
    let firsts = max_pool2d::forward(pool, &lowest);
    let kinks: &[f64] = match function {
        Activation::Relu | Activation::LeakyRelu => &[0.0],
        Activation::Relu6 => &[0.0, 6.0],
        _ => &[],
    };
    let winners = max_pool2d::backward(pool, z, &vec![1.0; firsts.len()]);
    let at_a_kink = |index: usize| {
        let near = |kink: &f64| (z[index] - kink).abs() <= errors[index];
        winners[index] > 0.0 && kinks.iter().any(near)
    };
    let without_winners: Vec<f64> = (0..z.len())
        .map(|index| {
            if winners[index] > 0.0 {
                f64::NEG_INFINITY
            } else {
                z[index] + errors[index]
            }
        })
        .collect();
    let seconds = max_pool2d::forward(pool, &without_winners);
    seconds
        .iter()
        .zip(&firsts)
        .any(|(second, first)| second >= first)
        || (0..z.len()).any(at_a_kink)
}

pub fn conv_blocks_match_their_twins(bench: &Bench) {
    for_all(&LISTED, 3, cases(), |case| trial(bench, case));
    for case in &LISTED[2..7] {
        let class = AdapterClass::Gpu;
        trial(
            bench,
            &Case {
                class,
                ..case.clone()
            },
        );
    }
}

/// NaN and infinity in an image come out, and the gradient of what NaN has won comes through ReLU.
pub fn conv_blocks_let_nan_through(bench: &Bench) {
    let sizes = [9, 8, 7, 2, 3];
    for class in [AdapterClass::Gpu, AdapterClass::Cpu] {
        for (activation, pool) in [(0, [2, 2]), (1, [2, 2]), (1, [1, 1]), (4, [3, 2])] {
            let options = [[3, 3], [1, 1], [1, 1], pool];
            let case = Case {
                class,
                ..case(sizes, options, activation, Draw::Integers, false)
            };
            let mut input = Input::drawn(case.shape(), case.draw);
            let image = input.values.len() / 9;
            // In the middle of one image each, and in the last one at its edge.
            input.values[image / 2] = f32::NAN;
            input.values[2 * image + image / 2] = f32::INFINITY;
            input.values[3 * image + image / 2] = -f32::INFINITY;
            input.values[8 * image] = f32::NAN;
            for outcome in outcomes(bench, &case, input) {
                check_not_finite(&outcome, &case);
            }
        }
    }
}

fn check_not_finite(outcome: &Outcome, case: &Case) {
    let (conv, pool) = (&case.conv, case.windows());
    let (weight, bias) = (
        &outcome.parameters["conv.weight"],
        &outcome.parameters["conv.bias"],
    );
    let function = ACTIVATIONS[case.activation].1;
    let z = conv2d::forward(conv, &outcome.x[0], weight, Some(bias));
    let expected = activation::forward(function, &max_pool2d::forward(&pool, &z));
    assert!(expected.iter().any(|value| value.is_nan()));
    assert_not_finite("y", &outcome.y, &expected);

    if function == Activation::Relu {
        let dpooled = activation::backward(function, &outcome.y, &outcome.dy);
        let dz = max_pool2d::backward(&pool, &z, &dpooled);
        let expected = conv2d::backward_input(conv, weight, &dz);
        assert_exact("dx", &outcome.dx[0], &expected);
    }
}
