//! The fully connected layer.

use proptest::prelude::*;
use spinalnet::layers::{Layer, Linear};
use spinalnet::plan::Parameters;

use crate::common::{AdapterClass, Bench, Draw, Input, Setup, for_all, in_turn, magnitudes};
use crate::reference::linear;

/// Rows, columns of x, columns of y, whether it is used twice.
type Case = (u32, u32, u32, bool);

/// Sizes at, below and above the tiles of the kernels for graphics processors: 4 by 4, in workgroups of 8 by 8.
const LISTED: [Case; 6] = [
    (1, 1, 1, false),
    (4, 4, 4, true),
    (5, 3, 33, false),
    (3, 129, 2, true),
    (31, 5, 32, false),
    (33, 31, 7, true),
];

/// The same for tiles of 32 to 128 rows by 32 to 128 columns and steps of 16 summands, and for sums split by 64.
const LISTED_FOR_TILES: [Case; 7] = [
    (130, 65, 132, false),
    (1, 1, 1, true),
    (32, 16, 32, false),
    (33, 300, 10, true),
    (64, 128, 64, false),
    (128, 31, 129, true),
    (3, 520, 5, false),
];

/// Candidates that an operation has on graphics processors: one for each tile, three more that cut their sums otherwise, the
/// split sum, and the reference.
const CANDIDATES: usize = 10;

/// The same for CPU adapters: 16 rows by 32 columns.
const LISTED_FOR_CPU: [Case; 5] = [
    (1, 1, 1, false),
    (16, 32, 31, true),
    (17, 7, 33, false),
    (3, 31, 9, true),
    (33, 129, 2, false),
];

fn cases() -> impl Strategy<Value = Case> {
    (1..40u32, 1..80u32, 1..40u32, any::<bool>())
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
    let &(batch, in_features, out_features, twice) = case;
    let mut parameters = Parameters::default();
    let layer = Linear::new(&mut parameters, "fc", in_features, out_features);
    let setup = Setup {
        parameters,
        twice,
        class,
        candidate,
        ..Setup::without_parameters(Input::drawn([batch, in_features], draw), draw)
    };
    let twin = linear::Linear {
        batch: batch as usize,
        in_features: in_features as usize,
        out_features: out_features as usize,
    };
    for outcome in bench.trial(&setup, |tape, x| layer.forward(tape, x[0])) {
        let (x, dy) = (&outcome.x[0], &outcome.dy);
        let (weight, bias) = (
            &outcome.parameters["fc.weight"],
            &outcome.parameters["fc.bias"],
        );
        let (x_scale, dy_scale) = (magnitudes(x), magnitudes(dy));

        let expected = linear::forward(&twin, x, weight, bias);
        let scale = linear::forward(&twin, &x_scale, &magnitudes(weight), &magnitudes(bias));
        outcome.assert_sums("y", &outcome.y, &expected, twin.in_features + 1, &scale);

        let expected = linear::backward_input(&twin, weight, dy);
        let scale = linear::backward_input(&twin, &magnitudes(weight), &dy_scale);
        outcome.assert_sums("dx", &outcome.dx[0], &expected, twin.out_features, &scale);

        let (dweight, dbias) = linear::backward_weight(&twin, x, dy);
        let (weight_scale, bias_scale) = linear::backward_weight(&twin, &x_scale, &dy_scale);
        outcome.assert_sums(
            "dweight",
            &outcome.gradients["fc.weight"],
            &dweight,
            twin.batch,
            &weight_scale,
        );
        outcome.assert_sums(
            "dbias",
            &outcome.gradients["fc.bias"],
            &dbias,
            twin.batch,
            &bias_scale,
        );
    }
}

pub fn linear_matches_its_twin(bench: &Bench) {
    for_all(&LISTED, 3, cases(), |case| {
        trial_of_candidate(bench, case, Draw::Uniform, AdapterClass::Gpu, CANDIDATES);
    });
}

/// The first case by every candidate; every other by three, so that each candidate comes up again and again; drawn ones by
/// the first. They take the modes of checks by turns, every case and every candidate both.
pub fn every_tile_of_linear_matches_its_twin(bench: &Bench) {
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
    for_all(&[], 3, cases(), |case| by(case, 0));
}

pub fn linear_on_cpu_adapters_matches_its_twin(bench: &Bench) {
    for_all(&LISTED_FOR_CPU, 2, cases(), |case| {
        trial(bench, case, Draw::Uniform, AdapterClass::Cpu);
    });
}

/// Sums, columns and rows past what an invocation loops over or a grid holds on old drivers: each alone, by the cheapest kernel
/// and by the reference.
pub fn linear_past_every_bound_matches_its_twin(bench: &Bench) {
    for case in [
        (1, 67_500, 3, false),
        (2, 3, 70_000, false),
        (70_000, 2, 3, true),
    ] {
        for candidate in [0, usize::MAX] {
            trial_of_candidate(bench, &case, Draw::Uniform, AdapterClass::Cpu, candidate);
        }
    }
}

pub fn linear_under_tight_limits_matches_its_twin(bench: &Bench) {
    let long = [
        (1, 2500, 3, false),
        (2, 3, 9000, false),
        (2500, 2, 3, true),
        // The weight is more than a binding.
        (5, 3000, 203, true),
    ];
    let cases = long.iter().chain(&LISTED_FOR_TILES[..4]);
    for (case, candidate) in cases.zip([0, usize::MAX].into_iter().cycle()) {
        trial_of_candidate(bench, case, Draw::Uniform, AdapterClass::Tight, candidate);
    }
}

pub fn linear_of_integers_is_exact(bench: &Bench) {
    for class in [AdapterClass::Gpu, AdapterClass::Cpu] {
        for_all(&LISTED[2..4], 0, cases(), |case| {
            trial(bench, case, Draw::Integers, class);
        });
    }
}
