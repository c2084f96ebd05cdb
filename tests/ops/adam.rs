//! Adam: parameters and both moments over several steps.

use spinalnet::optim::{Adam, Optimizer, advance};
use spinalnet::plan::{Init, Layout, Mode, Parameters, Tape};

use crate::common::tolerance::{DIVISION, EPS, SQUARE_ROOT, TINY, assert_within};
use crate::common::{Bench, Draw, Random, doubles, magnitudes};
use crate::reference::adam::{self, State};

const STEPS: u32 = 6;

/// Roundings that a gradient goes through in one step on its way into a moment: weight decay, its product and sum, the
/// square, the coefficient, two products and the sum.
const ROUNDINGS: f64 = 8.0;

pub fn adam_matches_its_twin(bench: &Bench) {
    check(bench, Adam::default());
    for decoupled in [false, true] {
        check(
            bench,
            Adam {
                beta1: 0.8,
                beta2: 0.99,
                eps: 1e-3,
                weight_decay: 0.01,
                decoupled,
            },
        );
    }
}

fn check(bench: &Bench, optimizer: Adam) {
    let mut parameters = Parameters::default();
    parameters.add("a", &[3, 67], Layout::RowMajor, Init::Constant(0.0));
    let mut tape = Tape::new("update", &parameters, Mode::Train);
    optimizer.record(&mut tape, STEPS);
    advance(&mut tape);
    let count = parameters.device_elements() as usize;
    for open in bench.open(&tape.finish()) {
        let mut random = Random(9);
        let start = random.values(Draw::Uniform, count);
        open.write_named("parameters", &start);
        open.write_named("adam.m", &vec![0.0f32; count]);
        open.write_named("adam.v", &vec![0.0f32; count]);
        let rates: Vec<f32> = (0..STEPS).map(|t| 0.01 * (t + 1) as f32).collect();
        let schedule: Vec<_> = (1..)
            .zip(&rates)
            .map(|(t, &lr)| optimizer.schedule(lr, t))
            .collect();
        open.write_named("train.schedule", &schedule);

        let state = |parameter| State {
            parameter,
            m: vec![0.0; count],
            v: vec![0.0; count],
        };
        let mut expected = state(doubles(&start));
        // The same with all magnitudes, where nothing cancels in the moments: their errors are a share of it.
        let mut scale = state(magnitudes(&expected.parameter));
        let mut parameter_error = vec![0.0; count];
        for (t, &lr) in (1..).zip(&rates) {
            // Gradients of all sizes, some of them zero.
            let mut gradients = random.values(Draw::Uniform, count);
            for (index, gradient) in gradients.iter_mut().enumerate() {
                *gradient *= [1.0, 1e-4, 0.0, 100.0][index % 4];
            }
            open.write_named("gradients", &gradients);
            open.run();

            let twin = |lr: f64| adam::Adam {
                lr,
                beta1: optimizer.beta1,
                beta2: optimizer.beta2,
                eps: optimizer.eps,
                weight_decay: optimizer.weight_decay,
                decoupled: optimizer.decoupled,
            };
            let gradients = doubles(&gradients);
            let before = expected.parameter.clone();
            adam::update(&twin(lr.into()), t, &mut expected, &gradients);
            adam::update(
                &twin(-f64::from(lr)),
                t,
                &mut scale,
                &magnitudes(&gradients),
            );
            let share = ROUNDINGS * f64::from(t) * EPS;
            let correction = |beta: f64| 1.0 - beta.powi(t);
            for (index, error) in parameter_error.iter_mut().enumerate() {
                let deviation = (expected.v[index] / correction(optimizer.beta2)).sqrt();
                let size =
                    f64::from(lr) / correction(optimizer.beta1) / (deviation + optimizer.eps);
                let relative_v = share * scale.v[index] / expected.v[index].max(TINY);
                let relative = 0.5 * relative_v + SQUARE_ROOT + 3.0 * DIVISION + 6.0 * EPS;
                *error += size * (share * scale.m[index] + relative * expected.m[index].abs())
                    + EPS * expected.parameter[index].abs()
                    + decay_error(&optimizer, lr) * before[index].abs()
                    + TINY;
            }
            let got = |label| doubles(&open.read_named::<f32>(label));
            assert_within("m", &got("adam.m"), &expected.m, |index| {
                share * scale.m[index] + TINY
            });
            assert_within("v", &got("adam.v"), &expected.v, |index| {
                share * scale.v[index] + TINY
            });
            assert_within(
                "parameters",
                &got("parameters"),
                &expected.parameter,
                |index| parameter_error[index],
            );
        }
    }
}

/// Relative error of a parameter from which decoupled decay was taken: its coefficients and products, and the difference.
fn decay_error(optimizer: &Adam, lr: f32) -> f64 {
    if optimizer.decoupled {
        EPS * (1.0 + 4.0 * f64::from(lr) * optimizer.weight_decay)
    } else {
        0.0
    }
}
