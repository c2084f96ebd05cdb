//! The chain of sub-layers composed of layers, with everything that can lie between Linear and Linear: each layer from
//! what the device has for the one before, there and back, so that errors do not add up along the chain.

use proptest::prelude::*;
use spinalnet::layers::spinal::Tie;
use spinalnet::layers::{Activation, Layer, SpinalChain, SpinalOptions};
use spinalnet::plan::Parameters;

use super::activation::{ACTIVATIONS, error};
use super::batch_norm::{Backward, Found, assert_running};
use super::spinal::{Case, case, independent};
use crate::common::tolerance::{EPS, assert_exact, assert_within, sum};
use crate::common::{Bench, Draw, Input, Outcome, Setup, for_all, magnitudes};
use crate::reference;
use crate::reference::activation;
use crate::reference::dropout::{self, Dropout};
use crate::reference::linear;

const STEP: [u32; 3] = [5, 0, 9];

/// A case with a BatchNorm in every sub-layer.
const fn normalised(case: Case) -> Case {
    Case {
        batch_norm: true,
        ..case
    }
}

/// A case with dropout before every Linear.
const fn dropped(case: Case, dropout: f64) -> Case {
    Case { dropout, ..case }
}

/// The head of the VGG nets in small: dropout, Linear, BatchNorm, ReLU; with every tie; cut; as shallow and as deep as
/// can be; one split.
const LISTED: [Case; 8] = [
    normalised(case([17, 8, 2, 5, 4, 0], 1, Tie::Untied, false, false)),
    dropped(
        normalised(case([9, 6, 2, 4, 4, 0], 1, Tie::Untied, false, false)),
        0.5,
    ),
    dropped(
        normalised(case(
            [5, 9, 4, 3, 7, 0],
            2,
            Tie::ThirdAndFourth,
            false,
            false,
        )),
        0.25,
    ),
    dropped(
        normalised(case([33, 7, 3, 65, 3, 0], 4, Tie::Shared, false, true)),
        0.1,
    ),
    dropped(
        normalised(independent(case(
            [6, 7, 2, 3, 5, 0],
            3,
            Tie::Untied,
            false,
            false,
        ))),
        0.5,
    ),
    independent(case([6, 8, 4, 3, 4, 0], 1, Tie::Untied, false, false)),
    normalised(case([2, 5, 1, 3, 1, 0], 1, Tie::Untied, false, false)),
    normalised(case([11, 6, 2, 3, 40, 0], 1, Tie::Untied, false, false)),
];

fn cases() -> impl Strategy<Value = Case> {
    let ties = prop_oneof![
        Just(Tie::Untied),
        Just(Tie::ThirdAndFourth),
        Just(Tie::Shared)
    ];
    let sizes = [2..20u32, 1..20, 1..5, 1..12, 1..7, 0..1];
    // With Identity the activation layer records nothing.
    let rest = (1..ACTIVATIONS.len(), ties, 0..3u8, any::<[bool; 3]>());
    (sizes, rest).prop_map(|(mut sizes, rest)| {
        let (activation, tie, quarters, [batch_norm, chained, constant]) = rest;
        // At least one column a slice.
        sizes[2] = sizes[2].min(sizes[1]);
        Case {
            dropout: f64::from(quarters) / 4.0,
            batch_norm,
            // A chain that nothing interrupts is fused.
            chained: chained && (batch_norm || quarters > 0),
            ..case(sizes, activation, tie, false, constant)
        }
    })
}

/// The buffers called `label`, in the order they were made.
fn buffers<'a>(outcome: &'a Outcome, label: &str) -> Vec<&'a [f64]> {
    let numbered = outcome.buffers.iter().filter_map(|(name, values)| {
        let number = match name.strip_prefix(label)? {
            "" => 0,
            rest => rest.strip_prefix('#')?.parse::<usize>().ok()?,
        };
        Some((number, values.as_slice()))
    });
    let mut numbered: Vec<_> = numbered.collect();
    numbered.sort_by_key(|&(number, _)| number);
    numbered.into_iter().map(|(_, values)| values).collect()
}

/// The tensors of one sub-layer, or their gradients: input after dropout, Linear, and normalisation with activation.
struct SubLayer<'a> {
    dropped: &'a [f64],
    z: &'a [f64],
    h: &'a [f64],
}

