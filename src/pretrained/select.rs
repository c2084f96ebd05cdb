//! The tensors of a net among those of a file.

use std::collections::{HashMap, HashSet};

use safetensors::tensor::Dtype;

use super::{TensorFile, architecture, names};
use crate::checkpoint::{self, Kind, NamedTensor, foreign_text, listed};
use crate::error::{Error, Result};

/// What a net takes from a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Selection {
    /// A tensor for each that is expected, in that order.
    pub tensors: Vec<NamedTensor>,
    /// What there is to tell about how it was read and what was left out, a line each.
    pub notes: Vec<String>,
}

/// Finds the `expected` tensors (name and shape) in a file, whose names may stand behind a prefix. Tensors whose names begin with
/// one of `head`, for instance `fc.`, are a classifier and left out, unless they are expected.
///
/// # Errors
/// `Error::File` if other tensors are missing, unexpected or of another shape, or values are not finite.
pub fn select(
    file: TensorFile,
    expected: &[(String, Vec<usize>)],
    head: &[&str],
) -> Result<Selection> {
    let TensorFile {
        path,
        mut tensors,
        mut notes,
    } = file;
    let wanted: HashSet<&str> = expected.iter().map(|(name, _)| name.as_str()).collect();
    notes.extend(names::adopt(&mut tensors, &wanted));

    let is_of_head = |NamedTensor { name, .. }: &NamedTensor| {
        !wanted.contains(name.as_str()) && head.iter().any(|head| name.starts_with(head))
    };
    let mut left_out = tensors
        .iter()
        .filter(|tensor| is_of_head(tensor))
        .peekable();
    if left_out.peek().is_some() {
        let described =
            left_out.map(|tensor| format!("{} {:?}", foreign_text(&tensor.name), tensor.shape));
        notes.push(format!(
            "classifier of the file left out: {}",
            listed(&described.collect::<Vec<_>>())
        ));
    }
    let guess = architecture::guess(&tensors);
    tensors.retain(|tensor| !is_of_head(tensor));

    let mut kinds = HashMap::new();
    for NamedTensor { name, shape, .. } in &tensors {
        let dtype = Dtype::F32;
        if kinds.insert(name.as_str(), Kind { shape, dtype }).is_some() {
            return Err(Error::file(
                path,
                format!(
                    "two tensors are named {} but for a prefix",
                    foreign_text(name)
                ),
                "save the tensors of one net alone",
            ));
        }
    }
    let hint = match guess {
        Some(guess) => format!(
            "by its number of parameters the file is of {}: choose that backbone, or other weights",
            guess.name
        ),
        None => "check that the weights belong to the chosen backbone".to_owned(),
    };
    checkpoint::check_agreement(&path, &kinds, expected, &hint)?;

    let mut found: HashMap<String, NamedTensor> = tensors
        .into_iter()
        .map(|tensor| (tensor.name.clone(), tensor))
        .collect();
    let tensors = expected.iter().filter_map(|(name, _)| found.remove(name));
    let tensors: Vec<NamedTensor> = tensors.collect();
    checkpoint::check_finite(&path, &tensors)?;
    checkpoint::check_variances(&path, &tensors)?;
    Ok(Selection { tensors, notes })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(name: &str, shape: &[usize]) -> NamedTensor {
        let count = shape.iter().product();
        NamedTensor {
            name: name.to_owned(),
            shape: shape.to_vec(),
            values: (0..count).map(|i| i as f32).collect(),
        }
    }

    fn file(tensors: &[(&str, &[usize])]) -> TensorFile {
        let tensors = tensors.iter().map(|(name, shape)| tensor(name, shape));
        TensorFile {
            path: "file.pth".into(),
            tensors: tensors.collect(),
            notes: vec!["read".to_owned()],
        }
    }

    fn expected() -> Vec<(String, Vec<usize>)> {
        vec![
            ("conv1.weight".into(), vec![2, 3]),
            ("bn1.bias".into(), vec![2]),
        ]
    }

    fn refusal(tensors: &[(&str, &[usize])]) -> String {
        let error = select(file(tensors), &expected(), &["fc."]).unwrap_err();
        format!("{error} | {}", error.hint())
    }

    #[test]
    fn a_net_takes_what_it_expects_and_leaves_the_classifier() {
        let file = file(&[
            ("module.fc.weight", &[10, 2]),
            ("module.bn1.bias", &[2]),
            ("module.conv1.weight", &[2, 3]),
            ("module.fc.bias", &[10]),
        ]);
        let whole = [expected(), vec![("fc.bias".into(), vec![10])]].concat();
        let selection = select(file.clone(), &expected(), &["fc."]).unwrap();
        let tensors = [tensor("conv1.weight", &[2, 3]), tensor("bn1.bias", &[2])];
        assert_eq!(selection.tensors, tensors);
        assert_eq!(
            selection.notes,
            [
                "read",
                "prefix \"module.\" taken off 4 names",
                "classifier of the file left out: fc.weight [10, 2], fc.bias [10]",
            ]
        );
        let selection = select(file, &whole, &["fc."]).unwrap();
        assert_eq!(selection.tensors[2], tensor("fc.bias", &[10]));
        assert!(selection.notes[2].ends_with("out: fc.weight [10, 2]"));
    }

    #[test]
    fn what_is_missing_surplus_or_misshapen_is_named() {
        assert_eq!(
            refusal(&[
                ("conv1.weight", &[2, 4]),
                ("conv2.weight", &[1]),
                ("fc.bias", &[1])
            ]),
            "file.pth: missing tensors: bn1.bias [2]; unexpected tensors: conv2.weight; \
             wrong shape: conv1.weight is [2, 4], not [2, 3] | \
             check that the weights belong to the chosen backbone"
        );
        assert!(
            refusal(&[("x.conv1.weight", &[2, 3]), ("conv1.weight", &[2, 3])]).starts_with(
                "file.pth: missing tensors: bn1.bias [2]; unexpected tensors: x.conv1"
            )
        );
        assert!(refusal(&[("features.0.weight", &[2_469_696])]).contains("the file is of alexnet"));
    }

    #[test]
    fn two_of_one_name_are_refused() {
        let tensors: [(&str, &[usize]); 3] = [
            ("module.conv1.weight", &[2, 3]),
            ("module.bn1.bias", &[2]),
            ("bn1.bias", &[2]),
        ];
        assert!(refusal(&tensors).contains("two tensors are named bn1.bias but for a prefix"));
    }

    #[test]
    fn numbers_that_are_none_are_refused() {
        let mut file = file(&[("conv1.weight", &[2, 3]), ("bn1.bias", &[2])]);
        file.tensors[0].values[4] = f32::NAN;
        let error = select(file, &expected(), &[]).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("conv1.weight (NaN at element 4)"),
            "{error}"
        );
    }
}
