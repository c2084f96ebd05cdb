//! The learnable parameters of a model: their names, PyTorch shapes and places in one flat buffer.

use super::tensor::Shape;

/// Offsets of parameters are multiples of this many elements: 256 bytes, the strictest binding alignment of any adapter.
pub const ALIGNMENT: u32 = 64;

/// A handle to one parameter of a [`Parameters`] set.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Parameter(pub(super) usize);

/// How a parameter is ordered on the device, when that differs from PyTorch's order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Layout {
    /// PyTorch's row-major order.
    RowMajor,
    /// Convolution weights: PyTorch's `[out, in, kh, kw]` stored as `[kh, kw, in, out]`, with `out` padded by zeros to a
    /// multiple of 4 so that one `vec4<f32>` load brings four output channels.
    ConvolutionWeight,
    /// A vector padded by zeros to a multiple of 4.
    PaddedVector,
}

/// Whether a value is learned or only kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// Trained by the optimiser.
    Learnable,
    /// A running statistic, which PyTorch calls a buffer: saved with the weights, but without a gradient.
    Statistic,
}

/// The distribution that initial values are drawn from.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Init {
    /// U(-1/sqrt(fan_in), 1/sqrt(fan_in)): what PyTorch gives the weights and biases of Linear and Conv2d.
    UniformFanIn(u32),
    /// N(0, 2/fan_out): He initialisation for ReLU, PyTorch's `kaiming_normal_` with `mode="fan_out"`.
    NormalFanOut(u32),
    /// The same value everywhere.
    Constant(f32),
}

/// One learnable parameter or running statistic.
#[derive(Clone, Debug)]
pub struct ParameterSpec {
    /// The `state_dict` key.
    pub name: String,
    /// Which flat buffer it lies in.
    pub role: Role,
    /// The shape as PyTorch has it.
    pub shape: Vec<usize>,
    /// The order on the device.
    pub layout: Layout,
    /// The distribution of initial values.
    pub init: Init,
    /// First element in the flat buffer.
    pub offset: u32,
    /// Elements on the device, padding included.
    pub device_elements: u32,
    /// What the learning rate is multiplied by; 0 for a parameter that is not trained.
    pub rate: f64,
}

impl ParameterSpec {
    /// The name and the shape of its tensor in a file.
    pub fn tensor(&self) -> (String, Vec<usize>) {
        (self.name.clone(), self.shape.clone())
    }

    /// The number of values that PyTorch has.
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }

    /// The place on the device, counted from [`offset`](Self::offset), of each value in PyTorch's order.
    fn device_indices(&self) -> Box<dyn Iterator<Item = usize> + '_> {
        match self.layout {
            Layout::RowMajor | Layout::PaddedVector => Box::new(0..self.elements()),
            Layout::ConvolutionWeight => {
                let [out, input, height, width] = <[usize; 4]>::try_from(self.shape.as_slice())
                    .expect("a convolution weight is [out, in, kh, kw]");
                let padded = out.next_multiple_of(4);
                Box::new((0..self.elements()).map(move |index| {
                    let (o, rest) = (
                        index / (input * height * width),
                        index % (input * height * width),
                    );
                    let (i, tap) = (rest / (height * width), rest % (height * width));
                    (tap * input + i) * padded + o
                }))
            }
        }
    }

    /// Writes values in PyTorch's order into the flat device image `flat` of all parameters.
    pub fn pack(&self, values: &[f32], flat: &mut [f32]) {
        assert_eq!(
            values.len(),
            self.elements(),
            "{} has shape {:?}",
            self.name,
            self.shape
        );
        for (index, &value) in self.device_indices().zip(values) {
            flat[self.offset as usize + index] = value;
        }
    }

    /// Reads values in PyTorch's order from the flat device image `flat` of all parameters.
    pub fn unpack(&self, flat: &[f32]) -> Vec<f32> {
        self.device_indices()
            .map(|index| flat[self.offset as usize + index])
            .collect()
    }
}

/// Parameters that lie one after another and are trained at the same rate.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct ParameterGroup {
    /// First element in the flat buffer.
    pub offset: u32,
    /// Elements, a multiple of [`ALIGNMENT`].
    pub elements: u32,
    /// What the learning rate is multiplied by.
    pub rate: f64,
}

