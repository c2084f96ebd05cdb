//! Twin of `shaders/spinal.wgsl`: the whole chain of sub-layers of SpinalNet (arXiv 2007.03347).
//!
//! ```text
//! S        = round_half_to_even(I / n)
//! s_l[j]   = x[(l*S + j) mod I]                      the slice of the input that sub-layer l sees, j < S
//! h_0      = phi(W_0 s_0 + b_0)                      W_0 is [w, S]
//! h_l      = phi(W_l [s_l, h_(l-1)] + b_l)           W_l is [w, S + w], slice first
//! output   = [h_0, ..., h_(L-1)]                     [N, L*w]
//! ```
//! The head's last Linear, which reads the output, is a layer of its own and not part of the chain. Without chaining all
//! sub-layers are like the first: they see their slice alone.

use super::activation::Activation;

/// The sizes of one chain.
#[derive(Clone, Debug)]
pub struct Chain {
    /// Rows N.
    pub batch: usize,
    /// Input features I.
    pub in_features: usize,
    /// Input splits n.
    pub splits: usize,
    /// Neurons w of a sub-layer.
    pub width: usize,
    /// Sub-layers L.
    pub depth: usize,
    /// The function phi.
    pub activation: Activation,
    /// Whether a sub-layer sees the one before.
    pub chained: bool,
    /// For each sub-layer, the number of the weight and bias it uses. Untied: `0, 1, 2, ...`. Tied sub-layers repeat a
    /// number; sub-layer 0 can share with no other, because it has no previous hidden layer.
    pub parameter_of: Vec<usize>,
}

/// What [`backward`] gives.
#[derive(Clone, Debug)]
pub struct Gradients {
    /// `[N, I]`.
    pub dx: Vec<f64>,
    /// One per distinct weight; sub-layers that share it add up.
    pub dweights: Vec<Vec<f64>>,
    /// One per distinct bias.
    pub dbiases: Vec<Vec<f64>>,
}

impl Chain {
    /// Split size S: `I / n`, rounded half to even as `numpy.round` does.
    pub fn split_size(&self) -> usize {
        (self.in_features as f64 / self.splits as f64).round_ties_even() as usize
    }

    /// Inputs of sub-layer `l`: its slice, and the previous hidden layer if there is one.
    pub fn fan_in(&self, l: usize) -> usize {
        self.split_size() + if self.sees_previous(l) { self.width } else { 0 }
    }

    /// Whether sub-layer `l` sees the one before.
    fn sees_previous(&self, l: usize) -> bool {
        self.chained && l > 0
    }

    /// Where feature `j` of the slice of sub-layer `l` lies in a row of `x`.
    fn slice_index(&self, l: usize, j: usize) -> usize {
        (l * self.split_size() + j) % self.in_features
    }

    /// The input `[s_l, h_(l-1)]` of sub-layer `l`, for one row of `x` and the hidden layers of that row so far.
    fn sub_layer_input(&self, l: usize, x: &[f64], hidden: &[f64]) -> Vec<f64> {
        let mut input = Vec::with_capacity(self.fan_in(l));
        for j in 0..self.split_size() {
            input.push(x[self.slice_index(l, j)]);
        }
        if self.sees_previous(l) {
            for k in 0..self.width {
                input.push(hidden[(l - 1) * self.width + k]);
            }
        }
        input
    }
}

/// All hidden layers `[N, L*w]` from `x` `[N, I]` and the distinct weights and biases.
pub fn forward(chain: &Chain, x: &[f64], weights: &[Vec<f64>], biases: &[Vec<f64>]) -> Vec<f64> {
    assert_eq!(x.len(), chain.batch * chain.in_features);
    assert_eq!(chain.parameter_of.len(), chain.depth);
    let mut output = vec![0.0; chain.batch * chain.depth * chain.width];
    for n in 0..chain.batch {
        let x = &x[n * chain.in_features..][..chain.in_features];
        let hidden = &mut output[n * chain.depth * chain.width..][..chain.depth * chain.width];
        for l in 0..chain.depth {
            let input = chain.sub_layer_input(l, x, hidden);
            let weight = &weights[chain.parameter_of[l]];
            let bias = &biases[chain.parameter_of[l]];
            assert_eq!(weight.len(), chain.width * input.len());
            for k in 0..chain.width {
                let mut sum = bias[k];
                for j in 0..input.len() {
                    sum += weight[k * input.len() + j] * input[j];
                }
                hidden[l * chain.width + k] = chain.activation.activate(sum);
            }
        }
    }
    output
}

/// Gradients from `x`, the weights, the `output` of [`forward`] and its gradient `doutput`, both `[N, L*w]`.
pub fn backward(
    chain: &Chain,
    x: &[f64],
    weights: &[Vec<f64>],
    output: &[f64],
    doutput: &[f64],
) -> Gradients {
    assert_eq!(doutput.len(), chain.batch * chain.depth * chain.width);
    let mut dx = vec![0.0; chain.batch * chain.in_features];
    let mut dweights: Vec<_> = weights.iter().map(|w| vec![0.0; w.len()]).collect();
    let mut dbiases: Vec<_> = weights.iter().map(|_| vec![0.0; chain.width]).collect();
    for n in 0..chain.batch {
        let x = &x[n * chain.in_features..][..chain.in_features];
        let dx = &mut dx[n * chain.in_features..][..chain.in_features];
        let hidden = &output[n * chain.depth * chain.width..][..chain.depth * chain.width];
        // Begins as what the output's reader says; each sub-layer adds what it says about the one before.
        let mut dhidden = doutput[n * chain.depth * chain.width..][..hidden.len()].to_vec();
        for l in (0..chain.depth).rev() {
            let input = chain.sub_layer_input(l, x, hidden);
            let mut dinput = vec![0.0; input.len()];
            let parameter = chain.parameter_of[l];
            for k in 0..chain.width {
                let y = hidden[l * chain.width + k];
                let dsum = chain.activation.derivative(y) * dhidden[l * chain.width + k];
                dbiases[parameter][k] += dsum;
                for j in 0..input.len() {
                    dweights[parameter][k * input.len() + j] += dsum * input[j];
                    dinput[j] += dsum * weights[parameter][k * input.len() + j];
                }
            }
            for j in 0..chain.split_size() {
                dx[chain.slice_index(l, j)] += dinput[j];
            }
            if chain.sees_previous(l) {
                for k in 0..chain.width {
                    dhidden[(l - 1) * chain.width + k] += dinput[chain.split_size() + k];
                }
            }
        }
    }
    Gradients {
        dx,
        dweights,
        dbiases,
    }
}
