//! A schedule as it runs.

use std::collections::VecDeque;
use std::f64::consts::PI;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::{OptimizerState, Phase, Rule, Schedule};

/// First of the ChaCha streams used here, so that another use of the same seed draws other bits.
const STREAM: u64 = u64::from_be_bytes(*b"rate\0\0\0\0");

/// The learning rate of one net, from epoch to epoch.
#[derive(Clone, Debug)]
pub struct Course {
    rule: Rule,
    seed: u64,
    phase: Phase,
    epochs_before: usize,
    to_come: VecDeque<Phase>,
    between_phases: OptimizerState,
    best: f64,
    lr: f64,
}

/// What is to be done before the next epoch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Next {
    /// A phase is over, and another begins.
    pub phase_ended: bool,
    /// The optimiser forgets its momentum and moments.
    pub optimizer: OptimizerState,
}

impl Course {
    /// The start of a training of `epochs` epochs with rate `lr`; phases have rates and lengths of their own.
    ///
    /// Nets with the same `seed` draw the same random rates.
    pub fn new(schedule: &Schedule, lr: f64, epochs: usize, seed: u64) -> Self {
        let phases = schedule.phases.as_ref();
        let mut to_come: VecDeque<Phase> = phases.map_or_else(
            || VecDeque::from([Phase { lr, epochs }]),
            |phases| phases.list.iter().copied().collect(),
        );
        let phase = to_come.pop_front().expect("there is at least one phase");
        Self {
            rule: schedule.rule.clone(),
            seed,
            phase,
            epochs_before: 0,
            to_come,
            between_phases: phases.map_or(OptimizerState::Keep, |phases| phases.state),
            best: f64::NEG_INFINITY,
            lr: phase.lr,
        }
    }

    /// The learning rate of the next epoch.
    pub fn lr(&self) -> f64 {
        self.lr
    }

    /// Hears the score of the epoch that has been trained, the higher the better, and turns to the next.
    pub fn finish(&mut self, epoch: usize, score: f64) -> Next {
        if epoch - self.epochs_before == self.phase.epochs
            && let Some(phase) = self.to_come.pop_front()
        {
            self.enter(phase, epoch);
            return Next {
                phase_ended: true,
                optimizer: self.between_phases,
            };
        }
        self.lr = self.next_lr(epoch, score);
        self.best = self.best.max(score);
        Next {
            phase_ended: false,
            optimizer: self.within_phase(epoch),
        }
    }

    fn enter(&mut self, phase: Phase, epochs_before: usize) {
        self.phase = phase;
        self.epochs_before = epochs_before;
        self.best = f64::NEG_INFINITY;
        self.lr = phase.lr;
    }

    fn next_lr(&self, epoch: usize, score: f64) -> f64 {
        let (start, now) = (self.phase.lr, self.lr);
        let done = epoch - self.epochs_before;
        let random = |power: f64| uniform(self.seed, epoch + 1).powf(power);
        match &self.rule {
            Rule::Constant => now,
            Rule::Step { every, factor } => start * factor.powi((done / every) as i32),
            Rule::Cosine => {
                let part = done as f64 / self.phase.epochs as f64;
                0.5 * start * (1.0 + (PI * part).cos())
            }
            Rule::Random { power, when } if when.applies(score, self.best) => {
                start * random(*power)
            }
            Rule::RandomAfter {
                epoch: last,
                lr,
                power,
                ..
            } if done >= *last => lr * random(*power),
            Rule::Divide { by, when } if when.applies(score, self.best) => now / by,
            Rule::DivideAfter { by, epochs } if epochs.iter().any(|some| some.contains(&done)) => {
                now / by
            }
            Rule::Random { .. }
            | Rule::RandomAfter { .. }
            | Rule::Divide { .. }
            | Rule::DivideAfter { .. } => now,
        }
    }

    fn within_phase(&self, epoch: usize) -> OptimizerState {
        match self.rule {
            Rule::RandomAfter {
                epoch: last, state, ..
            } if epoch - self.epochs_before >= last => state,
            _ => OptimizerState::Keep,
        }
    }
}

