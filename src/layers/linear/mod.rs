//! The fully connected layer.

mod algorithm;

use super::Layer;
use super::concat::{Slice, concat};
use super::pieces::{Piece, pieces_of_kernel};
use super::reduce::sum_chunks;
use crate::plan::{
    ALIGNMENT, Init, Kernel, Layout, Limits, Parameter, Parameters, Tape, Target, Tensor,
};
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
    /// Where the weight is more than the adapter binds, blocks of its rows are layers of their own, side by side.
    fn forward(&self, tape: &mut Tape, x: Tensor) -> Tensor {
        assert_eq!(
            x.columns(),
            self.in_features,
            "Linear of {} features got {:?}",
            self.in_features,
            x.shape()
        );
        let blocks = self.blocks(tape.limits());
        if blocks.len() == 1 {
            return self.block(tape, x, blocks[0]);
        }
        let columns: Vec<Slice> = blocks
            .into_iter()
            .map(|block| {
                let name = format!("columns {}", block.first);
                Slice::all(tape.scope(&name, |tape| self.block(tape, x, block)))
            })
            .collect();
        concat(tape, &columns)
    }
}

impl Linear {
    /// The output features in blocks whose weights fit a binding; one block where they all do, or where not even as many do as
    /// the places of bindings want.
    fn blocks(&self, limits: &Limits) -> Vec<Piece> {
        let rows = limits.binding_elements() / self.in_features;
        let rows = rows / ALIGNMENT * ALIGNMENT;
        let all = Piece {
            first: 0,
            count: self.out_features,
        };
        if rows == 0 || limits.binding_elements() / self.in_features >= self.out_features {
            return vec![all];
        }
        let firsts = (0..self.out_features).step_by(rows as usize);
        let block = |first| Piece {
            first,
            count: rows.min(self.out_features - first),
        };
        firsts.map(block).collect()
    }

    /// Records the output features of a block.
    fn block(&self, tape: &mut Tape, x: Tensor, block: Piece) -> Tensor {
        let (weight, bias) = (tape.parameter(self.weight), tape.parameter(self.bias));
        let weight = weight.range(
            block.first * self.in_features,
            block.count * self.in_features,
        );
        let pass = Pass {
            x,
            weight,
            bias: bias.range(block.first, block.count),
            y: tape.tensor("y", [x.rows(), block.count]),
        };
        pass.forward(tape);
        tape.on_backward(pass.y, move |tape| {
            pass.backward_weight(tape);
            pass.backward_input(tape);
        });
        pass.y
    }
}

/// One use of the layer, or of some of its output features.
#[derive(Clone, Copy)]
struct Pass {
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    y: Tensor,
}

impl Pass {
    fn in_features(&self) -> u32 {
        self.x.columns()
    }

    fn out_features(&self) -> u32 {
        self.y.columns()
    }

    /// What kernels are chosen by.
    fn shape(&self) -> String {
        let [batch, inputs, outputs] = [self.x.rows(), self.in_features(), self.out_features()];
        format!("{batch}x{inputs} to {outputs}")
    }

    fn forward(&self, tape: &mut Tape) {
        let sums = Sums {
            rows: self.x.rows(),
            columns: self.out_features(),
            bias_column: false,
            summands: self.in_features(),
        };
        tape.operation(
            "linear.forward",
            self.shape(),
            &algorithm::of_sums(tape.limits(), sums),
            &[self.y],
            |tape, algorithm| {
                let y = Target {
                    tensor: self.y,
                    accumulate: false,
                };
                sum_chunks(tape, algorithm.chunks(), y, |tape, y| {
                    let bindings = [
                        ("x", self.x),
                        ("weight", self.weight),
                        ("bias", self.bias),
                        ("y", y.tensor),
                    ];
                    self.dispatch(tape, algorithm, sums, "forward", y, &bindings);
                });
            },
        );
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
            ("IN", self.in_features().into()),
            ("OUT", self.out_features().into()),
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
        let dy = tape.gradient(self.y);
        let [dweight, dbias] = [self.weight, self.bias].map(|parameter| {
            let target = tape.gradient_of(parameter);
            target.expect("parameters always have gradients")
        });
        let sums = Sums {
            rows: self.out_features(),
            columns: self.in_features(),
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
        let sums = Sums {
            rows: self.x.rows(),
            columns: self.in_features(),
            bias_column: false,
            summands: self.out_features(),
        };
        tape.operation(
            "linear.backward_input",
            self.shape(),
            &algorithm::of_sums(tape.limits(), sums),
            &[dx.tensor],
            |tape, algorithm| {
                sum_chunks(tape, algorithm.chunks(), dx, |tape, dx| {
                    let bindings = [("weight", self.weight), ("dy", dy), ("dx", dx.tensor)];
                    self.dispatch(tape, algorithm, sums, "backward_input", dx, &bindings);
                });
            },
        );
    }
}