impl<'a> SubLayer<'a> {
    /// From buffers in this order.
    fn new(case: &Case, l: usize, buffers: &[&'a [f64]]) -> Self {
        let [dropped, z, h] = *buffers else {
            panic!("sub-layer {l} has {} tensors", buffers.len());
        };
        let linear = case.sub_layer(l);
        let (columns, units) = (
            linear.batch * linear.in_features,
            linear.batch * linear.out_features,
        );
        Self {
            dropped: &dropped[..columns],
            z: &z[..units],
            h: &h[..units],
        }
    }
}

/// What the device made of a chain.
struct Chain<'a> {
    case: &'a Case,
    outcome: &'a Outcome,
    /// The number of each sub-layer's Linear.
    linear_of: Vec<usize>,
    sub_layers: Vec<SubLayer<'a>>,
    gradients: Vec<SubLayer<'a>>,
}

impl<'a> Chain<'a> {
    fn new(case: &'a Case, outcome: &'a Outcome) -> Self {
        let function = ACTIVATIONS[case.activation].1;
        let label = |l: usize| format!("sub_layers.{l}.y");
        let sub_layers =
            (0..case.depth as usize).map(|l| SubLayer::new(case, l, &buffers(outcome, &label(l))));
        let gradients = (0..case.depth as usize).map(|l| {
            // The way back makes them last to first.
            let mut gradients = buffers(outcome, &format!("d({})", label(l)));
            gradients.reverse();
            SubLayer::new(case, l, &gradients)
        });
        Self {
            case,
            outcome,
            linear_of: case.chain(function).parameter_of,
            sub_layers: sub_layers.collect(),
            gradients: gradients.collect(),
        }
    }

