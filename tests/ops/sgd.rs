//! SGD, and with it the counting of steps.

use spinalnet::optim::{Optimizer, Sgd, advance};
use spinalnet::plan::{Init, Layout, Mode, Parameters, Tape};

use crate::common::tolerance::{EPS, assert_within};
use crate::common::{Bench, Draw, Random, doubles, magnitudes};
use crate::reference::sgd;

const STEPS: u32 = 5;

/// Roundings that a gradient goes through in one step: the coefficient, its product and two sums on the way to the
/// velocity, Nesterov's product and sum, then the product and the sum of the parameter.
const ROUNDINGS: f64 = 9.0;

pub fn sgd_matches_its_twin(bench: &Bench) {
    for (momentum, nesterov, weight_decay) in [
        (0.0, false, 0.0),
        (0.5, false, 0.0),
        (0.9, false, 0.01),
        (0.9, true, 0.01),
    ] {
        check(
            bench,
            Sgd {
                momentum,
                nesterov,
                weight_decay,
            },
        );
    }
}

fn check(bench: &Bench, optimizer: Sgd) {
    let mut parameters = Parameters::default();
    let init = Init::Constant(0.0);
    parameters.add("a", &[7], Layout::RowMajor, init);
    parameters.add("b", &[3, 67], Layout::RowMajor, init);
    let mut tape = Tape::new("update", &parameters, Mode::Train);
    optimizer.record(&mut tape, STEPS);
    advance(&mut tape);
    let step = tape.step();
    let count = parameters.device_elements() as usize;
    for open in bench.open(&tape.finish()) {
        let mut random = Random(8);
        let start = random.values(Draw::Uniform, count);
        open.write_named("parameters", &start);
        open.write_named("velocity", &vec![0.0f32; count]);
        open.write(step, &[42u32, 0, 100, 0]);
        let rates: Vec<f32> = (0..STEPS).map(|t| 0.1 / (t + 1) as f32).collect();
        let schedule: Vec<_> = (1..)
            .zip(&rates)
            .map(|(t, &lr)| optimizer.schedule(lr, t))
            .collect();
        open.write_named("train.schedule", &schedule);

        let (mut expected, mut velocity) = (doubles(&start), vec![0.0; count]);
        // The same with all magnitudes, where nothing cancels: every error is a share of it.
        let (mut scale, mut velocity_scale) = (magnitudes(&expected), vec![0.0; count]);
        for (t, &lr) in rates.iter().enumerate() {
            let gradients = random.values(Draw::Uniform, count);
            open.write_named("gradients", &gradients);
            open.run();
            let twin = |lr: f64| sgd::Sgd {
                lr,
                momentum: optimizer.momentum,
                nesterov: optimizer.nesterov,
                weight_decay: optimizer.weight_decay,
            };
            let gradients = doubles(&gradients);
            sgd::update(&twin(lr.into()), &mut expected, &mut velocity, &gradients);
            sgd::update(
                &twin(-f64::from(lr)),
                &mut scale,
                &mut velocity_scale,
                &magnitudes(&gradients),
            );
            let share = ROUNDINGS * (t + 1) as f64 * EPS;
            let got = |label| doubles(&open.read_named::<f32>(label));
            assert_within("velocity", &got("velocity"), &velocity, |index| {
                share * velocity_scale[index]
            });
            assert_within("parameters", &got("parameters"), &expected, |index| {
                share * scale[index]
            });
            assert_eq!(
                open.read::<u32>(step),
                [42, t as u32 + 1, 100 + t as u32 + 1, 0]
            );
        }
    }
}
