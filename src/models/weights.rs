//! The weights of a model between the device's layout and files in PyTorch's.

use std::path::Path;

use crate::checkpoint::{self, NamedTensor};
use crate::error::Result;
use crate::plan::{Parameters, Values};

/// Reads a file of weights. Missing, wrong or misshapen tensors are refused by name.
pub fn load_weights(path: &Path, parameters: &Parameters) -> Result<Values> {
    let expected: Vec<_> = parameters
        .specs()
        .iter()
        .map(|spec| (spec.name.clone(), spec.shape.clone()))
        .collect();
    let tensors = checkpoint::load(path, &expected)?;
    let mut values = Values::zeros(parameters);
    for (spec, tensor) in parameters.specs().iter().zip(&tensors) {
        values.set(spec, &tensor.values);
    }
    Ok(values)
}

/// The values as tensors with `state_dict` names and PyTorch shapes.
pub fn named_weights(parameters: &Parameters, values: &Values) -> Vec<NamedTensor> {
    parameters
        .specs()
        .iter()
        .map(|spec| NamedTensor {
            name: spec.name.clone(),
            shape: spec.shape.clone(),
            values: values.get(spec),
        })
        .collect()
}
