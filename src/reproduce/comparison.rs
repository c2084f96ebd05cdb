//! What may be said about two nets.

use serde::Serialize;

use crate::report::measure::Measure;
use crate::report::statistics::Paired;

/// Below this probability of chance, a difference counts as shown.
const SIGNIFICANCE: f64 = 0.05;

/// A net and the one that it is held against, seed by seed.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Comparison {
    /// The net.
    pub net: String,
    /// The other.
    pub reference: String,
    /// The differences `net - reference`.
    pub difference: Paired,
    /// What they allow to say, in a sentence.
    pub statement: String,
}

impl Comparison {
    /// Compares what a measure found for the same seeds, in the same order.
    pub fn new(measure: Measure, net: (&str, &[f64]), reference: (&str, &[f64])) -> Self {
        let pairs = net.1.iter().zip(reference.1);
        let differences: Vec<f64> = pairs.map(|(net, reference)| net - reference).collect();
        let difference = Paired::new(&differences);
        Self {
            net: net.0.to_owned(),
            reference: reference.0.to_owned(),
            difference,
            statement: statement(measure, net.0, reference.0, &difference),
        }
    }
}

fn statement(measure: Measure, net: &str, reference: &str, difference: &Paired) -> String {
    let Paired { count, mean, .. } = *difference;
    let unit = measure.difference_unit();
    let signed = |value: f64| {
        let sign = if value < 0.0 { "" } else { "+" };
        format!("{sign}{}", measure.text(value))
    };
    let verdict = if (mean > 0.0) == measure.is_accuracy() {
        "better"
    } else {
        "worse"
    };
    let size = measure.text(mean.abs());
    match difference.test {
        None if count == 1 => format!(
            "one seed: no statement ({net} - {reference} = {} {unit})",
            signed(mean)
        ),
        None if mean == 0.0 => {
            format!("{net} and {reference} are equal with each of {count} seeds")
        }
        None => format!(
            "{net} is {verdict} than {reference} by {size} {unit} with each of {count} seeds: without any spread there is no \
             test"
        ),
        Some(test) => {
            let chance = format!("(95 %), p = {}", probability(test.p));
            let margin = measure.text(test.half_width);
            if test.p < SIGNIFICANCE {
                format!(
                    "{net} is {verdict} than {reference} by {size} +- {margin} {unit} {chance} over {count} seeds"
                )
            } else {
                format!(
                    "no difference that {count} seeds can show ({net} - {reference} = {} +- {margin} {unit} {chance})",
                    signed(mean)
                )
            }
        }
    }
}

/// Two digits that say something.
fn probability(p: f64) -> String {
    if p < 0.0001 {
        format!("{p:.0e}")
    } else if p < 0.095 {
        let decimals = (1.0 - p.log10().floor()) as usize;
        format!("{p:.decimals$}")
    } else {
        format!("{p:.2}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accuracy(spinal: &[f64], baseline: &[f64]) -> String {
        said(Measure::FinalTestAccuracy, spinal, baseline)
    }

    fn said(measure: Measure, spinal: &[f64], baseline: &[f64]) -> String {
        Comparison::new(measure, ("spinal", spinal), ("baseline", baseline)).statement
    }

    /// Differences of 0.2, 0.3 and 0.4 points: mean 0.3, standard error 0.1 / sqrt 3, t = 5.196, p = 0.0351, and the interval
    /// reaches 4.3027 standard errors.
    #[test]
    fn a_shown_difference_has_its_margin() {
        let base = [0.980, 0.981, 0.982];
        let better = [0.982, 0.984, 0.986];
        assert_eq!(
            accuracy(&better, &base),
            "spinal is better than baseline by 0.30 +- 0.25 points (95 %), p = 0.035 over 3 seeds"
        );
        assert_eq!(
            accuracy(&base, &better),
            "spinal is worse than baseline by 0.30 +- 0.25 points (95 %), p = 0.035 over 3 seeds"
        );
    }

    #[test]
    fn a_lower_loss_is_better() {
        let (low, high) = ([0.0010, 0.0011, 0.0012], [0.0030, 0.0032, 0.0031]);
        let text = said(Measure::FinalTestLoss, &low, &high);
        assert!(
            text.starts_with("spinal is better than baseline by 2.000 +- 0.248 x 1e-3"),
            "{text}"
        );
    }

    /// Differences of -0.1 and +0.3 points: t = 0.5, and with one degree of freedom p = 1 - 2/pi atan 0.5 = 0.705.
    #[test]
    fn a_difference_within_the_noise_is_none() {
        assert_eq!(
            accuracy(&[0.979, 0.983], &[0.980, 0.980]),
            "no difference that 2 seeds can show (spinal - baseline = +0.10 +- 2.54 points (95 %), p = 0.70)"
        );
    }

    #[test]
    fn without_spread_nothing_is_tested() {
        assert_eq!(
            accuracy(&[0.975], &[0.970]),
            "one seed: no statement (spinal - baseline = +0.50 points)"
        );
        assert_eq!(
            accuracy(&[0.5, 0.5], &[0.5, 0.5]),
            "spinal and baseline are equal with each of 2 seeds"
        );
        assert_eq!(
            accuracy(&[0.75, 0.5], &[0.5, 0.25]),
            "spinal is better than baseline by 25.00 points with each of 2 seeds: without any spread there is no test"
        );
    }

    #[test]
    fn probabilities_have_two_digits() {
        let texts = [0.7048, 0.0949, 0.035, 0.00283, 0.000_12, 3e-9].map(probability);
        assert_eq!(
            texts,
            ["0.70", "0.095", "0.035", "0.0028", "0.00012", "3e-9"]
        );
    }
}
