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

/// The distribution that initial values are drawn from.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Init {
    /// U(-1/sqrt(fan_in), 1/sqrt(fan_in)): what PyTorch gives the weights and biases of Linear and Conv2d.
    UniformFanIn(u32),
    /// The same value everywhere.
    Constant(f32),
}

/// One learnable parameter.
#[derive(Clone, Debug)]
pub struct ParameterSpec {
    /// The `state_dict` key.
    pub name: String,
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
}

impl ParameterSpec {
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

/// Every learnable parameter of a model, laid out one after another in a flat buffer.
#[derive(Clone, Debug, Default)]
pub struct Parameters {
    specs: Vec<ParameterSpec>,
    end: u32,
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
        let name = name.into();
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
        let offset = self.end;
        self.end = (offset + device_elements).next_multiple_of(ALIGNMENT);
        let shape = shape.iter().map(|&size| size as usize).collect();
        self.specs.push(ParameterSpec {
            name,
            shape,
            layout,
            init,
            offset,
            device_elements,
        });
        Parameter(self.specs.len() - 1)
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

    /// The number of learnable values, as PyTorch counts them.
    pub fn count(&self) -> u64 {
        self.specs.iter().map(|spec| spec.elements() as u64).sum()
    }

    /// Where a parameter lies in the flat buffer, as one dimension of device elements.
    pub(super) fn range(&self, parameter: Parameter) -> (u32, Shape) {
        let spec = self.spec(parameter);
        (spec.offset, Shape::from([spec.device_elements]))
    }
}
