//! The fully connected layer.

mod algorithm;

use super::Layer;
use super::pieces::pieces_of_kernel;
use super::reduce::sum_chunks;
use crate::plan::{Init, Kernel, Layout, Parameter, Parameters, Tape, Target, Tensor};
use algorithm::{Algorithm, Sums};

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
        let sums = Sums {
            rows: batch,
            columns: linear.out_features,
            bias_column: false,
            summands: linear.in_features,
        };
        tape.operation(
            "linear.forward",
            pass.shape(),
            &algorithm::of_sums(tape.limits(), sums),
            &[y],
            |tape, algorithm| {
                let y = Target {
                    tensor: y,
                    accumulate: false,
                };
                sum_chunks(tape, algorithm.chunks(), y, |tape, y| {
                    let written = ("y", y.tensor);
                    let bindings = [("x", x), ("weight", weight), ("bias", bias), written];
                    pass.dispatch(tape, algorithm, sums, "forward", y, &bindings);
                });
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

    /// Records what makes `sums`, in as many pieces as the adapter's loops want. `target` is what is written first of all.
    fn dispatch(
        &self,
        tape: &mut Tape,
        algorithm: Algorithm,
        sums: Sums,
        entry: &'static str,
        target: Target,
        bindings: &[(&'static str, Tensor)],
    ) {
        let mut sizes = vec![
            ("BATCH", self.x.rows().into()),
            ("IN", self.linear.in_features.into()),
            ("OUT", self.linear.out_features.into()),
        ];
        sizes.extend(algorithm.constants());
        let record =
            |tape: &mut Tape, target: Target, range: &[(&'static str, f64)], summands: u32| {
                tape.dispatch(Kernel {
                    shader: algorithm.shader(entry),
                    entry,
                    constants: &[&sizes, range, &[target.constant()]].concat(),
                    bindings,
                    extent: algorithm.extent(sums),
                    multiplications: sums.products() * u64::from(summands),
                });
            };
        if !algorithm.takes_pieces() {
            return record(tape, target, &[], sums.summands);
        }
        let kernel = (algorithm.shader(entry), entry);
        for piece in pieces_of_kernel(tape.limits(), kernel, &sizes, sums.summands) {
            record(
                tape,
                target.or_after(piece.first),
                &piece.constants(),
                piece.count,
            );
        }
    }

    fn backward_weight(self, tape: &mut Tape) {
        let linear = self.linear;
        let dy = tape.gradient(self.y);
        let dweight = tape.gradient_of_parameter(linear.weight);
        let dbias = tape.gradient_of_parameter(linear.bias);
        let sums = Sums {
            rows: linear.out_features,
            columns: linear.in_features,
            bias_column: true,
            summands: self.x.rows(),
        };
        tape.operation(
            "linear.backward_weight",
            self.shape(),
            &algorithm::of_whole_sums(tape.limits(), sums),
            &[dweight.tensor, dbias.tensor],
            |tape, algorithm| {
                let bindings = [
                    ("input", self.x),
                    ("dy", dy),
                    ("dweight", dweight.tensor),
                    ("dbias", dbias.tensor),
                ];
                self.dispatch(tape, algorithm, sums, "backward_weight", dweight, &bindings);
            },
        );
    }

    fn backward_input(self, tape: &mut Tape) {
        let dy = tape.gradient(self.y);
        let Some(dx) = tape.gradient_of(self.x) else {
            return;
        };
        let weight = tape.parameter(self.linear.weight);
        let sums = Sums {
            rows: self.x.rows(),
            columns: self.linear.in_features,
            bias_column: false,
            summands: self.linear.out_features,
        };
        tape.operation(
            "linear.backward_input",
            self.shape(),
            &algorithm::of_sums(tape.limits(), sums),
            &[dx.tensor],
            |tape, algorithm| {
                sum_chunks(tape, algorithm.chunks(), dx, |tape, dx| {
                    let bindings = [("weight", weight), ("dy", dy), ("dx", dx.tensor)];
                    self.dispatch(tape, algorithm, sums, "backward_input", dx, &bindings);
                });
            },
        );
    }
}
