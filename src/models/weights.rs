//! The weights of a model between the device's layout and files in PyTorch's.

use std::path::Path;

use crate::checkpoint::{self, NamedTensor};
use crate::error::Result;
use crate::plan::Parameters;

/// Reads a file of weights into the flat device image. Missing, wrong or misshapen tensors are refused by name.
pub fn load_weights(path: &Path, parameters: &Parameters) -> Result<Vec<f32>> {
    let expected: Vec<_> = parameters
        .specs()
        .iter()
        .map(|spec| (spec.name.clone(), spec.shape.clone()))
        .collect();
    let tensors = checkpoint::load(path, &expected)?;
    let mut flat = vec![0.0; parameters.device_elements() as usize];
    for (spec, tensor) in parameters.specs().iter().zip(&tensors) {
        spec.pack(&tensor.values, &mut flat);
    }
    Ok(flat)
}

/// The flat device image as tensors with `state_dict` names and PyTorch shapes.
pub fn named_weights(parameters: &Parameters, flat: &[f32]) -> Vec<NamedTensor> {
    parameters
        .specs()
        .iter()
        .map(|spec| NamedTensor {
            name: spec.name.clone(),
            shape: spec.shape.clone(),
            values: spec.unpack(flat),
        })
        .collect()
}
