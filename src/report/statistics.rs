//! What a few repetitions allow to say: mean, standard deviation, and the paired t test.

use serde::Serialize;
use statrs::distribution::{ContinuousCDF, StudentsT};

/// The probability that a confidence interval holds the true value.
const CONFIDENCE: f64 = 0.95;

/// The mean, and the standard deviation with n - 1; 0 for one value.
pub fn mean_and_deviation(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let deviation = if values.len() > 1 {
        (squares / (count - 1.0)).sqrt()
    } else {
        0.0
    };
    (mean, deviation)
}

/// The differences of two nets over seeds, each seed with itself.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Paired {
    /// Seeds.
    pub count: usize,
    /// The mean difference.
    pub mean: f64,
    /// The standard deviation of the differences.
    pub deviation: f64,
    /// What a t test tells; nothing of one seed, or of differences that are all the same.
    pub test: Option<TTest>,
}

/// The two-sided paired t test of the hypothesis that the true difference is zero.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct TTest {
    /// Student's t.
    pub t: f64,
    /// The probability of a difference at least this great if there is none.
    pub p: f64,
    /// Half the width of the 95 % interval of the difference.
    pub half_width: f64,
}

impl Paired {
    /// Compares differences, one of each seed, with zero.
    pub fn new(differences: &[f64]) -> Self {
        let count = differences.len();
        let (mean, deviation) = mean_and_deviation(differences);
        Self {
            count,
            mean,
            deviation,
            test: (count > 1 && deviation > 0.0).then(|| t_test(count, mean, deviation)),
        }
    }
}

fn t_test(count: usize, mean: f64, deviation: f64) -> TTest {
    let student = StudentsT::new(0.0, 1.0, (count - 1) as f64)
        .expect("there is at least one degree of freedom");
    let error = deviation / (count as f64).sqrt();
    let t = mean / error;
    TTest {
        t,
        p: 2.0 * student.sf(t.abs()),
        half_width: error * student.inverse_cdf(0.5 + CONFIDENCE / 2.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_near(found: f64, expected: f64, within: f64) {
        assert!((found - expected).abs() <= within, "{found}, {expected}");
    }

    #[test]
    fn the_deviation_is_that_of_a_sample() {
        assert_eq!(mean_and_deviation(&[2.0, 4.0]), (3.0, 2_f64.sqrt()));
        assert_eq!(mean_and_deviation(&[7.0]), (7.0, 0.0));
    }

    /// Student's sleep data (Biometrika 1908): the additional sleep by two drugs, of which R's `t.test(paired = TRUE)` says
    /// t = 4.0621, p = 0.002833, 95 % interval 0.7001142 to 2.4598858.
    #[test]
    fn students_own_example() {
        let first = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0];
        let second = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4];
        let differences: Vec<f64> = first.iter().zip(second).map(|(a, b)| b - a).collect();
        let paired = Paired::new(&differences);
        let test = paired.test.unwrap();
        assert_near(paired.mean, 1.58, 1e-12);
        assert_near(test.t, 4.0621, 5e-5);
        assert_near(test.p, 0.002833, 5e-7);
        assert_near(paired.mean - test.half_width, 0.700_114_2, 5e-7);
        assert_near(paired.mean + test.half_width, 2.459_885_8, 5e-7);
    }

    /// With one degree of freedom, Student's distribution is Cauchy's: p = 1 - 2/pi atan(t), and the interval reaches
    /// tan(0.475 pi) = 12.7062 standard errors.
    #[test]
    fn two_seeds_are_cauchys() {
        let test = Paired::new(&[1.0, 3.0]).test.unwrap();
        assert_near(test.t, 2.0, 1e-12);
        assert_near(
            test.p,
            1.0 - 2.0_f64.atan() / std::f64::consts::FRAC_PI_2,
            1e-9,
        );
        assert_near(test.half_width, (0.475 * std::f64::consts::PI).tan(), 1e-6);
        let mirrored = Paired::new(&[-1.0, -3.0]).test.unwrap();
        assert_eq!((mirrored.t, mirrored.p), (-test.t, test.p));
    }

    #[test]
    fn one_seed_or_no_spread_have_no_test() {
        assert_eq!(Paired::new(&[0.5]).test, None);
        let same = Paired::new(&[0.5, 0.5, 0.5]);
        assert_eq!((same.mean, same.deviation, same.test), (0.5, 0.0, None));
    }
}
