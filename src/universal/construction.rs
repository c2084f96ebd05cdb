//! The Spinal net that equals a given net with a single hidden layer.
//!
//! Width w, depth L and n splits make room for `H = w * floor(L / n)` neurons. A block of n consecutive sub-layers carries
//! w of them, one in each row: its first n - 1 sub-layers add up `a_j x` slice by slice and stay in the linear zone of the
//! activation, so that they pass on what they have; the last one is the neuron. With `phi(centre + t) = value + slope * t`
//! in that zone and a `gain` that keeps t small, row k of sub-layer s of the block is
//!
//! | s | U | V | bias | output weight |
//! |---|---|---|---|---|
//! | 0 | gain a_j | 0: cuts the block before | centre | 0 |
//! | 1 to n - 2 | gain a_j | 1 / slope at column k | centre - value / slope | 0 |
//! | n - 1 | a_j | 1 / (slope gain) at column k | d_j - value / (slope gain) | v_j |
//!
//! For n = 1 there is nothing to pass: U = a_j, V = 0, bias d_j.

use super::{Options, SingleHiddenLayer};
use crate::error::Result;
use crate::gpu::{Device, Executable, Memory};
use crate::layers::spinal::Path;
use crate::layers::{Activation, Layer, Spinal, SpinalOptions};
use crate::plan::{Mode, Parameters, Plan, Tape, Values};

/// The values of one Linear.
#[derive(Clone, Debug)]
pub struct LinearValues {
    /// `[out_features, in_features]`.
    pub weight: Vec<f64>,
    /// `[out_features]`.
    pub bias: Vec<f64>,
}

/// A Spinal net with all its weights.
#[derive(Clone, Debug)]
pub struct Construction {
    /// The net.
    pub spinal: SpinalOptions,
    /// `[U_l, V_l]` and the bias of every sub-layer.
    pub sub_layers: Vec<LinearValues>,
    /// The output layer.
    pub output: LinearValues,
    /// The largest number that is added to keep a pre-activation in the linear zone, and taken off again; 0 if none is.
    pub offset: f64,
}

/// Where an activation is a straight line: `phi(centre + t) = value + slope * t`.
struct LinearZone {
    centre: f64,
    value: f64,
    slope: f64,
    /// What a neuron's sum is multiplied by to stay in the zone.
    gain: f64,
}

impl LinearZone {
    /// The zone for sums whose absolute value is at most `reach`, in the box of half edge `range`.
    ///
    /// ReLU and LeakyReLU are lines on the whole positive axis, ReLU6 between 0 and 6. Sigmoid and tanh are nearly so about 0: a small gain keeps
    /// the curvature out (an error of order gain^2), a smaller one would lose digits beside sigmoid's 1/2 (of order
    /// epsilon / gain). A box larger than the unit box takes a smaller gain.
    fn new(activation: Activation, reach: f64, range: f64) -> Self {
        let about_zero = |value, slope, gain| Self {
            centre: 0.0,
            value,
            slope,
            gain,
        };
        match activation {
            Activation::Identity => about_zero(0.0, 1.0, 1.0),
            Activation::Relu | Activation::LeakyRelu => Self {
                centre: 1.0 + reach,
                value: 1.0 + reach,
                slope: 1.0,
                gain: 1.0,
            },
            Activation::Relu6 => Self {
                centre: 3.0,
                value: 3.0,
                slope: 1.0,
                gain: (3.0 / reach).min(1.0),
            },
            Activation::Sigmoid => about_zero(0.5, 0.25, 1e-2 / range.max(1.0)),
            Activation::Tanh => about_zero(0.0, 1.0, 1e-3 / range.max(1.0)),
        }
    }
}

/// How far the two nets may lie apart when one sub-layer passes numbers of order one: f32 roundings alone, or also the
/// curvature of the linear zone and the cancellation of its offset.
pub(super) fn tolerance(activation: Activation) -> f64 {
    match activation {
        Activation::Identity | Activation::Relu | Activation::LeakyRelu | Activation::Relu6 => 1e-5,
        Activation::Sigmoid | Activation::Tanh => 1e-4,
    }
}

impl Construction {
    /// The Spinal net of valid `options` that equals `net`.
    pub(super) fn new(net: &SingleHiddenLayer, options: &Options) -> Self {
        let spinal = options.spinal();
        let (depth, width) = (spinal.depth as usize, spinal.width as usize);
        let split = spinal.split_size() as usize;
        let sub_layers = (0..depth).map(|l| {
            let columns = if l == 0 { split } else { split + width };
            LinearValues {
                weight: vec![0.0; width * columns],
                bias: vec![0.0; width],
            }
        });
        let mut construction = Self {
            spinal,
            sub_layers: sub_layers.collect(),
            output: LinearValues {
                weight: vec![0.0; net.outputs * depth * width],
                bias: net.output_bias.clone(),
            },
            offset: 0.0,
        };
        for neuron in 0..net.neurons {
            construction.add(net, neuron, options.range);
        }
        construction
    }

