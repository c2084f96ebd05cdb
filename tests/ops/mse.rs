//! The regression loss: value and gradient, in the step's own place.

use spinalnet::batch::{Part, Sample, Source};
use spinalnet::loss::mse;
use spinalnet::plan::{Limits, Mode, Parameters, Tape};

use crate::common::tolerance::{DIVISION, EPS, TINY, assert_within};
use crate::common::{Bench, Draw, Random, doubles, for_all};
use crate::reference::mse as twin;

pub fn mse_matches_its_twin(bench: &Bench) {
    for_all(
        &[(1, 1), (64, 1), (65, 1), (100, 7)],
        3,
        (1..200u32, 1..6u32),
        |&(batch, targets)| {
            for mode in [Mode::Train, Mode::Evaluate] {
                check(bench, batch, targets, mode, Limits::llvmpipe());
            }
        },
    );
}

/// Pieces of at most 64 x 64 elements.
pub fn pieces_of_a_batch_add_up(bench: &Bench) {
    let limits = Limits {
        loop_iterations: 70,
        ..Limits::llvmpipe()
    };
    for mode in [Mode::Train, Mode::Evaluate] {
        check(bench, 5003, 2, mode, limits.clone());
    }
}

fn check(bench: &Bench, batch: u32, targets: u32, mode: Mode, limits: Limits) {
    let sample = Sample::Row {
        features: 1,
        targets,
    };
    let source = Source::whole(Part::Train, sample, 2 * batch, batch);
    let mut tape = Tape::new("loss", &Parameters::default(), mode).with_kernels(limits);
    let y = tape.tensor("y", [batch, targets]);
    let wanted = tape.input("targets", [batch, targets]);
    let losses = source.losses(&mut tape);
    mse(&mut tape, y, wanted, batch, losses);
    let dy = (mode == Mode::Train).then(|| tape.gradient(y));
    let step = tape.step();

    let mut random = Random(7);
    let count = (batch * targets) as usize;
    let [values, wanted_values] = [0, 1].map(|_| random.values(Draw::Uniform, count));
    let (x, target) = (doubles(&values), doubles(&wanted_values));
    let (loss, gradient) = (twin::forward(&x, &target), twin::backward(&x, &target));

    let plan = tape.finish();
    assert_eq!(plan.excess, None);
    for open in bench.open(&plan) {
        open.write(y, &values);
        open.write(wanted, &wanted_values);
        open.write(step, &[0, 1, 0, 0]);
        open.run();
        // The difference rounds, which counts twice in its square, the square rounds, and the sum.
        let error = loss * ((count as f64 + 3.0) * EPS + DIVISION) + TINY;
        assert_within("loss", &doubles(&open.read(losses)), &[0.0, loss], |_| {
            error
        });
        if let Some(dy) = dy {
            assert_within("dy", &doubles(&open.read(dy)), &gradient, |index| {
                gradient[index].abs() * (2.0 * EPS + DIVISION) + TINY
            });
        }
    }
}
