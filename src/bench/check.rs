//! Whether a kernel computed what another did.

/// Whether two results are equal up to rounding: sums of `terms` products in any order, each within
/// `terms` x f32 epsilon x scale. The scale is the largest value, as what an element adds up is not known here.
pub fn agree(name: &str, got: &[f32], expected: &[f32], terms: u32) -> Result<(), String> {
    if got.len() != expected.len() {
        return Err(format!(
            "{name} has {} elements, not {}",
            got.len(),
            expected.len()
        ));
    }
    let scale = expected
        .iter()
        .fold(0.0f64, |scale, &value| scale.max(f64::from(value).abs()));
    let tolerance = f64::from(terms) * f64::from(f32::EPSILON) * scale;
    for (index, (&got, &expected)) in got.iter().zip(expected).enumerate() {
        let difference = (f64::from(got) - f64::from(expected)).abs();
        if difference.is_nan() || difference > tolerance {
            return Err(format!("{name}[{index}] is {got} and not {expected}"));
        }
    }
    Ok(())
}

/// The same for buffers of which only the kernel knows whether they hold numbers: equal bits are always right.
pub fn agree_words(name: &str, got: &[u32], expected: &[u32], terms: u32) -> Result<(), String> {
    if got == expected {
        return Ok(());
    }
    agree(
        name,
        bytemuck::cast_slice(got),
        bytemuck::cast_slice(expected),
        terms,
    )
}

#[cfg(test)]
mod tests {
    use super::agree;

    #[test]
    fn rounding_is_forgiven_and_errors_are_not() {
        let expected = [1.0, -2.0, 0.5];
        assert!(agree("y", &[1.0 + f32::EPSILON, -2.0, 0.5], &expected, 10).is_ok());
        assert!(agree("y", &[1.0001, -2.0, 0.5], &expected, 10).is_err());
        assert!(agree("y", &[f32::NAN, -2.0, 0.5], &expected, 10).is_err());
        assert!(agree("y", &[1.0], &expected, 10).is_err());
    }
}