    /// Spreads a neuron over row `neuron % w` of block `neuron / w`.
    fn add(&mut self, net: &SingleHiddenLayer, neuron: usize, range: f64) {
        let (inputs, splits) = (net.inputs, self.spinal.splits as usize);
        let (split, width) = (
            self.spinal.split_size() as usize,
            self.spinal.width as usize,
        );
        let (block, row) = (neuron / width, neuron % width);
        let a = &net.hidden_weight[neuron * inputs..][..inputs];
        let reach = range * a.iter().map(|a| a.abs()).sum::<f64>();
        let zone = LinearZone::new(net.activation, reach, range);

        for s in 0..splits {
            let (l, last) = (block * splits + s, s == splits - 1);
            let gain = if last { 1.0 } else { zone.gain };
            let LinearValues { weight, bias } = &mut self.sub_layers[l];
            let columns = weight.len() / width;
            let weight = &mut weight[row * columns..][..columns];

            // The n slices of a block follow each other and may wrap: each input counts where it comes first.
            let first_seen = inputs.saturating_sub(s * split).min(split);
            for (j, u) in weight[..first_seen].iter_mut().enumerate() {
                *u = gain * a[(l * split + j) % inputs];
            }
            bias[row] = if last {
                net.hidden_bias[neuron]
            } else {
                zone.centre
            };
            if s > 0 {
                let v = gain / (zone.slope * zone.gain);
                weight[split + row] = v;
                bias[row] -= zone.value * v;
            }
        }

        let last = (block + 1) * splits - 1;
        let all = self.spinal.depth as usize * width;
        for output in 0..net.outputs {
            self.output.weight[output * all + last * width + row] =
                net.output_weight[output * net.neurons + neuron];
        }
        if splits > 1 {
            self.offset = self.offset.max(zone.centre);
        }
    }

    /// Weight and bias of every Linear, in the order in which [`Spinal`] has its parameters.
    pub fn values(&self) -> impl Iterator<Item = &[f64]> {
        let linears = self.sub_layers.iter().chain([&self.output]);
        linears.flat_map(|linear| [linear.weight.as_slice(), linear.bias.as_slice()])
    }

    /// Parameters that are not 0: those the construction needs.
    pub fn parameters_used(&self) -> u64 {
        let used = |values: &[f64]| values.iter().filter(|&&value| value != 0.0).count() as u64;
        self.values().map(used).sum()
    }

    /// The outputs `[points, C]` of the net on the device at points `[points, I]`.
    pub fn evaluate(&self, device: &Device, path: Path, points: &[f32]) -> Result<Vec<f32>> {
        let mut parameters = Parameters::default();
        let outputs = self.output.bias.len() as u32;
        let spinal = Spinal::new(&mut parameters, "spinal", self.spinal, outputs).with_path(path);
        let mut values = Values::zeros(&parameters);
        for (spec, constructed) in parameters.specs().iter().zip(self.values()) {
            let constructed: Vec<f32> = constructed.iter().map(|&value| value as f32).collect();
            values.set(spec, &constructed);
        }

        let plan = forward_plan(&spinal, &parameters, points.len() as u32, self.spinal);
        let memory = Memory::allocate(device, &plan.allocation())?;
        let executable = Executable::new(device, &memory, &plan, 0)?;
        memory.write_values(device, 0, &values);
        memory.write_data(device, "input", bytemuck::cast_slice(points));
        executable.submit(device, 1).wait(device)?;
        memory.read_data(device, "output")
    }
}

/// The net on the buffer `input` of `elements` numbers; its outputs are in the buffer `output`.
fn forward_plan(
    spinal: &Spinal,
    parameters: &Parameters,
    elements: u32,
    options: SpinalOptions,
) -> Plan {
    let mut tape = Tape::new("universal", parameters, Mode::Evaluate);
    let features = options.in_features;
    let x = tape.data("input", [elements / features, features]);
    let y = tape.scope("spinal", |tape| spinal.forward(tape, x));
    tape.export(y, "output");
    tape.finish()
}

#[cfg(test)]
mod tests {
    use super::super::single_hidden_layer::{activate, affine};
    use super::super::{ACTIVATIONS, Trial};
    use super::*;

    /// Every size that is odd in some way: `[neurons, inputs, outputs, splits, width]`.
    const SIZES: [[u32; 5]; 12] = [
        [16, 8, 3, 2, 4],
        [4, 2, 2, 2, 2],
        [1, 1, 1, 1, 1],
        [7, 5, 2, 1, 3],
        [7, 6, 1, 3, 3],
        [5, 8, 2, 4, 2],
        [3, 7, 2, 2, 5],  // slices of 4 wrap within a block
        [6, 5, 2, 3, 2],  // and with 3 of 2
        [4, 11, 1, 3, 3], // and with 3 of 4
        [3, 3, 2, 5, 2],  // more splits than inputs
        [9, 13, 1, 13, 4],
        [2, 12, 5, 4, 7],
    ];

