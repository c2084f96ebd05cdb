//! Turning a hidden layer of a trained or untrained net into a spinal one (paper, supplement, figure SpinalHL).
//!
//! The H units are ordered in a chain of L groups. Each group keeps the edges from its own slice of the inputs, loses the
//! others, and gains edges from the group before, which begin at 0; every edge to the output stays.

use std::collections::HashMap;

use crate::checkpoint::NamedTensor;
use crate::error::Result;
use crate::models::{self, Model, ModelOptions};
use crate::plan::{ParameterSpec, Values};
use crate::steps::multiplications;

/// What a net costs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Cost {
    /// Learnable parameters.
    pub parameters: u64,
    /// Multiplications for one sample.
    pub multiplications: u64,
}

impl Cost {
    /// Of the whole net.
    pub fn of(model: &Model) -> Self {
        Self {
            parameters: model.parameters.count(),
            multiplications: multiplications(model),
        }
    }
}

/// A net with a traditional hidden layer, and the same net with a spinal one.
pub struct Conversion {
    /// The net as it is.
    pub before: Model,
    /// The net with the chain.
    pub after: Model,
    layer: String,
    spinal: ModelOptions,
}

impl Conversion {
    /// Converts the hidden layer that `options` name, or the first.
    ///
    /// # Errors
    /// A net without such a layer, or units that the groups do not divide.
    pub fn new(model: &str, options: ModelOptions) -> Result<Self> {
        let number = options.head.spinal_hidden.unwrap_or(1);
        let mut traditional = options;
        traditional.head.spinal_hidden = None;
        traditional.head.spinal_width = None;
        traditional.head.spinal_depth = None;
        let mut spinal = options;
        spinal.head.spinal_hidden = Some(number);
        Ok(Self {
            before: models::build(model, traditional)?,
            after: models::build(model, spinal)?,
            layer: format!("fc{number}"),
            spinal,
        })
    }

    /// What the new net changes about the model of its name.
    pub fn options(&self) -> ModelOptions {
        self.spinal
    }

    /// Inputs of the layer that no group sees: there are some where the groups are fewer than the slices.
    pub fn unseen_inputs(&self) -> usize {
        let shape = |model: &Model, name: String| {
            let specs = model.parameters.specs();
            specs
                .iter()
                .find(|spec| spec.name == name)
                .map(|spec| spec.shape.clone())
        };
        let sub_layer = |l| shape(&self.after, format!("{}.sub_layers.{l}.weight", self.layer));
        let old = shape(&self.before, format!("{}.weight", self.layer));
        let (Some(old), Some(first)) = (old, sub_layer(0)) else {
            unreachable!("both nets have the layer")
        };
        let groups = (0..)
            .take_while(|&l: &usize| sub_layer(l).is_some())
            .count();
        old[1].saturating_sub(groups * first[1])
    }

    /// The weights of the new net, from those of the old one.
    pub fn weights(&self, before: &Values) -> Vec<NamedTensor> {
        let old = models::named_weights(&self.before.parameters, before);
        let old: HashMap<&str, &NamedTensor> = old
            .iter()
            .map(|tensor| (tensor.name.as_str(), tensor))
            .collect();
        let mut values = Values::zeros(&self.after.parameters);
        for spec in self.after.parameters.specs() {
            let tensor = match self.group_of(spec) {
                Some((l, part)) => self.cut(spec, l, old[self.source(part).as_str()]),
                None => old[spec.name.as_str()].values.clone(),
            };
            values.set(spec, &tensor);
        }
        models::named_weights(&self.after.parameters, &values)
    }

    /// For a tensor of the chain: its group, and what follows that in its name.
    fn group_of<'a>(&self, spec: &'a ParameterSpec) -> Option<(usize, Part<'a>)> {
        let rest = spec.name.strip_prefix(&self.layer)?.strip_prefix('.')?;
        let (kind, rest) = rest.split_once('.')?;
        let (l, name) = rest.split_once('.')?;
        let part = match kind {
            "sub_layers" => Part::Linear(name),
            "norms" => Part::Norm(name),
            _ => return None,
        };
        Some((l.parse().ok()?, part))
    }

    /// The name of the old tensor that a part of a group is cut from.
    fn source(&self, part: Part) -> String {
        match part {
            Part::Linear(name) => format!("{}.{name}", self.layer),
            Part::Norm(name) => format!("{}_bn.{name}", self.layer),
        }
    }

    /// Group `l` of an old tensor: its rows, and of a weight the columns of its slice, which wrap; V is 0.
    fn cut(&self, spec: &ParameterSpec, l: usize, old: &NamedTensor) -> Vec<f32> {
        let width = spec.shape[0];
        let rows = l * width..(l + 1) * width;
        let [_, inputs] = old.shape[..] else {
            return old.values[rows].to_vec();
        };
        let columns = spec.shape[1];
        let slice = columns - if l > 0 { width } else { 0 };
        let value = |row: usize, column: usize| match column {
            column if column < slice => old.values[row * inputs + (l * slice + column) % inputs],
            _ => 0.0,
        };
        rows.flat_map(|row| (0..columns).map(move |column| value(row, column)))
            .collect()
    }
}