/// Every learnable parameter of a model, laid out one after another in a flat buffer; and its running statistics in another.
#[derive(Clone, Debug, Default)]
pub struct Parameters {
    specs: Vec<ParameterSpec>,
    end: u32,
    statistics_end: u32,
}

impl Parameters {
    /// Adds a parameter with its `state_dict` key and PyTorch shape. Panics if the key is taken.
    pub fn add(
        &mut self,
        name: impl Into<String>,
        shape: &[u32],
        layout: Layout,
        init: Init,
    ) -> Parameter {
        self.add_spec(name.into(), shape, layout, init, Role::Learnable)
    }

    /// Adds a vector of running statistics with its `state_dict` key. Panics if the key is taken.
    pub fn add_statistic(
        &mut self,
        name: impl Into<String>,
        elements: u32,
        value: f32,
    ) -> Parameter {
        let init = Init::Constant(value);
        self.add_spec(
            name.into(),
            &[elements],
            Layout::RowMajor,
            init,
            Role::Statistic,
        )
    }

    fn add_spec(
        &mut self,
        name: String,
        shape: &[u32],
        layout: Layout,
        init: Init,
        role: Role,
    ) -> Parameter {
        assert!(
            self.specs.iter().all(|spec| spec.name != name),
            "parameter {name} exists already"
        );
        let device_elements = match layout {
            Layout::RowMajor => shape.iter().product(),
            Layout::ConvolutionWeight => {
                shape[0].next_multiple_of(4) * shape[1..].iter().product::<u32>()
            }
            Layout::PaddedVector => shape[0].next_multiple_of(4),
        };
        let end = match role {
            Role::Learnable => &mut self.end,
            Role::Statistic => &mut self.statistics_end,
        };
        let offset = *end;
        *end = (offset + device_elements).next_multiple_of(ALIGNMENT);
        let shape = shape.iter().map(|&size| size as usize).collect();
        self.specs.push(ParameterSpec {
            name,
            role,
            shape,
            layout,
            init,
            offset,
            device_elements,
            rate: 1.0,
        });
        Parameter(self.specs.len() - 1)
    }

    /// Draws initial values from another distribution where `init` names one.
    pub fn reinitialize(&mut self, init: impl Fn(&ParameterSpec) -> Option<Init>) {
        for spec in &mut self.specs {
            spec.init = init(spec).unwrap_or(spec.init);
        }
    }

    /// Multiplies the learning rate of some parameters by `rate`: 0 leaves them as they are.
    pub fn set_rate(&mut self, rate: f64, of: impl Fn(&ParameterSpec) -> bool) {
        let chosen = self.specs.iter_mut().filter(|spec| of(spec));
        chosen.for_each(|spec| spec.rate = rate);
    }

    /// The trained parameters as parts of the flat buffer, alignment included: each as long as the rate is the same.
    pub fn groups(&self) -> Vec<ParameterGroup> {
        let mut groups: Vec<ParameterGroup> = Vec::new();
        let learnable = |spec: &&ParameterSpec| spec.role == Role::Learnable;
        for spec in self.specs.iter().filter(learnable) {
            let end = (spec.offset + spec.device_elements).next_multiple_of(ALIGNMENT);
            let elements = end - spec.offset;
            match groups.last_mut() {
                Some(last) if last.rate == spec.rate => last.elements += elements,
                _ => groups.push(ParameterGroup {
                    offset: spec.offset,
                    elements,
                    rate: spec.rate,
                }),
            }
        }
        groups.retain(|group| group.rate != 0.0);
        groups
    }

    /// The parameters in the order they were added.
    pub fn specs(&self) -> &[ParameterSpec] {
        &self.specs
    }

    /// One parameter.
    pub fn spec(&self, parameter: Parameter) -> &ParameterSpec {
        &self.specs[parameter.0]
    }

    /// Elements of the flat buffer, alignment included.
    pub fn device_elements(&self) -> u32 {
        self.end.max(ALIGNMENT)
    }

    /// Elements of the flat buffer of running statistics; 0 if there are none.
    pub fn statistics_elements(&self) -> u32 {
        self.statistics_end
    }

    /// The number of learnable values, as PyTorch counts them.
    pub fn count(&self) -> u64 {
        let learnable = self
            .specs
            .iter()
            .filter(|spec| spec.role == Role::Learnable);
        learnable.map(|spec| spec.elements() as u64).sum()
    }