    fn parameter(&self, name: &str) -> &'a [f64] {
        &self.outcome.parameters[name]
    }

    fn gradient(&self, name: &str) -> &'a [f64] {
        &self.outcome.gradients[name]
    }

    /// Input, dropout and Linear of sub-layer `l`.
    fn assert_linear(&self, l: usize) {
        let SubLayer { dropped, z, .. } = self.sub_layers[l];
        let previous = l.checked_sub(1).map(|l| self.sub_layers[l].h.to_vec());
        let input = self
            .case
            .sub_layer_input(l, &self.outcome.x[0], previous.as_ref());
        let expected = self.masked(l, &input);
        assert_within(&format!("input of {l}"), dropped, &expected, |index| {
            self.mask_error(expected[index])
        });

        let name = format!("spinal.sub_layers.{}", self.linear_of[l]);
        let weight = self.parameter(&format!("{name}.weight"));
        let bias = self.parameter(&format!("{name}.bias"));
        let shape = self.case.sub_layer(l);
        let expected = linear::forward(&shape, dropped, weight, bias);
        let [dropped, weight, bias] = [dropped, weight, bias].map(magnitudes);
        let scale = linear::forward(&shape, &dropped, &weight, &bias);
        assert_within(&format!("z of {l}"), z, &expected, |index| {
            sum(shape.in_features + 1, scale[index])
        });
    }

    /// What the dropout of sub-layer `l` makes of `values`, there or back.
    fn masked(&self, l: usize, values: &[f64]) -> Vec<f64> {
        let [seed, _, step] = STEP;
        let mask = Dropout {
            p: self.case.dropout,
            seed,
            step,
            layer: l as u32 + 1,
        };
        dropout::forward(&mask, values)
    }

    /// How far the device may be from a masked value: the scale is rounded, and the product. Without dropout it is a copy.
    fn mask_error(&self, value: f64) -> f64 {
        if self.case.dropout > 0.0 {
            2.0 * EPS * value.abs()
        } else {
            0.0
        }
    }

    /// The gradient of the input of sub-layer `l` before its dropout.
    fn input_gradient(&self, l: usize) -> Vec<f64> {
        self.masked(l, self.gradients[l].dropped)
    }

    /// Normalisation and activation of sub-layer `l`, and its gradients.
    fn assert_normalised(&self, l: usize) {
        let (SubLayer { z, h, .. }, back) = (&self.sub_layers[l], &self.gradients[l]);
        let shape = reference::batch_norm::BatchNorm::new(
            self.case.batch as usize,
            self.case.width as usize,
            ACTIVATIONS[self.case.activation].1,
        );
        let scope = format!("sub_layers.{l}");
        let buffers = &self.outcome.buffers;
        let buffer = |name: &str| buffers.get(&format!("{scope}.{name}")).map(Vec::as_slice);
        let found = Found::new(shape, z, buffer);
        let exact = reference::batch_norm::statistics(&shape, z);
        let name = format!("spinal.norms.{l}");
        found.assert_moments(&exact);
        assert_running(&found, self.outcome, &name, &exact, 1);
        let weight = self.parameter(&format!("{name}.weight"));
        let bias = self.parameter(&format!("{name}.bias"));
        found.assert_y(h, weight, bias, 0.0);
        found.assert_gradients(&Backward {
            weight,
            bias,
            y: h,
            dy: back.h,
            dx: back.z,
            dweight: self.gradient(&format!("{name}.weight")),
            dbias: self.gradient(&format!("{name}.bias")),
        });
    }

    /// The activation of sub-layer `l` where there is no normalisation, and its gradient.
    fn assert_activated(&self, l: usize) {
        let function = ACTIVATIONS[self.case.activation].1;
        let (SubLayer { z, h, .. }, back) = (&self.sub_layers[l], &self.gradients[l]);
        let expected = activation::forward(function, z);
        assert_within(&format!("h of {l}"), h, &expected, |index| {
            error(function, z[index])
        });
        let expected = activation::backward(function, h, back.h);
        assert_within(&format!("dz of {l}"), back.z, &expected, |index| {
            sum(3, back.h[index].abs())
        });
    }

    /// dh of sub-layer `l`: from the output, and from the sub-layer behind it.
    fn assert_states(&self, l: usize) {
        let (width, depth) = (self.case.width as usize, self.case.depth as usize);
        let behind = (self.case.chained && l + 1 < depth).then(|| self.input_gradient(l + 1));
        let split = self.case.options().split_size() as usize;
        let found = self.gradients[l].h;
        let both = |index: usize| {
            let (n, k) = (index / width, index % width);
            let direct = self.outcome.dy[n * depth * width + l * width + k];
            let along = behind
                .as_ref()
                .map_or(0.0, |behind| behind[n * (split + width) + split + k]);
            [direct, along]
        };
        let expected: Vec<f64> = (0..found.len())
            .map(|index| both(index).iter().sum())
            .collect();
        assert_within(&format!("dh of {l}"), found, &expected, |index| {
            let [direct, along] = both(index);
            sum(1, direct.abs() + along.abs()) + self.mask_error(along)
        });
    }

    /// The gradient of the input of sub-layer `l`.
    fn assert_input_gradient(&self, l: usize) {
        let back = &self.gradients[l];
        let shape = self.case.sub_layer(l);
        let name = format!("spinal.sub_layers.{}.weight", self.linear_of[l]);
        let weight = self.parameter(&name);
        let expected = linear::backward_input(&shape, weight, back.z);
        let scale = linear::backward_input(&shape, &magnitudes(weight), &magnitudes(back.z));
        assert_within(
            &format!("d(dropout) of {l}"),
            back.dropped,
            &expected,
            |index| sum(shape.out_features, scale[index]),
        );
    }

    /// The gradients of every Linear: sub-layers that share it add up.
    fn assert_weight_gradients(&self) {
        let linears = 1 + self
            .linear_of
            .iter()
            .max()
            .expect("a chain has a sub-layer");
        for linear in 0..linears {
            let users: Vec<usize> = (0..self.sub_layers.len())
                .filter(|&l| self.linear_of[l] == linear)
                .collect();
            let shape = self.case.sub_layer(users[0]);
            let total = |of: fn(&[f64]) -> Vec<f64>| {
                let mut total = vec![0.0; shape.out_features * (shape.in_features + 1)];
                for &l in &users {
                    let (input, dz) = (of(self.sub_layers[l].dropped), of(self.gradients[l].z));
                    let (dweight, dbias) = linear::backward_weight(&shape, &input, &dz);
                    let both = dweight.iter().chain(&dbias);
                    total
                        .iter_mut()
                        .zip(both)
                        .for_each(|(total, one)| *total += one);
                }
                total
            };
            let name = format!("spinal.sub_layers.{linear}");
            let found = ["weight", "bias"].map(|part| self.gradient(&format!("{name}.{part}")));
            let (expected, scale) = (total(<[f64]>::to_vec), total(magnitudes));
            assert_within(&name, &found.concat(), &expected, |index| {
                sum(shape.batch * users.len(), scale[index])
            });
        }
    }

    /// dx: the slices of all sub-layers where they were taken.
    fn assert_dx(&self) {
        let (in_features, split) = (
            self.case.in_features as usize,
            self.case.options().split_size() as usize,
        );
        let mut expected = vec![0.0; self.outcome.x[0].len()];
        let mut scale = expected.clone();
        for l in 0..self.gradients.len() {
            let columns = self.case.sub_layer(l).in_features;
            for (n, row) in self.input_gradient(l).chunks(columns).enumerate() {
                for (j, d) in row[..split].iter().enumerate() {
                    let index = n * in_features + (l * split + j) % in_features;
                    expected[index] += d;
                    scale[index] += d.abs();
                }
            }
        }
        assert_within("dx", &self.outcome.dx[0], &expected, |index| {
            sum(self.gradients.len(), scale[index]) + self.mask_error(scale[index])
        });
    }
}

