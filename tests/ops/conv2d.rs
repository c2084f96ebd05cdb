//! Convolution, and with it the reduction of its partial sums.

use proptest::prelude::*;
use spinalnet::layers::{Conv2d, Conv2dOptions, Layer};
use spinalnet::plan::Parameters;

use crate::common::tolerance::WINOGRAD;
use crate::common::{
    AdapterClass, Bench, Draw, Input, Outcome, Setup, for_all, in_turn, magnitudes,
};
use crate::reference::conv2d;
use crate::reference::winograd::Winograd;

#[derive(Clone, Debug)]
struct Case {
    twin: conv2d::Conv2d,
    bias: bool,
    twice: bool,
}

/// A case from `[batch, height, width, in, out]`, kernel, stride, padding and bias.
const fn case(
    sizes: [usize; 5],
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
    bias: bool,
) -> Case {
    let [batch, height, width, in_channels, out_channels] = sizes;
    Case {
        twin: conv2d::Conv2d {
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
        bias,
        twice: !bias,
    }
}

/// The same case with other zeros below and to the right.
const fn ended(case: Case, padding_end: [usize; 2]) -> Case {
    let twin = conv2d::Conv2d {
        padding_end,
        ..case.twin
    };
    Case { twin, ..case }
}

/// The same case in groups.
const fn grouped(case: Case, groups: usize) -> Case {
    let twin = conv2d::Conv2d {
        groups,
        ..case.twin
    };
    Case { twin, ..case }
}

/// Strips are 8 pixels and 4 channels: sizes at, below and above both; a kernel of one, as large as the image, larger
/// than the image without its padding; strides that leave a rest or skip pixels; more rows of output than chunks; padding on one
/// side.
const LISTED: [Case; 11] = [
    case([1, 1, 1, 1, 1], [1, 1], [1, 1], [0, 0], true),
    case([2, 5, 8, 4, 4], [3, 3], [1, 1], [1, 1], true),
    case([1, 3, 9, 3, 5], [1, 1], [1, 1], [0, 0], false),
    case([2, 5, 7, 2, 3], [5, 7], [1, 1], [0, 0], true),
    case([1, 2, 3, 1, 2], [4, 5], [1, 1], [1, 1], false),
    case([1, 11, 17, 1, 9], [2, 3], [2, 3], [0, 1], true),
    case([1, 6, 10, 5, 1], [1, 2], [3, 4], [0, 0], false),
    case([3, 24, 12, 1, 2], [5, 5], [1, 1], [0, 0], true),
    case([1, 4, 4, 2, 2], [2, 2], [1, 1], [3, 2], true),
    ended(case([2, 6, 9, 3, 5], [3, 3], [2, 2], [0, 0], false), [1, 1]),
    ended(case([1, 7, 8, 2, 4], [5, 3], [1, 1], [1, 0], true), [3, 4]),
];

/// The same for CPU adapters: tiles are 16 pixels, or 16 channels of x in the weight gradient, by 32 channels; strides have
/// pixels of every rest, and images too small for some of them; channels of x that do not come in fours.
const LISTED_FOR_CPU: [Case; 13] = [
    case([1, 1, 1, 4, 4], [1, 1], [1, 1], [0, 0], true),
    case([1, 4, 4, 16, 32], [3, 3], [1, 1], [1, 1], true),
    case([2, 3, 7, 20, 36], [3, 3], [1, 1], [1, 1], false),
    case([3, 9, 5, 4, 8], [3, 2], [2, 3], [1, 0], true),
    case([1, 1, 13, 12, 28], [1, 1], [2, 2], [0, 0], false),
    case([2, 2, 3, 36, 4], [4, 5], [1, 1], [1, 1], true),
    case([1, 6, 6, 8, 4], [1, 2], [3, 4], [0, 0], true),
    case([2, 5, 5, 1, 36], [3, 3], [1, 1], [1, 1], true),
    case([1, 5, 7, 3, 4], [3, 3], [2, 1], [1, 1], false),
    case([3, 4, 9, 1, 4], [3, 3], [1, 1], [1, 1], false),
    case([1, 3, 2, 8, 4], [2, 5], [1, 1], [1, 3], true),
    ended(case([2, 8, 6, 3, 36], [3, 3], [2, 2], [0, 0], true), [1, 1]),
    ended(
        case([1, 5, 9, 20, 8], [5, 5], [2, 1], [1, 0], false),
        [2, 5],
    ),
];

/// The same for tiles, of 32 to 128 pixels or rows of the weight by 32 to 128 channels: at, below and above all of them;
/// channels that leave a rest of a step, or do not come in fours; strides with rests that no tap reaches or that no pixel
/// leaves.
const LISTED_FOR_TILES: [Case; 12] = [
    case([2, 9, 9, 20, 132], [3, 3], [1, 1], [1, 1], true),
    case([2, 8, 8, 128, 64], [1, 1], [1, 1], [0, 0], false),
    case([2, 4, 8, 3, 32], [3, 3], [1, 1], [1, 1], true),
    case([4, 7, 5, 1, 10], [5, 5], [1, 1], [0, 0], true),
    case([4, 5, 5, 6, 10], [3, 3], [1, 1], [1, 1], false),
    case([2, 9, 6, 8, 12], [3, 2], [2, 3], [1, 0], true),
    case([1, 1, 13, 12, 28], [1, 1], [2, 2], [0, 0], false),
    case([4, 2, 3, 36, 4], [4, 5], [1, 1], [1, 1], true),
    case([1, 1, 1, 4, 4], [1, 1], [2, 2], [0, 0], true),
    case([1, 12, 12, 4, 36], [5, 5], [3, 2], [2, 3], false),
    ended(case([2, 8, 6, 3, 36], [3, 3], [2, 2], [0, 0], true), [1, 1]),
    ended(
        case([1, 5, 8, 20, 12], [5, 5], [2, 1], [1, 0], false),
        [2, 5],
    ),
];

/// The same for Winograd's tiles, of 2x2 or 4x4 pixels, products of 16 tiles or channels by 32 channels, and workgroups of
/// 64 pairs of channels: at, below and above all of them; every padding; a batch in several pieces, the last of them
/// smaller.
const LISTED_FOR_WINOGRAD: [Case; 8] = [
    case([1, 1, 1, 4, 4], [3, 3], [1, 1], [1, 1], true),
    case([2, 2, 3, 4, 8], [3, 3], [1, 1], [1, 1], false),
    case([1, 4, 4, 16, 32], [3, 3], [1, 1], [1, 1], true),
    case([3, 9, 5, 20, 36], [3, 3], [1, 1], [0, 0], true),
    case([2, 5, 13, 12, 28], [3, 3], [1, 1], [2, 1], false),
    case([17, 7, 6, 36, 8], [3, 3], [1, 1], [0, 2], true),
    case([5, 224, 223, 4, 4], [3, 3], [1, 1], [1, 1], true),
    ended(case([2, 9, 6, 8, 36], [3, 3], [1, 1], [0, 2], true), [2, 1]),
];

/// The same for products large enough for blocks of several tiles of a CPU adapter's: both ways, each way alone, with rows and
/// columns behind the end; images whose channels do not come in fours; pixels that make lines, and that make none; Winograd's.
const LISTED_FOR_BLOCKS: [Case; 5] = [
    case([1, 25, 41, 100, 324], [1, 1], [1, 1], [0, 0], true),
    case([2, 26, 40, 512, 36], [1, 1], [1, 1], [0, 0], false),
    case([2, 31, 29, 36, 228], [3, 3], [2, 2], [1, 1], false),
    case([1, 120, 118, 3, 64], [7, 7], [2, 2], [3, 3], true),
    case([2, 18, 34, 92, 124], [3, 3], [1, 1], [1, 1], true),
];

/// Groups whose channels come in fours, of x, of y, of both or of none; more of one than of the other; two groups or one for each
/// channel; padding on one side.
const LISTED_IN_GROUPS: [Case; 9] = [
    grouped(case([1, 1, 1, 2, 2], [1, 1], [1, 1], [0, 0], true), 2),
    grouped(case([2, 5, 9, 32, 32], [3, 3], [1, 1], [1, 1], false), 8),
    grouped(case([1, 7, 8, 16, 8], [3, 3], [2, 2], [1, 1], true), 4),
    grouped(case([2, 3, 7, 6, 24], [3, 2], [1, 1], [0, 1], false), 3),
    grouped(case([1, 8, 5, 24, 6], [2, 3], [1, 2], [1, 0], true), 3),
    grouped(case([3, 6, 7, 15, 10], [3, 3], [1, 1], [1, 1], false), 5),
    grouped(case([1, 4, 17, 7, 7], [3, 3], [1, 1], [1, 1], true), 7),
    grouped(case([2, 5, 6, 5, 15], [3, 3], [2, 1], [1, 1], true), 5),
    ended(
        grouped(case([2, 6, 8, 12, 8], [3, 3], [2, 2], [0, 0], false), 2),
        [1, 1],
    ),
];

/// Channels on their own, in fours: one row or column, strips of 4 or 8 columns and walks of 20 rows at, below and above all of
/// them; kernels of one, not square, larger than the image, and too large for one of the kernels; strides that leave a rest, skip
/// pixels, or are too wide; padding on one side, and wider than the kernel; more walks than chunks.
const LISTED_DEPTHWISE: [Case; 11] = [
    depthwise([1, 1, 1], 4, [1, 1], [1, 1], [0, 0], true),
    depthwise([2, 9, 8], 8, [3, 3], [1, 1], [1, 1], false),
    depthwise([1, 21, 5], 20, [5, 5], [1, 1], [2, 2], true),
    depthwise([2, 7, 13], 12, [3, 3], [2, 2], [1, 1], false),
    depthwise([1, 12, 9], 4, [5, 5], [2, 2], [2, 2], true),
    depthwise([3, 41, 17], 16, [3, 2], [1, 2], [0, 1], false),
    depthwise([1, 2, 3], 36, [4, 5], [2, 1], [1, 1], true),
    depthwise([1, 8, 6], 4, [1, 2], [2, 2], [3, 2], false),
    depthwise([2, 9, 7], 8, [7, 7], [1, 1], [3, 3], true),
    depthwise([1, 10, 11], 8, [2, 3], [3, 4], [1, 0], false),
    ended(
        depthwise([2, 10, 12], 8, [5, 3], [2, 2], [1, 0], true),
        [2, 1],
    ),
];

/// A case of so many channels, each on its own.
const fn depthwise(
    [batch, height, width]: [usize; 3],
    channels: usize,
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
    bias: bool,
) -> Case {
    let sizes = [batch, height, width, channels, channels];
    grouped(case(sizes, kernel, stride, padding, bias), channels)
}

/// The kernels of channels on their own, and the reference: the class of adapter and the candidate there.
const KERNELS_OF_DEPTHWISE: [(AdapterClass, usize); 3] = [
    (AdapterClass::Cpu, 0),
    (AdapterClass::Gpu, 0),
    (AdapterClass::Cpu, usize::MAX),
];

/// Candidates that are Winograd's algorithm and those over the windows, wherever they stand in the list.
const CANDIDATES_ON_CPU: usize = 4;

/// Candidates that an operation has on graphics processors: one for each tile, three more that cut their sums otherwise, and
/// the reference.
const CANDIDATES: usize = 11;

fn cases() -> impl Strategy<Value = Case> {
    let axis = (1..20usize, 1..5usize, 1..4usize, [0..3usize, 0..3]);
    let sizes = (1..4usize, 1..7usize, 1..10usize);
    (sizes, axis.clone(), axis, any::<bool>(), any::<bool>()).prop_map(
        |(sizes, vertical, horizontal, bias, twice)| {
            let (batch, in_channels, out_channels) = sizes;
            let fitting =
                |(size, kernel, stride, [padding, end]): (usize, usize, usize, [usize; 2])| {
                    let kernel = kernel.min(size + padding + end);
                    (size, [kernel, stride, padding, end])
                };
            let ((height, vertical), (width, horizontal)) =
                (fitting(vertical), fitting(horizontal));
            let [kernel, stride, padding, end] =
                [0, 1, 2, 3].map(|index| [vertical[index], horizontal[index]]);
            let sizes = [batch, height, width, in_channels, out_channels];
            let case = case(sizes, kernel, stride, padding, bias);
            Case {
                twice,
                ..ended(case, end)
            }
        },
    )
}

/// Cases in groups of up to eight channels.
fn cases_in_groups() -> impl Strategy<Value = Case> {
    let channels = [1..6usize, 1..9, 1..9];
    (cases(), channels).prop_map(|(case, [groups, inputs, outputs])| {
        let mut case = grouped(case, groups);
        (case.twin.in_channels, case.twin.out_channels) = (groups * inputs, groups * outputs);
        case
    })
}

/// Cases of channels on their own.
fn cases_of_depthwise() -> impl Strategy<Value = Case> {
    (cases(), 1..12usize).prop_map(|(case, quads)| {
        let mut case = grouped(case, 4 * quads);
        (case.twin.in_channels, case.twin.out_channels) = (4 * quads, 4 * quads);
        case
    })
}

/// Cases whose channels of y come in fours, and mostly those of x.
fn cases_in_fours() -> impl Strategy<Value = Case> {
    let in_channels = prop_oneof![1 => 1..8usize, 3 => (1..10usize).prop_map(|quads| 4 * quads)];
    (cases(), in_channels, 1..10usize).prop_map(|(mut case, in_channels, out_quads)| {
        (case.twin.in_channels, case.twin.out_channels) = (in_channels, 4 * out_quads);
        case
    })
}

/// Cases with a kernel of 3x3, stride 1, and channels in fours.
fn cases_for_winograd() -> impl Strategy<Value = Case> {
    let channels = (4..11usize).prop_map(|quads| 4 * quads);
    let padding = [[0..3usize, 0..3], [0..3, 0..3]];
    (cases(), channels, padding).prop_map(|(mut case, channels, [padding, end])| {
        let twin = &mut case.twin;
        (twin.in_channels, twin.out_channels) = (channels, 4 * twin.out_channels + 12);
        (twin.height, twin.width) = (twin.height + 2, twin.width + 2);
        (twin.kernel, twin.stride) = ([3, 3], [1, 1]);
        (twin.padding, twin.padding_end) = (padding, end);
        case
    })
}

fn trial(bench: &Bench, case: &Case, draw: Draw, class: AdapterClass) {
    trial_of_candidate(bench, case, draw, class, 0);
}

fn trial_of_candidate(
    bench: &Bench,
    case: &Case,
    draw: Draw,
    class: AdapterClass,
    candidate: usize,
) {
    let twin = &case.twin;
    let pair = |[vertical, horizontal]: [usize; 2]| [vertical as u32, horizontal as u32];
    let options = Conv2dOptions {
        in_channels: twin.in_channels as u32,
        out_channels: twin.out_channels as u32,
        kernel_size: pair(twin.kernel),
        stride: pair(twin.stride),
        padding: pair(twin.padding),
        padding_end: pair(twin.padding_end),
        groups: twin.groups as u32,
        bias: case.bias,
    };
    let mut parameters = Parameters::default();
    let conv = Conv2d::new(&mut parameters, "conv", options);
    let shape = [twin.batch, twin.height, twin.width, twin.in_channels].map(|size| size as u32);
    let setup = Setup {
        parameters,
        twice: case.twice,
        class,
        candidate,
        ..Setup::without_parameters(Input::drawn(shape, draw), draw)
    };
    for outcome in bench.trial(&setup, |tape, x| conv.forward(tape, x[0])) {
        check(&outcome, twin);
        assert_padded_channels_are_zero(&outcome, &setup.parameters);
    }
}

/// The twin of the algorithm by which an operation was recorded, with the magnitudes of its coefficients, if that was
/// Winograd's.
fn winograd_of(outcome: &Outcome, operation: &str) -> Option<Winograd> {
    let candidate = outcome.candidate(operation);
    let side = candidate.name.strip_prefix("winograd ")?;
    let tile = side[..1].parse().expect("winograd TILExTILE");
    let winograd = Winograd::new(tile);
    let (exact, told) = (winograd.amplification(), candidate.amplification);
    assert!((exact..=1.01 * exact).contains(&told), "{told}, {exact}");
    Some(winograd.magnitudes())
}

fn check(outcome: &Outcome, twin: &conv2d::Conv2d) {
    check_forward(outcome, twin);
    check_backward_input(outcome, twin);
    check_backward_weight(outcome, twin);
}

fn check_forward(outcome: &Outcome, twin: &conv2d::Conv2d) {
    let (x, weight) = (&outcome.x[0], &outcome.parameters["conv.weight"]);
    let bias = outcome.parameters.get("conv.bias");
    let expected = conv2d::forward(twin, x, weight, bias.map(Vec::as_slice));
    let (x, weight) = (magnitudes(x), magnitudes(weight));
    let bias = bias.map(|bias| magnitudes(bias));
    if let Some(winograd) = winograd_of(outcome, "conv2d.forward") {
        let mut scale = winograd.forward(twin, &x, &weight);
        for (scale, bias) in scale.iter_mut().zip(bias.iter().flatten().cycle()) {
            *scale += bias;
        }
        let terms = WINOGRAD + twin.in_channels + 1;
        outcome.assert_close("y", &outcome.y, &expected, terms, &scale);
    } else {
        let scale = conv2d::forward(twin, &x, &weight, bias.as_deref());
        let terms = twin.kernel[0] * twin.kernel[1] * twin.group_channels() + 1;
        outcome.assert_sums("y", &outcome.y, &expected, terms, &scale);
    }
}

fn check_backward_input(outcome: &Outcome, twin: &conv2d::Conv2d) {
    let (dy, weight) = (&outcome.dy, &outcome.parameters["conv.weight"]);
    let expected = conv2d::backward_input(twin, weight, dy);
    let (dy, weight) = (magnitudes(dy), magnitudes(weight));
    if let Some(winograd) = winograd_of(outcome, "conv2d.backward_input") {
        let scale = winograd.backward_input(twin, &weight, &dy);
        let terms = WINOGRAD + twin.out_channels;
        outcome.assert_close("dx", &outcome.dx[0], &expected, terms, &scale);
    } else {
        let scale = conv2d::backward_input(twin, &weight, &dy);
        let terms = twin.kernel[0] * twin.kernel[1] * twin.out_channels / twin.groups;
        outcome.assert_sums("dx", &outcome.dx[0], &expected, terms, &scale);
    }
}

fn check_backward_weight(outcome: &Outcome, twin: &conv2d::Conv2d) {
    let (x, dy) = (&outcome.x[0], &outcome.dy);
    let positions = twin.batch * twin.out_height() * twin.out_width();
    let (dweight, dbias) = conv2d::backward_weight(twin, x, dy);
    let (x, dy) = (magnitudes(x), magnitudes(dy));
    let (weight_scale, bias_scale) = conv2d::backward_weight(twin, &x, &dy);
    let got = &outcome.gradients["conv.weight"];
    if let Some(winograd) = winograd_of(outcome, "conv2d.backward_weight") {
        let scale = winograd.backward_weight(twin, &x, &dy);
        let terms = WINOGRAD + positions;
        outcome.assert_close("dweight", got, &dweight, terms, &scale);
    } else {
        outcome.assert_sums("dweight", got, &dweight, positions, &weight_scale);
    }
    if let Some(got) = outcome.gradients.get("conv.bias") {
        outcome.assert_sums("dbias", got, &dbias, positions, &bias_scale);
    }
}

/// Output channels are padded to fours: the padding has no gradient, so that no update moves it away from zero.
fn assert_padded_channels_are_zero(outcome: &Outcome, parameters: &Parameters) {
    let gradients = &outcome.buffers["gradients"];
    for spec in parameters.specs() {
        let mut used = vec![0.0; gradients.len()];
        spec.pack(&vec![1.0; spec.elements()], &mut used);
        let start = spec.offset as usize;
        let padding =
            (start..start + spec.device_elements as usize).filter(|&index| used[index] == 0.0);
        for index in padding {
            assert_eq!(
                gradients[index],
                0.0,
                "{}: padding {}",
                spec.name,
                index - start
            );
        }
    }
}

pub fn conv2d_matches_its_twin(bench: &Bench) {
    for_all(&LISTED, 4, cases(), |case| {
        trial_of_candidate(bench, case, Draw::Uniform, AdapterClass::Gpu, CANDIDATES)
    });
}

pub fn conv2d_on_cpu_adapters_matches_its_twin(bench: &Bench) {
    for_all(&LISTED_FOR_CPU, 3, cases_in_fours(), |case| {
        trial(bench, case, Draw::Uniform, AdapterClass::Cpu)
    });
}

/// By the cheapest candidate, which takes the largest blocks.
pub fn large_blocks_of_conv2d_match_their_twin(bench: &Bench) {
    for (number, case) in LISTED_FOR_BLOCKS.iter().enumerate() {
        in_turn(number, || {
            trial_of_candidate(bench, case, Draw::Uniform, AdapterClass::Cpu, 0);
        });
    }
}

/// The first case by every candidate; every other by three, so that each candidate comes up again and again; drawn ones by
/// the first. They take the modes of checks by turns, every case and every candidate both.
pub fn every_tile_of_conv2d_matches_its_twin(bench: &Bench) {
    let by = |case: &Case, candidate: usize| {
        trial_of_candidate(bench, case, Draw::Uniform, AdapterClass::Gpu, candidate);
    };
    (0..CANDIDATES).for_each(|candidate| by(&LISTED_FOR_TILES[0], candidate));
    for (number, case) in LISTED_FOR_TILES.iter().enumerate().skip(1) {
        for third in 0..3 {
            let candidate = (number + third * CANDIDATES / 3) % CANDIDATES;
            in_turn(number + third, || by(case, candidate));
        }
    }
    for_all(&[], 3, cases_in_fours(), |case| by(case, 0));
}

/// Cases and candidates take the modes of checks by turns, every one both.
pub fn winograd_matches_its_twin(bench: &Bench) {
    let by = |case: &Case, candidate: usize| {
        trial_of_candidate(bench, case, Draw::Uniform, AdapterClass::Cpu, candidate);
    };
    for (number, case) in LISTED_FOR_WINOGRAD.iter().enumerate() {
        for candidate in 0..CANDIDATES_ON_CPU {
            in_turn(number + candidate, || by(case, candidate));
        }
    }
    for_all(&[], 3, cases_for_winograd(), |case| by(case, 0));
}

/// By turns on the classes of adapters.
pub fn conv2d_in_groups_matches_its_twin(bench: &Bench) {
    let classes = [AdapterClass::Gpu, AdapterClass::Cpu, AdapterClass::Tight];
    for (number, case) in LISTED_IN_GROUPS.iter().enumerate() {
        for (turn, class) in classes.into_iter().enumerate() {
            in_turn(number + turn, || trial(bench, case, Draw::Uniform, class));
        }
    }
    for_all(&[], 6, cases_in_groups(), |case| {
        trial(bench, case, Draw::Uniform, AdapterClass::Gpu)
    });
}

/// Cases and kernels take the modes of checks by turns.
pub fn depthwise_convolution_matches_its_twin(bench: &Bench) {
    for (number, case) in LISTED_DEPTHWISE.iter().enumerate() {
        for (turn, (class, candidate)) in KERNELS_OF_DEPTHWISE.into_iter().enumerate() {
            in_turn(number + turn, || {
                trial_of_candidate(bench, case, Draw::Uniform, class, candidate);
            });
        }
    }
    for class in [AdapterClass::Cpu, AdapterClass::Gpu] {
        trial(bench, &LISTED_DEPTHWISE[3], Draw::Integers, class);
        for_all(&[], 3, cases_of_depthwise(), |case| {
            trial(bench, case, Draw::Uniform, class)
        });
    }
    for case in &LISTED_DEPTHWISE[4..6] {
        trial(bench, case, Draw::Uniform, AdapterClass::Tight);
    }
}

/// More pixels than a grid of tiles holds on any adapter along one dimension: 65,664 workgroups of 16.
pub fn conv2d_of_a_million_pixels_matches_its_twin(bench: &Bench) {
    let large = case([2, 1026, 512, 4, 4], [1, 1], [1, 1], [0, 0], true);
    trial(bench, &large, Draw::Uniform, AdapterClass::Cpu);
}

/// Long sums, many lines and more tiles than a short grid, by the cheapest kernel and by the reference.
pub fn conv2d_under_tight_limits_matches_its_twin(bench: &Bench) {
    let long = [
        case([2, 3, 5, 132, 8], [3, 3], [1, 1], [1, 1], true),
        case([4, 40, 44, 2, 20], [3, 3], [1, 1], [1, 1], false),
        case([1, 7, 9, 8, 300], [3, 3], [2, 2], [1, 1], true),
        grouped(case([1, 3, 5, 264, 8], [3, 3], [1, 1], [1, 1], true), 2),
    ];
    for case in long.iter().chain(&LISTED_FOR_WINOGRAD[3..5]) {
        for candidate in [0, usize::MAX] {
            trial_of_candidate(bench, case, Draw::Uniform, AdapterClass::Tight, candidate);
        }
    }
}

pub fn conv2d_of_integers_is_exact(bench: &Bench) {
    for_all(&LISTED[1..4], 1, cases(), |case| {
        trial_of_candidate(bench, case, Draw::Integers, AdapterClass::Gpu, CANDIDATES)
    });
    for_all(&LISTED_FOR_TILES[2..6], 1, cases_in_fours(), |case| {
        trial(bench, case, Draw::Integers, AdapterClass::Gpu)
    });
    for_all(&LISTED_FOR_CPU[2..4], 1, cases_in_fours(), |case| {
        trial(bench, case, Draw::Integers, AdapterClass::Cpu)
    });
}
