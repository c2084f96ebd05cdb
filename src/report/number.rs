//! How counts, losses and accuracies are written in text, the same everywhere.

/// A count with thousands separators: `480,500`.
pub(crate) fn thousands(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number as people write it, in scientific notation where it has many zeros: `0.5`, `64`, `1e308`.
pub(crate) fn plain(value: f64) -> String {
    let text = format!("{value:?}");
    text.strip_suffix(".0").unwrap_or(&text).to_owned()
}

/// A loss with four decimals, in scientific notation where these would say little; `NaN` and `inf` as such.
pub(crate) fn loss(value: f64) -> String {
    if in_decimal_range(value) {
        format!("{value:.4}")
    } else {
        format!("{value:.3e}")
    }
}

/// The difference of two losses, signed, written like a loss.
pub(crate) fn loss_difference(value: f64) -> String {
    if in_decimal_range(value) {
        format!("{value:+.4}")
    } else {
        format!("{value:+.3e}")
    }
}

/// A fraction as a percentage: `94.35 %`.
pub(crate) fn percent(fraction: f64) -> String {
    format!("{:.2} %", 100.0 * fraction)
}

fn in_decimal_range(value: f64) -> bool {
    !value.is_finite() || value == 0.0 || (1e-3..1e6).contains(&value.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_grouped_by_three() {
        let texts = [0, 999, 1_000, 21_840, 999_999, 1_000_000].map(thousands);
        assert_eq!(
            texts,
            ["0", "999", "1,000", "21,840", "999,999", "1,000,000"]
        );
        assert_eq!(thousands(u64::MAX), "18,446,744,073,709,551,615");
    }

    #[test]
    fn numbers_have_no_hundreds_of_zeros() {
        let texts = [0.5, 64.0, 1e6, -1.0, 1e308, -1e300, 5e-324, f64::NAN].map(plain);
        let expected = [
            "0.5", "64", "1000000", "-1", "1e308", "-1e300", "5e-324", "NaN",
        ];
        assert_eq!(texts, expected);
    }

    #[test]
    fn losses_keep_their_meaning_at_every_scale() {
        let texts = [
            1.234_567,
            0.001,
            0.0,
            0.000_123_45,
            1e9,
            f64::NAN,
            f64::INFINITY,
        ]
        .map(loss);
        assert_eq!(
            texts,
            [
                "1.2346", "0.0010", "0.0000", "1.234e-4", "1.000e9", "NaN", "inf"
            ]
        );
        let texts = [0.0153, -0.0153, -2.5e-5].map(loss_difference);
        assert_eq!(texts, ["+0.0153", "-0.0153", "-2.500e-5"]);
    }

    #[test]
    fn fractions_become_percentages() {
        assert_eq!(percent(0.94354), "94.35 %");
    }
}
