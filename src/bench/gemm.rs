//! Matrix products through Linear and through a 1 x 1 convolution: forward and both gradients.

use std::str::FromStr;

use super::ceilings::Ceilings;
use super::conditions::Conditions;
use super::row::{Row, RowsReport};
use super::timing::{self, Timing};
use super::trial::Trial;
use crate::error::Result;
use crate::gpu::Device;
use crate::layers::{Conv2d, Conv2dOptions, Layer, Linear};
use crate::models::{initial_values, named_weights};
use crate::plan::{Dispatch, Mode, Parameters, Plan, Tape, Tensor, Values};

/// Elements of every output that are compared with the product in double precision.
const SAMPLES: usize = 256;

/// The product of x `[rows, inputs]` and the transpose of a weight `[outputs, inputs]`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Size {
    /// Rows of x: the batch.
    pub rows: u32,
    /// Columns of x.
    pub inputs: u32,
    /// Columns of y.
    pub outputs: u32,
}

impl FromStr for Size {
    type Err = String;

    /// Reads `N` for a square product, or `ROWSxINPUTSxOUTPUTS`.
    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let numbers: Option<Vec<u32>> = text
            .split('x')
            .map(|part| part.parse().ok().filter(|size| (1..=8192).contains(size)))
            .collect();
        let (rows, inputs, outputs) = match numbers.as_deref() {
            Some(&[n]) => (n, n, n),
            Some(&[rows, inputs, outputs]) => (rows, inputs, outputs),
            _ => {
                return Err("a size is N or ROWSxINPUTSxOUTPUTS, each from 1 to 8192".to_owned());
            }
        };
        Ok(Self {
            rows,
            inputs,
            outputs,
        })
    }
}

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "{}x{}x{}", self.rows, self.inputs, self.outputs)
    }
}

/// The layer that multiplies.
#[derive(Clone, Copy, Debug)]
enum Operation {
    Linear,
    Convolution,
}

impl Operation {
    fn name(self) -> &'static str {
        match self {
            Self::Linear => "linear",
            Self::Convolution => "conv 1x1",
        }
    }

    /// The layer and its parameters.
    fn build(self, size: Size) -> (Parameters, Box<dyn Layer>) {
        let mut parameters = Parameters::default();
        let layer: Box<dyn Layer> = match self {
            Self::Linear => Box::new(Linear::new(
                &mut parameters,
                "layer",
                size.inputs,
                size.outputs,
            )),
            Self::Convolution => {
                let options = Conv2dOptions::square(size.inputs, size.outputs, 1);
                Box::new(Conv2d::new(&mut parameters, "layer", options))
            }
        };
        (parameters, layer)
    }
}

/// Measures every size through both layers.
pub fn measure(device: &Device, sizes: &[Size], runs: usize) -> Result<RowsReport> {
    let ceilings = Ceilings::measure(device)?;
    let mut rows = Vec::new();
    for &size in sizes {
        for operation in [Operation::Linear, Operation::Convolution] {
            rows.extend(Product::new(device, operation, size)?.rows(runs, &ceilings)?);
        }
    }
    Ok(RowsReport {
        bench: "gemm",
        conditions: Conditions::on(device, runs),
        ceilings,
        rows,
    })
}

/// A layer's forward and backward pass on the device.
struct Product<'a> {
    device: &'a Device,
    operation: Operation,
    size: Size,
    parameters: Parameters,
    trial: Trial<'a>,
    tensors: Tensors,
    /// The dispatches of the forward pass, of the gradient of the weight and of the gradient of x.
    parts: [Vec<usize>; 3],
}

#[derive(Clone, Copy)]
struct Tensors {
    x: Tensor,
    y: Tensor,
    dy: Tensor,
    dx: Option<Tensor>,
}

/// What is recorded of a layer.
#[derive(Clone, Copy, PartialEq)]
enum Extent {
    Forward,
    /// Forward and the gradient of the weight.
    WithoutInputGradient,
    All,
}

fn record(
    device: &Device,
    operation: Operation,
    size: Size,
    extent: Extent,
) -> (Parameters, Plan, Tensors) {
    let (parameters, layer) = operation.build(size);
    let mode = if extent == Extent::Forward {
        Mode::Evaluate
    } else {
        Mode::Train
    };
    let mut tape = Tape::new("gemm", &parameters, mode).with_kernels(device.kernels().clone());
    let shape = [1, 1, size.rows, size.inputs];
    let x = if extent == Extent::WithoutInputGradient {
        tape.input("x", shape)
    } else {
        tape.tensor("x", shape)
    };
    let x = match operation {
        Operation::Linear => x.reshape([size.rows, size.inputs]),
        Operation::Convolution => x,
    };
    let y = layer.forward(&mut tape, x);
    let (mut dy, mut dx) = (y, None);
    if mode == Mode::Train {
        tape.backward_from(y, |_, upstream| dy = upstream);
    }
    if extent == Extent::All {
        dx = Some(tape.gradient(x));
    }
    (parameters, tape.finish(), Tensors { x, y, dy, dx })
}

