//! The net with a single hidden layer, `y = c + sum_j v_j phi(a_j x + d_j)`, on the host in f64.

use rand_chacha::ChaCha8Rng;

use super::{Options, uniform};
use crate::layers::Activation;

/// A net with a single hidden layer.
#[derive(Clone, Debug)]
pub struct SingleHiddenLayer {
    /// phi.
    pub activation: Activation,
    /// I.
    pub inputs: usize,
    /// H.
    pub neurons: usize,
    /// C.
    pub outputs: usize,
    /// a, `[H, I]`.
    pub hidden_weight: Vec<f64>,
    /// d, `[H]`.
    pub hidden_bias: Vec<f64>,
    /// v, `[C, H]`.
    pub output_weight: Vec<f64>,
    /// c, `[C]`.
    pub output_bias: Vec<f64>,
}

/// What a net makes of some points.
pub(super) struct Evaluation {
    /// `[points, C]`.
    pub outputs: Vec<f64>,
    /// The largest absolute value of a pre-activation or an output.
    pub magnitude: f64,
}

impl SingleHiddenLayer {
    /// Weights and biases as PyTorch initialises a Linear, U(-1/sqrt(fan_in), 1/sqrt(fan_in)), every one an f32.
    pub(super) fn random(options: &Options, random: &mut ChaCha8Rng) -> Self {
        let [inputs, neurons, outputs] =
            [options.inputs, options.neurons, options.outputs].map(|size| size as usize);
        let mut draw = |count: usize, fan_in: usize| -> Vec<f64> {
            let bound = 1.0 / (fan_in as f64).sqrt();
            (0..count)
                .map(|_| f64::from(uniform(random, bound)))
                .collect()
        };
        Self {
            activation: options.activation,
            inputs,
            neurons,
            outputs,
            hidden_weight: draw(neurons * inputs, inputs),
            hidden_bias: draw(neurons, inputs),
            output_weight: draw(outputs * neurons, neurons),
            output_bias: draw(outputs, neurons),
        }
    }

    /// The outputs at points `[points, I]`.
    pub(super) fn evaluate(&self, points: &[f32]) -> Evaluation {
        let mut evaluation = Evaluation {
            outputs: Vec::with_capacity(points.len() / self.inputs * self.outputs),
            magnitude: 0.0,
        };
        for x in points.chunks_exact(self.inputs) {
            let x: Vec<f64> = x.iter().copied().map(f64::from).collect();
            let z = affine(&self.hidden_weight, &self.hidden_bias, &x);
            let h: Vec<f64> = z.iter().map(|&z| activate(self.activation, z)).collect();
            let y = affine(&self.output_weight, &self.output_bias, &h);
            let values = z.iter().chain(&y).map(|value| value.abs());
            evaluation.magnitude = values.fold(evaluation.magnitude, f64::max);
            evaluation.outputs.extend(y);
        }
        evaluation
    }
}

/// `weight x + bias` for a row-major `weight`.
pub(super) fn affine(weight: &[f64], bias: &[f64], x: &[f64]) -> Vec<f64> {
    let rows = weight.chunks_exact(x.len()).zip(bias);
    rows.map(|(row, bias)| bias + row.iter().zip(x).map(|(a, x)| a * x).sum::<f64>())
        .collect()
}

/// phi(z).
pub(super) fn activate(activation: Activation, z: f64) -> f64 {
    match activation {
        Activation::Identity => z,
        Activation::Relu => z.max(0.0),
        Activation::LeakyRelu => z.max(0.01 * z),
        Activation::Sigmoid => 1.0 / (1.0 + (-z).exp()),
        Activation::Tanh => z.tanh(),
        Activation::Relu6 => z.clamp(0.0, 6.0),
    }
}