/// The draw from U[0, 1) that belongs to an epoch.
fn uniform(seed: u64, epoch: usize) -> f64 {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(STREAM.wrapping_add(epoch as u64));
    (random.next_u64() >> 11) as f64 / 9_007_199_254_740_992.0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rates of epochs 1, 2, ... under a schedule that starts with 1 and gets the scores.
    fn rates(schedule: &str, scores: &[f64]) -> Vec<f64> {
        rates_of(&course(schedule, scores))
    }

    fn rates_of(course: &[(f64, Next)]) -> Vec<f64> {
        course.iter().map(|(lr, _)| *lr).collect()
    }

    /// The rate of every epoch, and what came after it.
    fn course(schedule: &str, scores: &[f64]) -> Vec<(f64, Next)> {
        let schedule: Schedule = schedule.parse().unwrap();
        let mut course = Course::new(&schedule, 1.0, scores.len(), 7);
        (1..)
            .zip(scores)
            .map(|(epoch, &score)| (course.lr(), course.finish(epoch, score)))
            .collect()
    }

    fn assert_near(found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-15, "{found}, {expected}");
        }
    }

    #[test]
    fn constant_stays() {
        assert_eq!(rates("constant", &[0.5, 0.4, 0.3]), [1.0; 3]);
    }

    #[test]
    fn step_is_pytorchs_step_lr() {
        let found = rates("step:2:0.1", &[0.0; 5]);
        assert_near(&found, &[1.0, 1.0, 0.1, 0.1, 0.01]);
    }

    /// `CosineAnnealingLR(T_max=4)`.
    #[test]
    fn cosine_is_pytorchs_cosine_annealing() {
        let half = 0.5_f64.sqrt();
        let expected = [1.0, 0.5 + 0.5 * half, 0.5, 0.5 - 0.5 * half];
        assert_near(&rates("cosine", &[0.0; 4]), &expected);
    }

    /// Up, equal, below, below the best but above the last, above.
    const SCORES: [f64; 6] = [0.5, 0.5, 0.4, 0.45, 0.6, 0.1];

    #[test]
    fn divide_follows_the_best_score() {
        let worse = rates("divide:2:worse", &SCORES);
        assert_eq!(worse, [1.0, 1.0, 1.0, 0.5, 0.25, 0.25]);
        let not_better = rates("divide:2:not-better", &SCORES);
        assert_eq!(not_better, [1.0, 1.0, 0.5, 0.25, 0.125, 0.125]);
    }

    #[test]
    fn divide_after_counts_epochs_from_one() {
        let found = rates("divide:2:after=1,3-4,6-", &[0.0; 9]);
        let halvings = [0, 1, 1, 2, 3, 3, 4, 5, 6];
        assert_eq!(found, halvings.map(|n| 0.5_f64.powi(n)));
    }

    /// The paper's CIFAR-10 baseline: after epoch index 1 and after every one above 20.
    #[test]
    fn the_cifar_baseline_is_soon_frozen() {
        let found = rates("divide:3:after=2,22-", &[0.0; 32]);
        let power = |n: i32| 1.0 / 3_f64.powi(n);
        assert_near(&found[..3], &[1.0, 1.0, power(1)]);
        assert_near(&found[20..24], &[1, 1, 2, 3].map(power));
        assert!(0.001 * found[31] < 1e-8);
    }

    #[test]
    fn random_rates_are_powers_of_uniform_numbers() {
        let u = |epoch| uniform(7, epoch);
        let worse = rates("random:3:worse", &SCORES);
        let cube = |epoch: usize| u(epoch).powf(3.0);
        assert_eq!(worse, [1.0, 1.0, 1.0, cube(4), cube(5), cube(5)]);
        let not_better = rates("random:5:not-better", &SCORES);
        let fifth = |epoch: usize| u(epoch).powf(5.0);
        let expected = [1.0, 1.0, fifth(3), fifth(4), fifth(5), fifth(5)];
        assert_eq!(not_better, expected);
    }

    /// U[0, 1) has mean 1/2; 4000 draws: 5 sigma = 0.023.
    #[test]
    fn uniform_numbers_are_uniform() {
        let draws: Vec<f64> = (0..4000).map(|epoch| uniform(1, epoch)).collect();
        assert!(draws.iter().all(|u| (0.0..1.0).contains(u)));
        let mean = draws.iter().sum::<f64>() / 4000.0;
        assert!((mean - 0.5).abs() < 0.023, "{mean}");
        assert_ne!(uniform(1, 5), uniform(2, 5));
    }

    #[test]
    fn late_random_rates_renew_the_optimiser() {
        let found = course("random-after:2:0.5:3:fresh", &[0.0; 4]);
        let late = |epoch| 0.5 * uniform(7, epoch).powf(3.0);
        assert_eq!(rates_of(&found), [1.0, 1.0, late(3), late(4)]);
        let states: Vec<_> = found.iter().map(|(_, next)| next.optimizer).collect();
        use OptimizerState::{Fresh, Keep};
        assert_eq!(states, [Keep, Fresh, Fresh, Fresh]);
        let kept = course("random-after:2:0.5:3:keep", &[0.0; 4]);
        assert!(kept.iter().all(|(_, next)| next.optimizer == Keep));
    }

    #[test]
    fn each_phase_starts_its_rule_anew() {
        let found = course("phases:0.8x3,0.2x2:fresh:step:2:0.5", &[0.0; 5]);
        assert_eq!(rates_of(&found), [0.8, 0.8, 0.4, 0.2, 0.2]);
        let ends: Vec<_> = found.iter().map(|(_, next)| next.phase_ended).collect();
        assert_eq!(ends, [false, false, true, false, false]);
        assert_eq!(found[2].1.optimizer, OptimizerState::Fresh);
        let kept = course("phases:0.8x3,0.2x2:keep", &[0.0; 5]);
        assert_eq!(kept[2].1.optimizer, OptimizerState::Keep);
        // A new phase does not remember the best score of the one before.
        let divided = "phases:0.8x2,0.2x3:keep:divide:2:worse";
        let rates = rates_of(&course(divided, &[0.9, 0.9, 0.1, 0.2, 0.15]));
        assert_eq!(rates, [0.8, 0.8, 0.2, 0.2, 0.2]);
    }
}
