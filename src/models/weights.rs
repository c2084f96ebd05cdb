//! The weights of a model between the device's layout and files in PyTorch's.

use std::path::Path;

use crate::checkpoint::{self, NamedTensor};
use crate::error::Result;
use crate::plan::{ParameterSpec, Parameters, Values};
use crate::pretrained;

/// The weights of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadedWeights {
    /// All of a model's.
    pub values: Values,
    /// What there is to tell about how a file of others was read, a line each.
    pub notes: Vec<String>,
}

/// Reads a file of weights: ours, or one of others with the same names. Missing, wrong or misshapen tensors are refused by name.
pub fn load_weights(path: &Path, parameters: &Parameters) -> Result<LoadedWeights> {
    let specs = parameters.specs().iter();
    let expected: Vec<_> = specs.map(ParameterSpec::tensor).collect();
    let (tensors, notes) = if pretrained::is_of_others(path)? {
        let selection = pretrained::select(pretrained::read(path)?, &expected, &[])?;
        (selection.tensors, selection.notes)
    } else {
        (checkpoint::load(path, &expected)?, Vec::new())
    };
    let mut values = Values::zeros(parameters);
    for (spec, tensor) in parameters.specs().iter().zip(&tensors) {
        values.set(spec, &tensor.values);
    }
    Ok(LoadedWeights { values, notes })
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::layers::{Activation, BatchNorm, Conv2d, Conv2dOptions};

    /// A convolution, whose weights lie in another order on the device, and a normalisation of its channels.
    fn parameters() -> Parameters {
        let mut parameters = Parameters::default();
        Conv2d::new(&mut parameters, "conv", Conv2dOptions::square(2, 3, 3));
        BatchNorm::new(&mut parameters, "norm", 3, Activation::Relu);
        parameters
    }

    /// Different numbers for every value.
    fn values(parameters: &Parameters) -> Values {
        let mut values = Values::zeros(parameters);
        let mut next = 0.0;
        for spec in parameters.specs() {
            let count = |_| {
                next += 0.5;
                next
            };
            let numbers: Vec<f32> = (0..spec.elements()).map(count).collect();
            values.set(spec, &numbers);
        }
        values
    }

    #[test]
    fn weights_and_statistics_come_back_from_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.safetensors");
        let parameters = parameters();
        let values = values(&parameters);
        let tensors = named_weights(&parameters, &values);
        let names: Vec<&str> = tensors.iter().map(|tensor| tensor.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "conv.weight",
                "conv.bias",
                "norm.weight",
                "norm.bias",
                "norm.running_mean",
                "norm.running_var"
            ]
        );
        checkpoint::save(&path, &tensors, &BTreeMap::new()).unwrap();
        let loaded = load_weights(&path, &parameters).unwrap();
        assert_eq!(loaded.values, values);
        assert_eq!(loaded.notes, [""; 0]);
    }
}