fn assert_chain(case: &Case, outcome: &Outcome) {
    let chain = Chain::new(case, outcome);
    let (width, depth) = (case.width as usize, case.depth as usize);
    for l in 0..depth {
        chain.assert_linear(l);
        if case.batch_norm {
            chain.assert_normalised(l);
        } else {
            chain.assert_activated(l);
        }
        chain.assert_states(l);
        chain.assert_input_gradient(l);
        let rows = outcome.y.chunks(depth * width);
        let found: Vec<f64> = rows
            .flat_map(|row| row[l * width..][..width].to_vec())
            .collect();
        assert_exact(&format!("output {l}"), &found, chain.sub_layers[l].h);
    }
    chain.assert_weight_gradients();
    if !case.constant {
        chain.assert_dx();
    }
}

pub fn composed_chains_match_the_twins_of_their_layers(bench: &Bench) {
    for_all(&LISTED, 3, cases(), |case| {
        let mut parameters = Parameters::default();
        let layer = SpinalChain::new(&mut parameters, "spinal", case.options());
        let input = Input {
            constant: case.constant,
            ..Input::drawn([case.batch, case.in_features], Draw::Uniform)
        };
        let setup = Setup {
            parameters,
            step: STEP,
            ..Setup::without_parameters(input, Draw::Uniform)
        };
        for outcome in bench.trial(&setup, |tape, x| layer.forward(tape, x[0])) {
            assert_chain(case, &outcome);
        }
    });
}

/// The paper's ResNet head: a map of 2 x 2 cells, channels last, is read row by row, and sub-layer l sees all channels of
/// cell l. Whole numbers, so everything is exact.
pub fn four_splits_of_a_map_are_its_cells(bench: &Bench) {
    let (batch, channels, width) = (3, 5, 2);
    let options = SpinalOptions {
        splits: 4,
        activation: Activation::Identity,
        chained: false,
        ..SpinalOptions::halves(4 * channels, width, 4)
    };
    let mut parameters = Parameters::default();
    let layer = SpinalChain::new(&mut parameters, "spinal", options);
    let input = Input::drawn([batch, 2, 2, channels], Draw::Integers);
    let setup = Setup {
        parameters,
        ..Setup::without_parameters(input, Draw::Integers)
    };
    let cell = linear::Linear {
        batch: batch as usize,
        in_features: channels as usize,
        out_features: width as usize,
    };
    for outcome in bench.trial(&setup, |tape, x| {
        layer.forward(tape, x[0].reshape([batch, 4 * channels]))
    }) {
        for (l, [row, column]) in [[0, 0], [0, 1], [1, 0], [1, 1]].into_iter().enumerate() {
            let pixel = |n: usize| ((n * 2 + row) * 2 + column) * cell.in_features;
            let pixels =
                (0..cell.batch).flat_map(|n| &outcome.x[0][pixel(n)..][..cell.in_features]);
            let x: Vec<f64> = pixels.copied().collect();
            let parameter = |part| &outcome.parameters[&format!("spinal.sub_layers.{l}.{part}")];
            let h = linear::forward(&cell, &x, parameter("weight"), parameter("bias"));
            let rows = outcome.y.chunks(4 * cell.out_features);
            let found = rows.flat_map(|row| &row[l * cell.out_features..][..cell.out_features]);
            let found: Vec<f64> = found.copied().collect();
            assert_exact(&format!("cell {l}"), &found, &h);
        }
    }
}