    fn trial(activation: Activation, size: [u32; 5], range: f64) -> Trial {
        let [neurons, inputs, outputs, splits, width] = size;
        let options = Options {
            activation,
            neurons,
            inputs,
            outputs,
            splits,
            width,
            range,
            points: 50,
            seed: 3,
        };
        let mut trial = Trial::new(&options).expect("the sizes fit");
        // Corners of the box are where the linear zone is hardest to keep.
        let corner = 10 * inputs as usize;
        for x in &mut trial.points[..corner] {
            *x = x.signum() * range as f32;
        }
        trial
    }

    /// `h_l = phi([s_l, h_{l-1}] weight_l^T + bias_l)`, then the output layer over all of them.
    fn spinal_net(construction: &Construction, x: &[f32]) -> Vec<f64> {
        let options = construction.spinal;
        let split = options.split_size() as usize;
        let (mut all, mut previous) = (Vec::new(), Vec::new());
        for (l, linear) in construction.sub_layers.iter().enumerate() {
            let slice = (0..split).map(|j| f64::from(x[(l * split + j) % x.len()]));
            let input: Vec<f64> = slice.chain(previous).collect();
            let z = affine(&linear.weight, &linear.bias, &input);
            previous = z.iter().map(|&z| activate(options.activation, z)).collect();
            all.extend_from_slice(&previous);
        }
        affine(&construction.output.weight, &construction.output.bias, &all)
    }

    fn max_difference(trial: &Trial) -> f64 {
        let expected = trial.single_hidden_layer.evaluate(&trial.points).outputs;
        let points = trial.points.chunks_exact(trial.options.inputs as usize);
        let got: Vec<f64> = points
            .flat_map(|x| spinal_net(&trial.construction, x))
            .collect();
        assert_eq!(got.len(), expected.len());
        let differences = got.iter().zip(&expected).map(|(a, b)| (a - b).abs());
        differences
            .max_by(f64::total_cmp)
            .expect("there are points")
    }

    #[test]
    fn relu_nets_are_equal() {
        for activation in [
            Activation::Identity,
            Activation::Relu,
            Activation::LeakyRelu,
            Activation::Relu6,
        ] {
            for size in SIZES {
                for range in [0.1, 1.0, 3.0] {
                    let difference = max_difference(&trial(activation, size, range));
                    assert!(
                        difference <= 1e-12,
                        "{activation} {size:?} {range}: {difference:e}"
                    );
                }
            }
        }
    }

    /// The next term of sigmoid(t) = 1/2 + t/4 - t^3/48 makes gain^2 z^3 / 12 of z in each sub-layer that passes it, that
    /// of tanh(t) = t - t^3/3 makes gain^2 z^3 / 3; |z| is at most range sqrt(I), and |v| sums to at most sqrt(H).
    #[test]
    fn sigmoid_and_tanh_nets_differ_by_their_curvature() {
        let zones = [
            (Activation::Sigmoid, 1e-2, 12.0 * 4.0),
            (Activation::Tanh, 1e-3, 3.0),
        ];
        for (activation, gain, divisor) in zones {
            for size in SIZES {
                let [neurons, inputs, _, splits, _] = size.map(f64::from);
                let bound =
                    neurons.sqrt() * (splits - 1.0) * gain * gain * inputs.powf(1.5) / divisor;
                let difference = max_difference(&trial(activation, size, 1.0));
                assert!(
                    difference <= bound + 1e-12,
                    "{activation} {size:?}: {difference:e} > {bound:e}"
                );
            }
        }
    }

    /// The supplement's figure: 4 sub-layers of width 2 hold 4 neurons, and only the second row of each block speaks.
    #[test]
    fn the_figure_of_the_supplement() {
        let trial = trial(Activation::Relu, [4, 2, 1, 2, 2], 1.0);
        let Construction {
            sub_layers, output, ..
        } = &trial.construction;
        let a = &trial.single_hidden_layer.hidden_weight;
        assert_eq!(sub_layers.len(), 4);
        assert_eq!(sub_layers[0].weight, [a[0], a[2]]);
        assert_eq!(sub_layers[1].weight, [a[1], 1.0, 0.0, a[3], 0.0, 1.0]);
        assert_eq!(sub_layers[2].weight, [a[4], 0.0, 0.0, a[6], 0.0, 0.0]);
        assert_eq!(sub_layers[3].weight, [a[5], 1.0, 0.0, a[7], 0.0, 1.0]);
        let v = &trial.single_hidden_layer.output_weight;
        assert_eq!(output.weight, [0.0, 0.0, v[0], v[1], 0.0, 0.0, v[2], v[3]]);
    }

    #[test]
    fn used_parameters_are_counted() {
        // 4 neurons of 2 inputs: 8 U, 4 V, 8 biases, 4 output weights and an output bias.
        let trial = trial(Activation::Relu, [4, 2, 1, 2, 2], 1.0);
        assert_eq!(trial.construction.parameters_used(), 25);
    }

    #[test]
    fn one_wrong_weight_shows() {
        for activation in ACTIVATIONS {
            let mut trial = trial(activation, [16, 8, 3, 2, 4], 1.0);
            trial.construction.sub_layers[1].weight[0] *= 1.05;
            let difference = max_difference(&trial);
            assert!(difference > 1e-4, "{activation}: {difference:e}");
        }
    }
}
