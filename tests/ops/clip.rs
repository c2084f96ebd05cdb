//! Clipping: the gradients as the optimiser behind it gets them.

use spinalnet::optim::{Clipped, Optimizer, Sgd};
use spinalnet::plan::{Init, Layout, Mode, Parameters, Tape};

use crate::common::tolerance::{DIVISION, EPS, SQUARE_ROOT, TINY, assert_within};
use crate::common::{Bench, Draw, Random, doubles};
use crate::reference::clip;

/// Elements of a chunk, and invocations of a workgroup.
const CHUNK: usize = 4096;
const WORKGROUP: usize = 64;

/// One chunk and several, whole and not; gradients that are clipped, that are not, and none at all.
pub fn clipping_matches_its_twin(bench: &Bench) {
    for (elements, size, max_norm) in [
        (1, 1.0, 0.1),
        (201, 1.0, 1e3),
        (4096, 1e-4, 1e-3),
        (4097, 100.0, 0.5),
        (300_000, 1.0, 1.0),
        (70, 0.0, 1.0),
    ] {
        check(bench, elements, size, max_norm);
    }
}

fn check(bench: &Bench, elements: u32, size: f32, max_norm: f64) {
    let mut parameters = Parameters::default();
    parameters.add("a", &[elements], Layout::RowMajor, Init::Constant(0.0));
    let optimizer = Clipped {
        max_norm,
        optimizer: Box::new(Sgd::default()),
    };
    let mut tape = Tape::new("update", &parameters, Mode::Train);
    optimizer.record(&mut tape, 1);
    let step = tape.step();
    let count = parameters.device_elements() as usize;
    for open in bench.open(&tape.finish()) {
        let mut random = Random(12);
        let mut gradients = random.values(Draw::Uniform, count);
        for gradient in &mut gradients {
            *gradient *= size;
        }
        open.write_named("gradients", &gradients);
        open.write_named("parameters", &vec![0.0f32; count]);
        open.write_named("velocity", &vec![0.0f32; count]);
        open.write_named("train.schedule", &[optimizer.schedule(1.0, 1)]);
        open.write(step, &[0u32; 4]);
        open.run();

        let gradients = doubles(&gradients);
        let coefficient = clip::coefficient(max_norm, &gradients);
        let expected: Vec<f64> = gradients
            .iter()
            .map(|gradient| coefficient * gradient)
            .collect();
        // Where nothing is clipped, nothing is rounded either.
        let relative = if coefficient < 1.0 {
            coefficient_error(count) + EPS
        } else {
            0.0
        };
        let error = |index: usize| relative * expected[index].abs() + TINY;
        let got = |label| doubles(&open.read_named::<f32>(label));
        assert_within("gradients", &got("gradients"), &expected, error);
        // With a learning rate of 1 the first step is minus the gradient.
        let moved: Vec<f64> = got("parameters").iter().map(|value| -value).collect();
        assert_within("parameters", &moved, &expected, error);
    }
}

/// The relative error of the coefficient. A square is rounded once and goes through so many additions of numbers that are
/// not negative; the root halves the relative error of their sum. Then come the 1e-6, the bound and the quotient.
fn coefficient_error(count: usize) -> f64 {
    let chunks = count.div_ceil(CHUNK);
    let within_workgroup = 2.0 * f64::from(WORKGROUP.ilog2());
    let additions =
        (CHUNK / WORKGROUP) as f64 + within_workgroup + chunks.div_ceil(WORKGROUP) as f64;
    0.5 * (additions + 1.0) * EPS + SQUARE_ROOT + 3.0 * EPS + DIVISION
}
