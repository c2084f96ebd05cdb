//! The classification loss: value, right answers and gradient, in the step's own place.

use spinalnet::batch::{Part, Sample, Source};
use spinalnet::loss::cross_entropy;
use spinalnet::plan::{Mode, Parameters, Tape};

use crate::common::tolerance::{self, DIVISION, EPS, TINY, assert_within};
use crate::common::{Bench, Draw, Random, doubles, for_all};
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
        check(bench, case, Mode::Train);
        check(bench, case, Mode::Evaluate);
    });
}

fn check(bench: &Bench, (batch, classes, size): Case, mode: Mode) {
    let sample = Sample::Image {
        height: 1,
        width: 1,
        channels: 1,
    };
    let source = Source::whole(Part::Train, sample, STEPS * batch as u32, batch as u32);
    let mut tape = Tape::new("loss", &Parameters::default(), mode);
    let logits = tape.tensor("logits", [batch as u32, classes as u32]);
    let labels = tape.input("labels", [batch as u32]);
    let (losses, correct) = (source.losses(&mut tape), source.correct(&mut tape));
    cross_entropy(&mut tape, logits, labels, [losses, correct]);
    let dlogits = (mode == Mode::Train).then(|| tape.gradient(logits));
    let step = tape.step();

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

    for open in bench.open(&tape.finish()) {
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
