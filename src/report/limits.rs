//! What a report says of trainings that used a part of their data set.

use super::number::thousands;

/// The limits in words; nothing where there are none.
pub(crate) fn describe(train: Option<usize>, test: Option<usize>) -> Option<String> {
    let of = |limit: Option<usize>, what: &str| {
        limit.map(|limit| format!("{} {what} samples", thousands(limit as u64)))
    };
    let parts = [of(train, "training"), of(test, "test")];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| {
        format!(
            "at most {}, not the whole data set as in the paper",
            parts.join(" and ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::describe;

    #[test]
    fn limits_are_named_where_there_are_any() {
        assert_eq!(describe(None, None), None);
        assert_eq!(
            describe(Some(6000), Some(20)).unwrap(),
            "at most 6,000 training samples and 20 test samples, not the whole data set as in the paper"
        );
        assert_eq!(
            describe(None, Some(20)).unwrap(),
            "at most 20 test samples, not the whole data set as in the paper"
        );
    }
}
