//! The classification loss: value, right answers and gradient, in the step's own place.

use spinalnet::batch::{Part, Sample, Source};
use spinalnet::loss::cross_entropy;
use spinalnet::plan::{Kernels, Limits, Mode, Parameters, Plan, Tape, Tensor};

use crate::common::tolerance::{self, DIVISION, EPS, TINY, assert_within};
use crate::common::{AdapterClass, Bench, Draw, Random, doubles, for_all};
use crate::reference::cross_entropy as twin;

/// Rows, classes and the largest logit's size.
type Case = (usize, usize, f32);

const LISTED: [Case; 7] = [
    (1, 1, 1.0),
    (1, 2, 1.0),
    (64, 10, 5.0),
    (65, 10, 1.0),
    (130, 3, 100.0),
    (3, 47, 1e4),
    (5, 10, 1e30),
];

/// Steps of the epoch, and the one that is run.
const STEPS: u32 = 3;
const STEP: usize = 1;

/// Absolute errors of one row: of its loss and of the probability of each class, not yet divided by the batch.
fn row_errors(row: &[f64], label: usize) -> (f64, Vec<f64>) {
    let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let shifted: Vec<f64> = row.iter().map(|logit| logit - largest).collect();
    let sum: f64 = shifted.iter().map(|s| s.exp()).sum();
    // The shift rounds, then exp errs relative to its value, then the sum rounds.
    let exp_errors = shifted
        .iter()
        .map(|s| s.exp() * (tolerance::exp(*s) + EPS * s.abs()) + TINY);
    let sum_error = exp_errors.sum::<f64>() / sum + row.len() as f64 * EPS;
    let log_error = tolerance::log(sum) + sum_error;
    let loss = sum.ln() - shifted[label];
    let loss_error = log_error + 2.0 * EPS * (shifted[label].abs() + loss.abs());
    let probability_errors = shifted.iter().map(|s| {
        let exponent = s - sum.ln();
        let exponent_error = log_error + EPS * (s.abs() + exponent.abs());
        exponent.exp() * (tolerance::exp(exponent) + exponent_error) + EPS + TINY
    });
    (loss_error, probability_errors.collect())
}

pub fn cross_entropy_matches_its_twin(bench: &Bench) {
    let cases = (1..100usize, 1..30usize, 0.1..50.0f32);
    for_all(&LISTED, 4, cases, |&case| {
        for mode in [Mode::Train, Mode::Evaluate] {
            check(bench, case, mode, AdapterClass::Cpu.into());
            check(bench, case, mode, by_row());
        }
    });
}

/// Rows and classes for which one workgroup would loop longer than llvmpipe takes.
pub fn a_large_batch_of_many_classes_matches_its_twin(bench: &Bench) {
    for mode in [Mode::Train, Mode::Evaluate] {
        check(bench, (8192, 1000, 5.0), mode, AdapterClass::Cpu.into());
    }
    check(bench, (5000, 3, 5.0), Mode::Train, by_row());
}

/// Kernels that take any batch, by short loops: more than 64 times 64 rows are added up in pieces.
fn by_row() -> Kernels {
    let limits = Limits {
        loop_iterations: 70,
        ..Limits::llvmpipe()
    };
    Kernels::from(limits).reference()
}

pub fn nan_among_the_logits_makes_the_loss_nan(bench: &Bench) {
    for kernels in [AdapterClass::Cpu.into(), by_row()] {
        for place in [0, 7, 9, 64 * 10 + 3] {
            let recording = record((65, 10, 1.0), Mode::Train, kernels.clone());
            let mut values = Random(6).values(Draw::Uniform, 65 * 10);
            values[place] = f32::NAN;
            for open in bench.open(&recording.plan) {
                open.write(recording.logits, &values);
                open.write(recording.labels, &[3u32; 65]);
                open.write(recording.step, &[0, STEP as u32, 0, 0]);
                open.run();
                let loss = open.read::<f32>(recording.losses)[STEP];
                assert!(loss.is_nan(), "NaN at {place} gives {loss}");
            }
        }
    }
}

struct Recording {
    plan: Plan,
    logits: Tensor,
    labels: Tensor,
    step: Tensor,
    losses: Tensor,
    correct: Tensor,
    dlogits: Option<Tensor>,
}

fn record((batch, classes, _): Case, mode: Mode, kernels: Kernels) -> Recording {
    let sample = Sample::Image {
        height: 1,
        width: 1,
        channels: 1,
    };
    let source = Source::whole(Part::Train, sample, STEPS * batch as u32, batch as u32);
    let mut tape = Tape::new("loss", &Parameters::default(), mode).with_kernels(kernels);
    let logits = tape.tensor("logits", [batch as u32, classes as u32]);
    let labels = tape.input("labels", [batch as u32]);
    let (losses, correct) = (source.losses(&mut tape), source.correct(&mut tape));
    cross_entropy(&mut tape, logits, labels, batch as u32, [losses, correct]);
    let dlogits = (mode == Mode::Train).then(|| tape.gradient(logits));
    let step = tape.step();
    let plan = tape.finish();
    assert_eq!(plan.excess, None);
    Recording {
        plan,
        logits,
        labels,
        step,
        losses,
        correct,
        dlogits,
    }
}

fn check(bench: &Bench, case: Case, mode: Mode, kernels: Kernels) {
    let (batch, classes, size) = case;
    let Recording {
        plan,
        logits,
        labels,
        step,
        losses,
        correct,
        dlogits,
    } = record(case, mode, kernels);
    let mut random = Random(6);
    let mut values = random.values(Draw::Uniform, batch * classes);
    values.iter_mut().for_each(|value| *value *= size);
    let classes_of_rows: Vec<u32> = (0..batch).map(|_| random.below(classes) as u32).collect();
    if classes > 1 {
        values[1] = values[0]; // a tie of the first row's first two classes
    }
    let values_f64 = doubles(&values);
    let expected = twin::forward(&values_f64, &classes_of_rows);
    let rows = values_f64.chunks(classes).zip(&classes_of_rows);
    let errors: Vec<(f64, Vec<f64>)> = rows
        .map(|(row, &label)| row_errors(row, label as usize))
        .collect();

    for open in bench.open(&plan) {
        open.write(logits, &values);
        open.write(labels, &classes_of_rows);
        open.write(step, &[0, STEP as u32, 0, 0]);
        open.run();

        let loss_error = errors.iter().map(|(loss, _)| loss).sum::<f64>() / batch as f64
            + (batch as f64 * EPS + DIVISION) * expected.loss;
        assert_within(
            "loss",
            &doubles(&open.read(losses)),
            &[0.0, expected.loss, 0.0],
            |_| loss_error,
        );
        assert_eq!(open.read::<u32>(correct), [0, expected.correct as u32, 0]);
        if let Some(dlogits) = dlogits {
            assert_within(
                "dlogits",
                &doubles(&open.read(dlogits)),
                &expected.dlogits,
                |index| {
                    errors[index / classes].1[index % classes] / batch as f64
                        + DIVISION * expected.dlogits[index].abs()
                },
            );
        }
    }
}
