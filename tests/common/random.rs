//! Values and shapes that tests draw, the same at every run.

use std::cell::Cell;

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use spinalnet::plan::{Init, ParameterSpec, Role};

use super::{in_turn, is_full};

/// Which values a test computes with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Draw {
    /// Uniform in [-1, 1).
    Uniform,
    /// Whole numbers from -4 to 4: their sums of products are exact in f32, in any order. Ties are common.
    Integers,
}

/// Knuth's 64-bit linear congruential generator: unrelated to the hash under test.
pub struct Random(pub u64);

impl Random {
    /// A number in [0, 1) with 24 random bits, exact in f32.
    pub fn unit(&mut self) -> f32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / 16_777_216.0
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        (self.unit() * end as f32) as usize
    }

    /// Values for a tensor.
    pub fn values(&mut self, draw: Draw, count: usize) -> Vec<f32> {
        let one = |random: &mut Self| match draw {
            Draw::Uniform => 2.0 * random.unit() - 1.0,
            Draw::Integers => random.below(9) as f32 - 4.0,
        };
        (0..count).map(|_| one(self)).collect()
    }

    /// Values for a parameter; uniform ones are as large as its initialisation makes them, so that chains of layers neither
    /// grow nor vanish. Running statistics are positive, as a variance is.
    pub fn parameter(&mut self, draw: Draw, spec: &ParameterSpec) -> Vec<f32> {
        let mut values = self.values(draw, spec.elements());
        if let (Draw::Uniform, Init::UniformFanIn(fan_in)) = (draw, spec.init) {
            values
                .iter_mut()
                .for_each(|value| *value /= (fan_in as f32).sqrt());
        }
        if spec.role == Role::Statistic {
            values.iter_mut().for_each(|value| *value = value.abs());
        }
        values
    }

    /// `0, 1, ..., count - 1` in random order.
    pub fn permutation(&mut self, count: usize) -> Vec<u32> {
        let mut order: Vec<u32> = (0..count as u32).collect();
        for index in (1..count).rev() {
            order.swap(index, self.below(index + 1));
        }
        order
    }
}

/// Calls `test` with the listed cases and then with cases of the strategy, which are the same at every run: `drawn` of them,
/// or a third where not [everything](is_full) is asked for. They take the modes of checks by turns.
pub fn for_all<S: Strategy>(
    listed: &[S::Value],
    drawn: u32,
    strategy: S,
    test: impl Fn(&S::Value),
) {
    listed.iter().for_each(&test);
    let config = Config {
        cases: if is_full() { drawn } else { drawn.div_ceil(3) },
        failure_persistence: None,
        max_shrink_iters: 50,
        ..Config::default()
    };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(config, rng);
    // After a failure the turn stays, while a smaller case is looked for.
    let (turn, is_open) = (Cell::new(0), Cell::new(false));
    let result = runner.run(&strategy, |case| {
        let has_failed = is_open.replace(true);
        in_turn(turn.get(), || test(&case));
        if !has_failed {
            turn.set(turn.get() + 1);
            is_open.set(false);
        }
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
}
