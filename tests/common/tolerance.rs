//! How far f32 on an adapter may be from the f64 twin: formulas from what WGSL promises, never numbers found by trial.
//!
//! WGSL (section "Floating Point Accuracy") promises for f32:
//!
//! | operation | error |
//! |---|---|
//! | `+ - *` | correctly rounded, up or down: relative error at most [`EPS`] |
//! | `/` | 2.5 units in the last place |
//! | `sqrt` | as `1 / inverseSqrt` (2 units): at most 4.5 units |
//! | `exp(x)` | 3 + 2 abs(x) units |
//! | `log(x)` | 3 units, or absolutely 2^-21 for x in [0.5, 2] |
//!
//! and subnormal numbers may be taken as zero: [`TINY`] for each operation.

/// Distance from 1 to the next f32: one unit in the last place is at most this times the value.
pub const EPS: f64 = f32::EPSILON as f64;

/// The smallest normal f32.
pub const TINY: f64 = f32::MIN_POSITIVE as f64;

/// Relative error of a division.
pub const DIVISION: f64 = 2.5 * EPS;

/// Relative error of a square root.
pub const SQUARE_ROOT: f64 = 4.5 * EPS;

/// Relative error of `exp(x)`.
pub fn exp(x: f64) -> f64 {
    (3.0 + 2.0 * x.abs()) * EPS
}

/// Absolute error of `log(x)`.
pub fn log(x: f64) -> f64 {
    (3.0 * EPS * x.ln().abs()).max(2f64.powi(-21))
}

/// How many times the error of PyTorch in f32 this program's may be: the rounding is another draw of the same kind, and the
/// largest of a few can be small by luck.
pub const LUCK: f64 = 4.0;

/// Absolute error of a sum of `terms` products whose magnitudes add up to `scale`, added in any order, fused or not.
///
/// Each product is rounded once and takes part in at most `terms` additions: `(1 + EPS)^(terms + 1) - 1` (Higham, Accuracy
/// and Stability of Numerical Algorithms, 4.2), to first order. A dropped or doubled product of average size differs by
/// `scale / terms`, which is more as long as `terms` is below 1 / sqrt(EPS) = 2900.
pub fn sum(terms: usize, scale: f64) -> f64 {
    (terms as f64 + 1.0) * (EPS * scale + TINY)
}

/// Roundings of a product on its way through Winograd's transforms, beside those of the sum over channels or tiles: along
/// each of two directions at most 6 in B^T, 6 in G and 5 in A^T, or for the gradient of the weight 6 in B^T, 4 in A and 7 in
/// G^T, those of the coefficients included. What is rounded is at most what the same transforms with the magnitudes of all
/// coefficients make of the magnitudes: `scale` of [`sum`].
pub const WINOGRAD: usize = 2 * 17;

/// Asserts that every element is the expected one.
pub fn assert_exact(what: &str, got: &[f64], expected: &[f64]) {
    assert_within(what, got, expected, |_| 0.0);
}

/// Asserts that every element is within `tolerance(its index)` of the expected one.
pub fn assert_within(what: &str, got: &[f64], expected: &[f64], tolerance: impl Fn(usize) -> f64) {
    assert_eq!(got.len(), expected.len(), "{what}: the number of elements");
    for (index, (got, expected)) in got.iter().zip(expected).enumerate() {
        let (difference, tolerance) = ((got - expected).abs(), tolerance(index));
        assert!(
            difference <= tolerance,
            "{what}: element {index}: {got}, expected {expected}: {difference:e} apart, tolerance {tolerance:e}"
        );
    }
}

/// Asserts that NaN and both infinities are where they are expected, and nowhere else.
pub fn assert_not_finite(what: &str, got: &[f64], expected: &[f64]) {
    assert_eq!(got.len(), expected.len(), "{what}: the number of elements");
    for (index, (got, expected)) in got.iter().zip(expected).enumerate() {
        let alike = if expected.is_finite() {
            got.is_finite()
        } else {
            got == expected || got.is_nan() && expected.is_nan()
        };
        assert!(alike, "{what}: element {index}: {got}, expected {expected}");
    }
}