    /// Where a parameter lies in the flat buffer, as one dimension of device elements.
    pub(super) fn range(&self, parameter: Parameter) -> (u32, Shape) {
        let spec = self.spec(parameter);
        (spec.offset, Shape::from([spec.device_elements]))
    }
}

/// The values of a model's parameters and running statistics, as the images of their flat device buffers.
#[derive(Clone, PartialEq, Debug)]
pub struct Values {
    /// Of the buffer `parameters`.
    pub parameters: Vec<f32>,
    /// Of the buffer `statistics`; empty if the model has none.
    pub statistics: Vec<f32>,
}

impl Values {
    /// Zeros everywhere.
    pub fn zeros(parameters: &Parameters) -> Self {
        Self {
            parameters: vec![0.0; parameters.device_elements() as usize],
            statistics: vec![0.0; parameters.statistics_elements() as usize],
        }
    }

    /// Writes one parameter or statistic, given in PyTorch's order.
    pub fn set(&mut self, spec: &ParameterSpec, values: &[f32]) {
        let flat = match spec.role {
            Role::Learnable => &mut self.parameters,
            Role::Statistic => &mut self.statistics,
        };
        spec.pack(values, flat);
    }

    /// Reads one parameter or statistic in PyTorch's order.
    pub fn get(&self, spec: &ParameterSpec) -> Vec<f32> {
        match spec.role {
            Role::Learnable => spec.unpack(&self.parameters),
            Role::Statistic => spec.unpack(&self.statistics),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parameters of every layout and two statistics, added in turn.
    fn parameters() -> Parameters {
        let mut parameters = Parameters::default();
        let mut add = |name, shape: &[u32], layout| {
            parameters.add(name, shape, layout, Init::Constant(0.0));
        };
        add("conv.weight", &[5, 2, 3, 1], Layout::ConvolutionWeight);
        add("conv.bias", &[5], Layout::PaddedVector);
        parameters.add_statistic("norm.running_mean", 65, 0.0);
        parameters.add_statistic("norm.running_var", 3, 1.0);
        let init = Init::UniformFanIn(7);
        parameters.add("fc.weight", &[3, 7], Layout::RowMajor, init);
        parameters
    }

    #[test]
    fn learnable_values_and_statistics_lie_in_buffers_of_their_own() {
        let parameters = parameters();
        let places: Vec<_> = parameters
            .specs()
            .iter()
            .map(|spec| (spec.role, spec.offset, spec.device_elements))
            .collect();
        let (learnable, statistic) = (Role::Learnable, Role::Statistic);
        assert_eq!(
            places,
            [
                (learnable, 0, 3 * 2 * 8),
                (learnable, 64, 8),
                (statistic, 0, 65),
                (statistic, 128, 3),
                (learnable, 128, 21),
            ]
        );
        assert_eq!(parameters.device_elements(), 192);
        assert_eq!(parameters.statistics_elements(), 192);
        assert_eq!(parameters.count(), 30 + 5 + 21);
    }

    #[test]
    fn neighbours_of_one_rate_are_a_group_and_frozen_ones_are_in_none() {
        let group = |offset, elements, rate| ParameterGroup {
            offset,
            elements,
            rate,
        };
        let mut parameters = parameters();
        assert_eq!(parameters.groups(), [group(0, 192, 1.0)]);
        parameters.set_rate(0.1, |spec| spec.name.starts_with("conv."));
        assert_eq!(
            parameters.groups(),
            [group(0, 128, 0.1), group(128, 64, 1.0)]
        );
        parameters.set_rate(0.0, |spec| spec.name == "conv.bias");
        assert_eq!(
            parameters.groups(),
            [group(0, 64, 0.1), group(128, 64, 1.0)]
        );
    }

    #[test]
    fn values_come_back_and_padding_stays_zero() {
        let parameters = parameters();
        let mut values = Values::zeros(&parameters);
        let numbers = |spec: &ParameterSpec| -> Vec<f32> {
            let first = spec.name.len() as f32;
            (0..spec.elements()).map(|i| first + i as f32).collect()
        };
        for spec in parameters.specs() {
            values.set(spec, &numbers(spec));
        }
        for spec in parameters.specs() {
            assert_eq!(values.get(spec), numbers(spec), "{}", spec.name);
        }
        let filled = |flat: &[f32]| flat.iter().filter(|&&value| value != 0.0).count();
        assert_eq!(filled(&values.parameters), 30 + 5 + 21);
        assert_eq!(filled(&values.statistics), 65 + 3);
    }
}
