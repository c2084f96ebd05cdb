//! The sum of two tensors.

use proptest::prelude::*;
use spinalnet::layers::Add;

use crate::common::tolerance::assert_exact;
use crate::common::{Bench, Draw, Input, Random, Setup, for_all, magnitudes};
use crate::reference::add;

pub fn add_matches_its_twin(bench: &Bench) {
    for_all(
        &[(1, 1, false), (8, 8, true)],
        4,
        (1..20u32, 1..20u32, any::<bool>()),
        |&(rows, columns, twice)| {
            let mut random = Random(4);
            let mut input = || {
                Input::new(
                    [rows, columns],
                    random.values(Draw::Uniform, (rows * columns) as usize),
                )
            };
            let setup = Setup {
                inputs: vec![input(), input()],
                twice,
                ..Setup::without_parameters(input(), Draw::Uniform)
            };
            for outcome in bench.trial(&setup, |tape, x| Add.forward(tape, x[0], x[1])) {
                let (a, b) = (&outcome.x[0], &outcome.x[1]);
                let scale = add::forward(&magnitudes(a), &magnitudes(b));
                outcome.assert_sums("y", &outcome.y, &add::forward(a, b), 2, &scale);
                let (da, db) = add::backward(&outcome.dy);
                assert_exact("da", &outcome.dx[0], &da);
                assert_exact("db", &outcome.dx[1], &db);
            }
        },
    );
}