impl<'a> Product<'a> {
    fn new(device: &'a Device, operation: Operation, size: Size) -> Result<Self> {
        let of = |extent| record(device, operation, size, extent);
        let (parameters, plan, tensors) = of(Extent::All);
        let forward = of(Extent::Forward).1.dispatches.len();
        let without_input = of(Extent::WithoutInputGradient).1.dispatches;
        let same = |a: &Dispatch, b: &Dispatch| {
            a.kernel() == b.kernel() && a.constants == b.constants && a.grid == b.grid
        };
        let mut parts = [const { Vec::new() }; 3];
        for (index, dispatch) in plan.dispatches.iter().enumerate() {
            let of_weight = without_input[forward..]
                .iter()
                .any(|other| same(dispatch, other));
            let part = match (index < forward, of_weight) {
                (true, _) => 0,
                (false, true) => 1,
                (false, false) => 2,
            };
            parts[part].push(index);
        }
        let trial = Trial::new(device, plan, &parameters)?;
        Ok(Self {
            device,
            operation,
            size,
            parameters,
            trial,
            tensors,
            parts,
        })
    }

    fn rows(&self, runs: usize, ceilings: &Ceilings) -> Result<Vec<Row>> {
        self.trial.run()?;
        let names = ["forward", "weight gradient", "input gradient"];
        let mut rows = Vec::new();
        for ((name, part), check) in names.iter().zip(&self.parts).zip(self.check()?) {
            let executable = self.trial.executable.part(part);
            let outcome = match check {
                Ok(()) => Ok::<Timing, String>(timing::time(self.device, &executable, runs)?),
                Err(wrong) => Err(wrong),
            };
            let name = format!("{} {} {name}", self.operation.name(), self.size);
            let dispatches = part.iter().map(|&index| &self.trial.plan.dispatches[index]);
            rows.push(Row::new(name, dispatches, outcome, ceilings));
        }
        Ok(rows)
    }

    /// Whether samples of y, of the gradient of the weight and of the gradient of x are the products in double precision.
    fn check(&self) -> Result<[std::result::Result<(), String>; 3]> {
        let Size {
            rows,
            inputs,
            outputs,
        } = self.size;
        let [m, k, n] = [rows, inputs, outputs].map(|size| size as usize);
        let values = |parameters: Vec<f32>| Values {
            parameters,
            statistics: Vec::new(),
        };
        let tensors = |values: &Values| named_weights(&self.parameters, values);
        let [weight, bias] = &tensors(&initial_values(&self.parameters, 1))[..] else {
            panic!("the layer has a weight and a bias")
        };
        let gradients = tensors(&values(self.trial.read_state("gradients")?));
        let (x, dy) = (
            self.trial.read(self.tensors.x)?,
            self.trial.read(self.tensors.dy)?,
        );
        let y = self.trial.read(self.tensors.y)?;
        let dx = self.tensors.dx.map(|dx| self.trial.read(dx));
        let dx = dx.expect("x has a gradient")?;
        let (w, b) = (&weight.values, &bias.values);
        let term = |a: f32, b: f32| f64::from(a) * f64::from(b);
        Ok([
            samples(&y, |place| {
                let (row, out) = (place / n, place % n);
                let products = (0..k).map(move |i| (row * k + i, out * k + i));
                let terms = products.map(|(i, j)| term(x[i], w[j]));
                terms.chain([f64::from(b[out])]).collect()
            }),
            samples(&gradients[0].values, |place| {
                let (out, input) = (place / k, place % k);
                let products = (0..m).map(|row| (row * n + out, row * k + input));
                products.map(|(i, j)| term(dy[i], x[j])).collect()
            }),
            samples(&dx, |place| {
                let (row, input) = (place / k, place % k);
                let products = (0..n).map(|out| (row * n + out, out * k + input));
                products.map(|(i, j)| term(dy[i], w[j])).collect()
            }),
        ])
    }
}

/// Compares elements of `got`, the first and the last among them, with the sums of the terms of each.
///
/// The error of a sum of products in f32, in any order, is at most `terms + 1` roundings of the sum of their magnitudes.
fn samples(got: &[f32], terms: impl Fn(usize) -> Vec<f64>) -> std::result::Result<(), String> {
    let last = got.len() - 1;
    for sample in 0..SAMPLES {
        // Wide steps that share no divisor with powers of two reach all rows and columns.
        let place = if sample == 0 {
            last
        } else {
            sample * 7919 % got.len()
        };
        let terms = terms(place);
        let expected: f64 = terms.iter().sum();
        let scale: f64 = terms.iter().map(|term| term.abs()).sum();
        let tolerance = (terms.len() as f64 + 1.0) * f64::from(f32::EPSILON) * scale;
        let difference = (f64::from(got[place]) - expected).abs();
        if difference.is_nan() || difference > tolerance {
            return Err(format!(
                "element {place} is {} and not {expected:.6e}",
                got[place]
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Size, samples};

    #[test]
    fn sizes_are_square_or_told_in_full() {
        let size = |rows, inputs, outputs| Size {
            rows,
            inputs,
            outputs,
        };
        assert_eq!("512".parse(), Ok(size(512, 512, 512)));
        assert_eq!("64x160x8".parse(), Ok(size(64, 160, 8)));
        for text in ["", "0", "9000", "1x2", "1x2x3x4", "axb", "-1"] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_wrong_element_is_found() {
        let terms = |place: usize| vec![place as f64, 1.0];
        assert!(samples(&[1.0, 2.0, 3.0], terms).is_ok());
        assert!(samples(&[1.0, 2.0, 3.001], terms).is_err());
        assert!(samples(&[f32::NAN, 2.0, 3.0], terms).is_err());
    }
}
