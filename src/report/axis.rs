//! The range of a picture's axis and the places of its ticks.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

/// At most about how many ticks an axis of losses or percentages has.
const VALUE_TICKS: f64 = 6.0;

/// At most about how many ticks an axis of epochs has: few characters each, on the longer side.
const EPOCH_TICKS: f64 = 10.0;

/// How many decades of a logarithmic axis may each have a tick.
const LOGARITHMIC_TICKS: f64 = 8.0;

/// An axis that holds given values.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Axis {
    /// From the lowest to the highest place.
    range: Range<f64>,
    /// Where the ticks are, ascending.
    ticks: Vec<f64>,
    /// Whether equal ratios, not equal differences, are equally long.
    logarithmic: bool,
}

impl Axis {
    /// Losses, with a margin; logarithmic if they are positive and span more than a factor of 10.
    pub(crate) fn loss(values: &[f64]) -> Self {
        let Range { start, end } = extent(values);
        if start > 0.0 && end / start > 10.0 {
            let margin = (end / start).powf(0.05);
            let range = start / margin..end * margin;
            Self {
                ticks: logarithmic_ticks(&range),
                range,
                logarithmic: true,
            }
        } else {
            Self::linear(with_margin(start..end))
        }
    }

    /// Percentages, with a margin that ends at 0 and 100.
    pub(crate) fn percentage(values: &[f64]) -> Self {
        let Range { start, end } = with_margin(extent(values));
        Self::linear(start.max(0.0)..end.min(100.0))
    }

    /// Epochs, with a margin and ticks at whole numbers.
    pub(crate) fn epochs(values: &[f64]) -> Self {
        let range = with_margin(extent(values));
        let mut ticks = linear_ticks(&range, EPOCH_TICKS);
        ticks.retain(|tick| tick.fract() == 0.0);
        Self {
            range,
            ticks,
            logarithmic: false,
        }
    }

    fn linear(range: Range<f64>) -> Self {
        Self {
            ticks: linear_ticks(&range, VALUE_TICKS),
            range,
            logarithmic: false,
        }
    }
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (start, end): (i32, i32)) -> i32 {
        let place = if self.logarithmic {
            f64::ln
        } else {
            |value| value
        };
        let (low, high) = (place(self.range.start), place(self.range.end));
        let fraction = (place(*value) - low) / (high - low);
        start + (f64::from(end - start) * fraction).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() {
            vec![]
        } else {
            self.ticks.clone()
        }
    }

    fn range(&self) -> Range<f64> {
        self.range.clone()
    }
}

impl ValueFormatter<f64> for Axis {
    fn format(tick: &f64) -> String {
        tick_label(*tick)
    }
}

/// A tick's number in as few characters as it needs.
fn tick_label(value: f64) -> String {
    if value != 0.0 && !(1e-3..1e6).contains(&value.abs()) {
        return format!("{value:.1e}").replace(".0e", "e");
    }
    let decimals = format!("{value:.4}");
    decimals
        .trim_end_matches('0')
        .trim_end_matches('.')
        .to_owned()
}

/// From the least to the greatest value, widened if they are equal; 0 to 1 without values.
fn extent(values: &[f64]) -> Range<f64> {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let greatest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if values.is_empty() {
        0.0..1.0
    } else if least == greatest {
        let half = if least == 0.0 { 1.0 } else { least.abs() / 2.0 };
        least - half..greatest + half
    } else {
        least..greatest
    }
}

fn with_margin(range: Range<f64>) -> Range<f64> {
    let margin = 0.05 * (range.end - range.start);
    range.start - margin..range.end + margin
}

/// Multiples of 1, 2 or 5 times a power of ten.
fn linear_ticks(range: &Range<f64>, at_most: f64) -> Vec<f64> {
    let rough = (range.end - range.start) / at_most;
    let decade = 10_f64.powf(rough.log10().floor());
    let factor = [1.0, 2.0, 5.0]
        .into_iter()
        .find(|factor| factor * decade >= rough);
    let step = factor.unwrap_or(10.0) * decade;
    let (first, last) = (
        (range.start / step).ceil() as i64,
        (range.end / step).floor() as i64,
    );
    (first..=last)
        .map(|multiple| multiple as f64 * step)
        .collect()
}

/// Powers of ten, with their doubles and fivefolds where there is room.
fn logarithmic_ticks(range: &Range<f64>) -> Vec<f64> {
    let decades = (range.end / range.start).log10();
    let factors: &[f64] = if decades < 3.0 {
        &[1.0, 2.0, 5.0]
    } else {
        &[1.0]
    };
    let stride = (decades / LOGARITHMIC_TICKS).ceil() as usize;
    let exponents = range.start.log10().floor() as i32..=range.end.log10().ceil() as i32;
    exponents
        .step_by(stride)
        .flat_map(|exponent| {
            factors
                .iter()
                .map(move |factor| factor * 10_f64.powi(exponent))
        })
        .filter(|tick| range.contains(tick))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<String> {
        axis.ticks.iter().map(|&tick| tick_label(tick)).collect()
    }

    #[test]
    fn close_losses_are_linear_and_distant_ones_logarithmic() {
        let close = Axis::loss(&[0.1, 0.9]);
        assert!(!close.logarithmic);
        assert_eq!(labels(&close), ["0.2", "0.4", "0.6", "0.8"]);
        let distant = Axis::loss(&[0.03, 2.3]);
        assert!(distant.logarithmic);
        assert_eq!(labels(&distant), ["0.05", "0.1", "0.2", "0.5", "1", "2"]);
        assert_eq!(
            labels(&Axis::loss(&[2e-6, 0.5])),
            ["1e-5", "1e-4", "0.001", "0.01", "0.1"]
        );
        assert!(!Axis::loss(&[0.0, 1.0]).logarithmic);
        assert!(Axis::loss(&[1e-38, 3e38]).ticks.len() <= 12);
    }

    #[test]
    fn percentages_stay_between_0_and_100() {
        let axis = Axis::percentage(&[10.0, 99.9]);
        assert_eq!(axis.range.end, 100.0);
        assert_eq!(labels(&axis), ["20", "40", "60", "80", "100"]);
        assert_eq!(Axis::percentage(&[0.0]).range, 0.0..1.1);
    }

    #[test]
    fn epochs_are_whole_and_few() {
        assert_eq!(labels(&Axis::epochs(&[1.0, 2.0, 3.0])), ["1", "2", "3"]);
        assert_eq!(labels(&Axis::epochs(&[1.0])), ["1"]);
        assert_eq!(
            labels(&Axis::epochs(&[1.0, 200.0])),
            ["0", "50", "100", "150", "200"]
        );
    }

    #[test]
    fn no_values_and_equal_values_have_a_range() {
        for values in [&[][..], &[0.0], &[2.5, 2.5], &[-1.0], &[100.0]] {
            let axis = Axis::loss(values);
            assert!(axis.range.start < axis.range.end, "{axis:?}");
            assert!(!axis.ticks.is_empty() && axis.ticks.len() <= 12, "{axis:?}");
        }
    }
}
