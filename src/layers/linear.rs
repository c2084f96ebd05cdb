//! The fully connected layer.

use super::Layer;
use crate::plan::{
    AdapterClass, Init, Kernel, Layout, Parameter, Parameters, Shader, Tape, Tensor,
};

static TILED: Shader = crate::shader!("linear/tiled");
static BROADCAST: Shader = crate::shader!("linear/broadcast");

/// The kernels for a class of adapter.
fn shader(class: AdapterClass) -> &'static Shader {
    match class {
        AdapterClass::Gpu => &TILED,
        AdapterClass::Cpu => &BROADCAST,
    }
}

/// y = x weight^T + bias, with PyTorch's `[out_features, in_features]` weight and default initialisation.
#[derive(Clone, Copy, Debug)]
pub struct Linear {
    /// Columns of x.
    pub in_features: u32,
    /// Columns of y.
    pub out_features: u32,
    /// `[out_features, in_features]`.
    pub weight: Parameter,
    /// `[out_features]`.
    pub bias: Parameter,
}

impl Linear {
    /// Adds `NAME.weight` and `NAME.bias`.
    pub fn new(
        parameters: &mut Parameters,
        name: &str,
        in_features: u32,
        out_features: u32,
    ) -> Self {
        let init = Init::UniformFanIn(in_features);
        let weight = parameters.add(
            format!("{name}.weight"),
            &[out_features, in_features],
            Layout::RowMajor,
            init,
        );
        let bias = parameters.add(
            format!("{name}.bias"),
            &[out_features],
            Layout::RowMajor,
            init,
        );
        Self {
            in_features,
            out_features,
            weight,
            bias,
        }
    }
}

impl Layer for Linear {
    fn forward(&self, tape: &mut Tape, x: Tensor) -> Tensor {
        let linear = *self;
        let batch = x.rows();
        assert_eq!(
            x.columns(),
            linear.in_features,
            "Linear of {} features got {:?}",
            linear.in_features,
            x.shape()
        );
        let (weight, bias) = (tape.parameter(linear.weight), tape.parameter(linear.bias));
        let y = tape.tensor("y", [batch, linear.out_features]);
        let constants = [
            ("BATCH", batch.into()),
            ("IN", linear.in_features.into()),
            ("OUT", linear.out_features.into()),
        ];
        let multiplications = u64::from(batch) * u64::from(weight.elements());
        tape.dispatch(Kernel {
            shader: shader(tape.class()),
            entry: "forward",
            constants: &constants,
            bindings: &[("x", x), ("weight", weight), ("bias", bias), ("y", y)],
            extent: [linear.out_features, batch, 1],
            multiplications,
        });
        tape.on_backward(y, move |tape| {
            let [n, input, out] = constants;
            let dy = tape.gradient(y);
            let (dweight, dbias) = (
                tape.gradient_of_parameter(linear.weight),
                tape.gradient_of_parameter(linear.bias),
            );
            tape.dispatch(Kernel {
                shader: shader(tape.class()),
                entry: "backward_weight",
                constants: &[n, input, out, dweight.constant()],
                bindings: &[
                    ("input", x),
                    ("dy", dy),
                    ("dweight", dweight.tensor),
                    ("dbias", dbias.tensor),
                ],
                extent: [linear.in_features + 1, linear.out_features, 1],
                multiplications,
            });
            let Some(dx) = tape.gradient_of(x) else {
                return;
            };
            tape.dispatch(Kernel {
                shader: shader(tape.class()),
                entry: "backward_input",
                constants: &[n, input, out, dx.constant()],
                bindings: &[("weight", weight), ("dy", dy), ("dx", dx.tensor)],
                extent: [linear.in_features, batch, 1],
                multiplications,
            });
        });
        y
    }
}
