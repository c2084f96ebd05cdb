//! The paper's four regression tasks (section 2.1, table I): eight normal inputs, one noisy target.
//!
//! x ~ N(0, 1), y = f(x) + 0.2 U(0, 1). The noise alone has variance 0.04 / 12, so the mean squared
//! error of a perfect fit is 3.33e-3. Targets are a `[count, 1]` column with one noise draw a row
//! (the authors' last script adds a `[count]` row to that column, and trains on the square that
//! broadcasting makes of it).

use std::f64::consts::TAU;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::Table;
use crate::error::{Error, Result};

/// Inputs of a row.
pub const FEATURES: usize = 8;
/// Rows of the paper's tables.
pub const DEFAULT_COUNT: usize = 1000;
/// The noise is uniform on 0 to this.
const NOISE: f64 = 0.2;
/// The ChaCha stream used here, so that another use of the same seed draws other bits.
const STREAM: u64 = u64::from_be_bytes(*b"regress\0");

/// The function to learn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// x1 + ... + x8.
    Sum,
    /// sin(x1 + ... + x8).
    SinSum,
    /// x1 * ... * x8.
    Product,
    /// sin(x1 * ... * x8).
    SinProduct,
}

impl Target {
    /// Every function, in the paper's order.
    pub const ALL: [Self; 4] = [Self::Sum, Self::SinSum, Self::Product, Self::SinProduct];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sum => "sum",
            Self::SinSum => "sin-sum",
            Self::Product => "product",
            Self::SinProduct => "sin-product",
        }
    }

    /// f(x), without noise.
    pub fn evaluate(self, x: &[f64]) -> f64 {
        match self {
            Self::Sum => x.iter().sum(),
            Self::SinSum => x.iter().sum::<f64>().sin(),
            Self::Product => x.iter().product(),
            Self::SinProduct => x.iter().product::<f64>().sin(),
        }
    }
}

impl std::str::FromStr for Target {
    type Err = Error;

    /// # Errors
    /// An unknown name; the hint lists the valid ones.
    fn from_str(name: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|target| target.name() == name)
            .ok_or_else(|| {
                Error::usage(
                    format!("there is no regression function named '{name}'"),
                    format!("give one of {}", Self::ALL.map(Self::name).join(", ")),
                )
            })
    }
}

/// Draws a table of `count` rows. The same seed gives the same rows, and a longer table starts with
/// the rows of a shorter one.
pub fn generate(target: Target, count: usize, seed: u64) -> Table {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(STREAM);
    let mut inputs = Vec::with_capacity(count * FEATURES);
    let mut targets = Vec::with_capacity(count);
    for _ in 0..count {
        let mut x = [0.0; FEATURES];
        for pair in x.chunks_exact_mut(2) {
            pair.copy_from_slice(&normal_pair(&mut rng));
        }
        let y = target.evaluate(&x) + NOISE * uniform(&mut rng);
        inputs.extend(x.map(|value| value as f32));
        targets.push(y as f32);
    }
    Table {
        inputs,
        targets,
        features: FEATURES,
        outputs: 1,
        count,
    }
}

/// Two independent draws from N(0, 1) (Box-Muller).
fn normal_pair(rng: &mut ChaCha8Rng) -> [f64; 2] {
    let radius = (-2.0 * (1.0 - uniform(rng)).ln()).sqrt();
    let (sin, cos) = (TAU * uniform(rng)).sin_cos();
    [radius * cos, radius * sin]
}

/// A draw from `[0, 1)` with 53 random bits.
fn uniform(rng: &mut ChaCha8Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_parse_back_and_unknown_ones_list_the_valid() {
        for target in Target::ALL {
            assert_eq!(target.name().parse::<Target>().unwrap(), target);
        }
        let error = "cube".parse::<Target>().unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert_eq!(
            error.hint(),
            "give one of sum, sin-sum, product, sin-product"
        );
    }

    #[test]
    fn the_seed_decides_and_a_longer_table_continues_a_shorter_one() {
        let short = generate(Target::Sum, 10, 1);
        let long = generate(Target::Sum, 1000, 1);
        assert_eq!(short.inputs[..], long.inputs[..10 * FEATURES]);
        assert_eq!(short.targets[..], long.targets[..10]);
        assert_ne!(short, generate(Target::Sum, 10, 2));
        assert_eq!(generate(Target::Sum, 0, 1).targets.len(), 0);
    }

    #[test]
    fn inputs_do_not_depend_on_the_function() {
        let tables = Target::ALL.map(|target| generate(target, 50, 3));
        assert!(tables.iter().all(|table| table.inputs == tables[0].inputs));
    }

    #[test]
    fn a_target_is_its_function_plus_noise_below_a_fifth() {
        for target in Target::ALL {
            let table = generate(target, DEFAULT_COUNT, 5);
            assert_eq!((table.features, table.outputs, table.count), (8, 1, 1000));
            assert_eq!((table.inputs.len(), table.targets.len()), (8000, 1000));
            for (x, &y) in table.inputs.chunks(FEATURES).zip(&table.targets) {
                let x: Vec<f64> = x.iter().map(|&value| f64::from(value)).collect();
                let noise = f64::from(y) - target.evaluate(&x);
                assert!((-1e-4..NOISE + 1e-4).contains(&noise), "{target:?} {noise}");
            }
        }
    }

    /// 80,000 inputs: five sigma of the mean is 0.018, of the variance 0.025, of the fourth moment
    /// 0.17; 10,000 noise draws: five sigma of their mean is 0.003.
    #[test]
    fn moments_are_those_of_the_normal_and_the_uniform() {
        let table = generate(Target::Sum, 10_000, 9);
        let moment = |power: i32| {
            let sum: f64 = table.inputs.iter().map(|&x| f64::from(x).powi(power)).sum();
            sum / table.inputs.len() as f64
        };
        assert!(moment(1).abs() < 0.018, "mean {}", moment(1));
        assert!(
            (moment(2) - 1.0).abs() < 0.025,
            "second moment {}",
            moment(2)
        );
        assert!(
            (moment(4) - 3.0).abs() < 0.18,
            "fourth moment {}",
            moment(4)
        );
        let rows = table.inputs.chunks(FEATURES).zip(&table.targets);
        let noise: f64 = rows
            .map(|(x, y)| f64::from(y - x.iter().sum::<f32>()))
            .sum();
        assert!((noise / 10_000.0 - 0.1).abs() < 0.003, "noise {noise}");
    }
}
