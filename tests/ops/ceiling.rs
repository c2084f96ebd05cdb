//! The kernels that measure what an adapter can do at most: what they compute must be right, too.

use spinalnet::bench::ceilings::{copy, multiply_add};
use spinalnet::plan::{Mode, Parameters, Tape};

use crate::common::tolerance::{EPS, assert_exact, assert_within};
use crate::common::{Bench, Draw, Random, doubles};
use crate::reference::ceiling;

/// Vectors of four: one, a whole workgroup, some more, and more than fit a row of workgroups.
const VECTORS: [u32; 4] = [1, 64, 301, 64 * 65_535 + 1];

pub fn copies_are_exact(bench: &Bench) {
    for vectors in VECTORS {
        let mut tape = Tape::new("copy", &Parameters::default(), Mode::Evaluate);
        let (x, y) = (
            tape.tensor("x", [vectors, 4]),
            tape.tensor("y", [vectors, 4]),
        );
        copy(&mut tape, x, y);
        for open in bench.open(&tape.finish()) {
            let values = Random(3).values(Draw::Uniform, x.elements() as usize);
            open.write(x, &values);
            open.run();
            let expected = ceiling::copy(&doubles(&values));
            assert_exact("y", &doubles(&open.read::<f32>(y)), &expected);
        }
    }
}

/// A link rounds twice, values stay below 2 and shrink by the factor: errors add up to at most 2 EPS / (1 - 0.75) in a
/// chain, and the sum of four chains rounds three times.
pub fn chains_of_products_match_their_twin(bench: &Bench) {
    for (vectors, rounds) in [(1, 1), (64, 3), (301, 64)] {
        let mut tape = Tape::new("multiply_add", &Parameters::default(), Mode::Evaluate);
        let y = tape.tensor("y", [vectors, 4]);
        multiply_add(&mut tape, y, rounds);
        for open in bench.open(&tape.finish()) {
            open.run();
            let expected = ceiling::multiply_add(vectors as usize, rounds);
            let got = doubles(&open.read::<f32>(y));
            let chain = 2.0 * 2.0 * EPS / (1.0 - 0.75);
            assert_within("y", &got, &expected, |index| {
                4.0 * chain + 3.0 * EPS * expected[index]
            });
        }
    }
}