/// A tensor of a group of a chain.
#[derive(Clone, Copy)]
enum Part<'a> {
    /// Of its Linear.
    Linear(&'a str),
    /// Of its BatchNorm.
    Norm(&'a str),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::{Linear, Spinal, SpinalOptions};
    use crate::models::initial_values;
    use crate::plan::Parameters;

    fn conversion(model: &str, width: u32) -> Conversion {
        let mut options = ModelOptions::default();
        options.head.spinal_width = Some(width);
        Conversion::new(model, options).unwrap()
    }

    /// The figure: two inputs, four hidden and two outputs have 16 weights; as a chain of four groups of one, 15.
    #[test]
    fn the_figure_of_the_paper_saves_a_weight() {
        let weights = |parameters: &Parameters| -> usize {
            let matrices = parameters
                .specs()
                .iter()
                .filter(|spec| spec.shape.len() == 2);
            matrices.map(ParameterSpec::elements).sum()
        };
        let mut traditional = Parameters::default();
        Linear::new(&mut traditional, "fc1", 2, 4);
        Linear::new(&mut traditional, "fc2", 4, 2);
        let mut spinal = Parameters::default();
        Spinal::new(&mut spinal, "spinal", SpinalOptions::halves(2, 1, 4), 2);
        assert_eq!((weights(&traditional), weights(&spinal)), (16, 15));
    }

    #[test]
    fn groups_keep_their_rows_and_their_slice() {
        let conversion = conversion("mnist-cnn-baseline", 10);
        let before = initial_values(&conversion.before.parameters, 1);
        let old = models::named_weights(&conversion.before.parameters, &before);
        let new = conversion.weights(&before);
        let find = |tensors: &[NamedTensor], name: &str| -> NamedTensor {
            let mut found = tensors.iter().filter(|tensor| tensor.name == name);
            found.next().unwrap().clone()
        };
        let (weight, third) = (
            find(&old, "fc1.weight"),
            find(&new, "fc1.sub_layers.3.weight"),
        );
        assert_eq!(third.shape, [10, 170]);
        // Unit 4 of group 3 is unit 34, and slice 3 is the second half.
        assert_eq!(
            third.values[4 * 170..][..160],
            weight.values[34 * 320 + 160..][..160]
        );
        assert_eq!(third.values[4 * 170 + 160..][..10], [0.0; 10]);
        assert_eq!(
            find(&new, "fc1.sub_layers.3.bias").values,
            find(&old, "fc1.bias").values[30..40]
        );
        assert_eq!(find(&new, "fc2.weight"), find(&old, "fc2.weight"));
    }

    #[test]
    fn a_single_group_leaves_half_of_the_input_unseen() {
        assert_eq!(conversion("mnist-cnn-baseline", 50).unseen_inputs(), 160);
        assert_eq!(conversion("mnist-cnn-baseline", 25).unseen_inputs(), 0);
    }

    #[test]
    fn norms_are_cut_too() {
        let conversion = conversion("vgg5-baseline", 128);
        let mut before = initial_values(&conversion.before.parameters, 1);
        let specs = conversion.before.parameters.specs();
        let mean = specs
            .iter()
            .find(|spec| spec.name == "fc1_bn.running_mean")
            .unwrap();
        before.set(mean, &(0..512).map(|unit| unit as f32).collect::<Vec<_>>());
        let new = conversion.weights(&before);
        let mean = new
            .iter()
            .find(|tensor| tensor.name == "fc1.norms.2.running_mean")
            .unwrap();
        assert_eq!((mean.values[0], mean.values[127]), (256.0, 383.0));
    }
}
