//! The small networks, with everything stored: initial weights, inputs, all gradients, ten losses and the trained weights.

use spinalnet::batch::Sample;
use spinalnet::models::{self, Model, ModelOptions};
use spinalnet::optim::{Adam, Optimizer, Sgd};
use spinalnet::plan::{Mode, Role, Values};

use super::fixture::Fixture;
use super::training::{Course, Data, Training, WAYS};
use crate::common::doubles;
use crate::common::tolerance::{EPS, assert_within};

const STEPS: u32 = 10;

/// The learning rate of all fixtures.
const LR: f32 = 0.01;

/// One network of the fixtures and what its tolerance depends on.
struct Case {
    name: &'static str,
    batch: u32,
    /// The lengths of the sums that follow one another from an input to an output.
    sums: &'static [u32],
    /// The most positions of an image at which one weight is used.
    positions: u32,
}

impl Case {
    /// Error of an output, relative to the largest: the roundings of all sums add up like a random walk.
    fn forward_error(&self) -> f64 {
        EPS * f64::from(self.sums.iter().sum::<u32>()).sqrt()
    }

    /// Error of a gradient, relative to the largest of its tensor: there, back, and the sum over the batch.
    fn backward_error(&self) -> f64 {
        let there_and_back = 2 * self.sums.iter().sum::<u32>();
        EPS * f64::from(there_and_back + self.batch * self.positions).sqrt()
    }
}

fn largest(values: &[f64]) -> f64 {
    values
        .iter()
        .fold(0.0, |largest, value| value.abs().max(largest))
}

fn write_data(fixture: &Fixture, model: &Model, training: &Training) {
    let mut values = Values::zeros(&model.parameters);
    for spec in model.parameters.specs() {
        values.set(spec, fixture.floats(&format!("init.{}", spec.name)));
    }
    training.write_values(&values);
    training.write_data(&match model.sample {
        Sample::Image { .. } => Data::Images {
            images: fixture.bytes("inputs.images"),
            labels: fixture.bytes("inputs.labels"),
            mean: &[0.1307],
            std: &[0.3081],
        },
        Sample::Features { .. } => unreachable!("whole networks are trained"),
        Sample::Row { .. } => Data::Rows {
            x: fixture.floats("inputs.x"),
            y: fixture.floats("inputs.y"),
        },
    });
}

/// Compares everything. `update_error` gives the error of each weight's way over all steps, from the gradients of the first
/// step and their error.
fn check(case: &Case, optimizer: &dyn Optimizer, update_error: impl Fn(&[f64], f64) -> Vec<f64>) {
    let fixture = Fixture::read(case.name);
    let model = models::build(
        case.name,
        ModelOptions {
            no_dropout: true,
            ..ModelOptions::default()
        },
    )
    .expect("it is a model");
    let course = Course {
        steps: STEPS,
        batch: case.batch,
        lr: LR,
    };
    for way in WAYS {
        let training = Training::new(&model, course, optimizer, way);
        write_data(&fixture, &model, &training);
        let what = |what: &str| format!("{} {way:?}: {what}", case.name);

        let logits = doubles(fixture.floats("logits"));
        let tolerance = case.forward_error() * largest(&logits);
        assert_within(
            &what("logits"),
            &training.logits(Mode::Evaluate),
            &logits,
            |_| tolerance,
        );

        training.run(1);
        let gradients = fixture.under("grad.");
        let found = training.state("gradients", Role::Learnable);
        assert_eq!(
            found.keys().collect::<Vec<_>>(),
            gradients.keys().collect::<Vec<_>>()
        );
        for (name, expected) in &gradients {
            let tolerance = case.backward_error() * largest(expected);
            assert_within(
                &what(&format!("grad.{name}")),
                &found[name],
                expected,
                |_| tolerance,
            );
        }

        training.run(STEPS - 1);
        let losses = doubles(fixture.floats("losses"));
        assert_eq!(losses[0], f64::from(fixture.floats("loss")[0]));
        assert_within(&what("losses"), &training.losses(), &losses, |step| {
            // Every step starts from weights that the steps before have made.
            case.forward_error() * losses[step].max(1.0) * f64::from(step as u32 + 1).sqrt()
        });

        let (initial, trained) = (fixture.under("init."), fixture.under("final."));
        for (name, found) in training.state("parameters", Role::Learnable) {
            let way = |values: &[f64]| -> Vec<f64> {
                let pairs = values.iter().zip(&initial[name]);
                pairs.map(|(value, initial)| value - initial).collect()
            };
            let expected = way(&trained[name]);
            assert!(largest(&expected) > 0.0, "{name} was not trained");
            let gradient_error = case.backward_error() * largest(&gradients[name]);
            let errors = update_error(&gradients[name], gradient_error);
            let rounding = EPS * f64::from(STEPS).sqrt() * largest(&trained[name]);
            assert_within(
                &what(&format!("final.{name}")),
                &way(&found),
                &expected,
                |index| errors[index] + rounding,
            );
        }
    }
}

/// SGD with momentum 1/2: at most lr / (1 - 1/2) of each gradient's error.
fn check_sgd(case: &Case) {
    let optimizer = Sgd {
        momentum: 0.5,
        ..Sgd::default()
    };
    check(case, &optimizer, |gradients, error| {
        vec![2.0 * f64::from(LR) * f64::from(STEPS) * error; gradients.len()]
    });
}

/// Adam moves by lr m / sqrt(v), so what counts is the error of the gradient relative to the gradient. In step t, v is at
/// least a t-th of the first gradient's square, the errors of t steps have added up like a random walk, and both m and v
/// err: 2 sqrt(t) sqrt(t) times the first step's relative error. No step moves by more than lr, so none errs by more than 2 lr.
fn check_adam(case: &Case) {
    check(case, &Adam::default(), |gradients, error| {
        let all_steps = |gradient: &f64| {
            let relative = error / gradient.abs();
            (1..=STEPS)
                .map(|t| f64::from(LR) * (2.0 * f64::from(t) * relative).min(2.0))
                .sum()
        };
        gradients.iter().map(all_steps).collect()
    });
}

#[test]
fn mnist_cnn_baseline() {
    check_sgd(&Case {
        name: "mnist-cnn-baseline",
        batch: 16,
        sums: &[25, 250, 320, 50],
        positions: 24 * 24,
    });
}

#[test]
fn mnist_cnn_spinal() {
    check_sgd(&Case {
        name: "mnist-cnn-spinal",
        batch: 16,
        sums: &[25, 250, 160, 168, 168, 168, 168, 168, 48],
        positions: 24 * 24,
    });
}

#[test]
fn regression_baseline() {
    check_adam(&Case {
        name: "regression-baseline",
        batch: 64,
        sums: &[8, 200, 100],
        positions: 1,
    });
}

#[test]
fn regression_spinal() {
    check_adam(&Case {
        name: "regression-spinal",
        batch: 64,
        sums: &[4, 54, 54, 54, 54, 54, 300],
        positions: 1,
    });
}

#[test]
fn regression_spinal_tied() {
    check_adam(&Case {
        name: "regression-spinal-tied",
        batch: 64,
        sums: &[4, 54, 54, 54, 54, 54, 300],
        positions: 1,
    });
}
