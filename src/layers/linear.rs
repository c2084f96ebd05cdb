//! The fully connected layer.

use super::Layer;
use crate::plan::{
    AdapterClass, Candidate, Init, Kernel, Layout, Parameter, Parameters, Shader, Tape, Tensor,
};

static TILED: Shader = crate::shader!("linear/tiled");
static BROADCAST: Shader = crate::shader!("linear/broadcast");

/// A way to compute the product or one of its gradients.
#[derive(Clone, Copy)]
enum Algorithm {
    /// 4 x 4 outputs an invocation. Any adapter.
    Tiled,
    /// 16 x 4, one factor passed round the subgroup. CPU adapters.
    Broadcast,
}

impl Algorithm {
    /// Those that fit.
    fn of(class: AdapterClass) -> &'static [Self] {
        match class {
            AdapterClass::Gpu => &[Self::Tiled],
            AdapterClass::Cpu => &[Self::Broadcast, Self::Tiled],
        }
    }

    fn shader(self) -> &'static Shader {
        match self {
            Self::Tiled => &TILED,
            Self::Broadcast => &BROADCAST,
        }
    }
}

impl Candidate for Algorithm {
    fn name(&self) -> String {
        match self {
            Self::Tiled => "tiled",
            Self::Broadcast => "broadcast",
        }
        .to_owned()
    }

    fn shaders(&self) -> Vec<&'static Shader> {
        vec![self.shader()]
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
        let pass = Pass { linear, x, y };
        let candidates = Algorithm::of(tape.class());
        tape.operation(
            "linear.forward",
            pass.shape(),
            candidates,
            &[y],
            |tape, algorithm| {
                pass.dispatch(
                    tape,
                    algorithm,
                    "forward",
                    &[],
                    &[("x", x), ("weight", weight), ("bias", bias), ("y", y)],
                    [linear.out_features, batch],
                );
            },
        );
        tape.on_backward(y, move |tape| {
            pass.backward_weight(tape);
            pass.backward_input(tape);
        });
        y
    }
}

/// One use of the layer.
#[derive(Clone, Copy)]
struct Pass {
    linear: Linear,
    x: Tensor,
    y: Tensor,
}

impl Pass {
    /// What kernels are chosen by.
    fn shape(&self) -> String {
        let Linear {
            in_features,
            out_features,
            ..
        } = self.linear;
        format!("{}x{in_features} to {out_features}", self.x.rows())
    }

    fn dispatch(
        &self,
        tape: &mut Tape,
        algorithm: Algorithm,
        entry: &'static str,
        constants: &[(&'static str, f64)],
        bindings: &[(&'static str, Tensor)],
        [columns, rows]: [u32; 2],
    ) {
        let Linear {
            in_features,
            out_features,
            ..
        } = self.linear;
        let sizes = [
            ("BATCH", self.x.rows().into()),
            ("IN", in_features.into()),
            ("OUT", out_features.into()),
        ];
        tape.dispatch(Kernel {
            shader: algorithm.shader(),
            entry,
            constants: &[&sizes, constants].concat(),
            bindings,
            extent: [columns, rows, 1],
            multiplications: u64::from(self.x.rows())
                * u64::from(in_features)
                * u64::from(out_features),
        });
    }

    fn backward_weight(self, tape: &mut Tape) {
        let linear = self.linear;
        let dy = tape.gradient(self.y);
        let dweight = tape.gradient_of_parameter(linear.weight);
        let dbias = tape.gradient_of_parameter(linear.bias);
        let outputs = [dweight.tensor, dbias.tensor];
        let candidates = Algorithm::of(tape.class());
        let name = "linear.backward_weight";
        tape.operation(
            name,
            self.shape(),
            candidates,
            &outputs,
            |tape, algorithm| {
                let bindings = [
                    ("input", self.x),
                    ("dy", dy),
                    ("dweight", dweight.tensor),
                    ("dbias", dbias.tensor),
                ];
                let extent = [linear.in_features + 1, linear.out_features];
                let constants = [dweight.constant()];
                self.dispatch(
                    tape,
                    algorithm,
                    "backward_weight",
                    &constants,
                    &bindings,
                    extent,
                );
            },
        );
    }

    fn backward_input(self, tape: &mut Tape) {
        let dy = tape.gradient(self.y);
        let Some(dx) = tape.gradient_of(self.x) else {
            return;
        };
        let weight = tape.parameter(self.linear.weight);
        let candidates = Algorithm::of(tape.class());
        let name = "linear.backward_input";
        tape.operation(
            name,
            self.shape(),
            candidates,
            &[dx.tensor],
            |tape, algorithm| {
                let bindings = [("weight", weight), ("dy", dy), ("dx", dx.tensor)];
                let extent = [self.linear.in_features, self.x.rows()];
                self.dispatch(
                    tape,
                    algorithm,
                    "backward_input",
                    &[dx.constant()],
                    &bindings,
                    extent,
                );
            },
        );
    }
}
