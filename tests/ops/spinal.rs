//! The Spinal layer: the fused chain and the composed one against the twin, and against each other.

use std::collections::BTreeMap;

use proptest::prelude::*;
use spinalnet::layers::spinal::{Path, Tie};
use spinalnet::layers::{Layer, Spinal, SpinalChain, SpinalOptions};
use spinalnet::plan::{Mode, Parameters, Tape, Values};

use super::activation::{ACTIVATIONS, error};
use crate::common::tolerance::{self, assert_exact, assert_within};
use crate::common::{
    AdapterClass, Bench, Draw, Input, Outcome, Setup, doubles, for_all, magnitudes,
};
use crate::reference::activation::{self, Activation};
use crate::reference::dropout::{self, Dropout};
use crate::reference::linear::{self, Linear};
use crate::reference::spinal::{self, Chain};

/// A Spinal layer, or its chain alone.
#[derive(Clone, Debug)]
pub struct Case {
    pub batch: u32,
    pub in_features: u32,
    pub splits: u32,
    pub width: u32,
    pub depth: u32,
    pub out_features: u32,
    /// Index into [`ACTIVATIONS`].
    pub activation: usize,
    pub tie: Tie,
    /// Probability of dropout.
    pub dropout: f64,
    pub batch_norm: bool,
    pub chained: bool,
    pub twice: bool,
    /// x is data, and gets no gradient.
    pub constant: bool,
    /// The adapter whose kernels are taken.
    pub class: AdapterClass,
}

/// A case from `[batch, I, n, w, L, C]`, the activation's index, the tie, twice and constant.
pub const fn case(
    sizes: [u32; 6],
    activation: usize,
    tie: Tie,
    twice: bool,
    constant: bool,
) -> Case {
    let [batch, in_features, splits, width, depth, out_features] = sizes;
    Case {
        batch,
        in_features,
        splits,
        width,
        depth,
        out_features,
        activation,
        tie,
        dropout: 0.0,
        batch_norm: false,
        chained: true,
        twice,
        constant,
        class: AdapterClass::Gpu,
    }
}

/// The same case by the kernels for CPU adapters.
pub const fn on_cpu(case: Case) -> Case {
    Case {
        class: AdapterClass::Cpu,
        ..case
    }
}

/// The paper's head; as many units as are fused; fewer sub-layers than splits; one split; every
/// activation, every tie, and x without a gradient.
const FUSED: [Case; 13] = [
    case([3, 320, 2, 8, 6, 10], 1, Tie::Untied, false, false),
    case([2, 6, 2, 128, 2, 1], 1, Tie::Untied, false, false),
    case([2, 5, 2, 65, 3, 2], 2, Tie::Untied, true, false),
    case([65, 6, 3, 2, 2, 1], 4, Tie::Shared, false, false),
    case([3, 4, 1, 1, 3, 2], 0, Tie::Untied, false, false),
    case([5, 8, 2, 50, 6, 1], 2, Tie::ThirdAndFourth, false, true),
    case([1, 2, 2, 127, 2, 1], 3, Tie::Untied, true, true),
    case([2, 3, 2, 4, 5, 1], 1, Tie::ThirdAndFourth, false, false),
    on_cpu(case([3, 320, 2, 8, 6, 10], 1, Tie::Untied, false, false)),
    on_cpu(case([9, 5, 2, 9, 3, 2], 4, Tie::Shared, true, false)),
    on_cpu(case([1, 1, 1, 1, 1, 1], 3, Tie::Untied, false, false)),
    on_cpu(case(
        [5, 8, 2, 50, 6, 1],
        2,
        Tie::ThirdAndFourth,
        false,
        true,
    )),
    on_cpu(case(
        [2, 7, 2, 3, 7, 3],
        3,
        Tie::ThirdAndFourth,
        true,
        false,
    )),
];

/// One unit; slices that wrap (9 / 4 rounds to 2, 7 / 2 to 4); every tie.
const BOTH: [Case; 3] = [
    case([1, 1, 1, 1, 1, 1], 1, Tie::Untied, false, false),
    case([2, 9, 4, 5, 6, 2], 4, Tie::Shared, false, false),
    case([4, 7, 2, 3, 7, 3], 3, Tie::ThirdAndFourth, true, false),
];

/// Sub-layers that do not see one another.
const INDEPENDENT: [Case; 3] = [
    independent(case([3, 9, 4, 5, 6, 2], 1, Tie::Untied, false, false)),
    independent(case(
        [2, 7, 2, 3, 7, 3],
        4,
        Tie::ThirdAndFourth,
        true,
        false,
    )),
    independent(case([5, 8, 1, 4, 3, 1], 2, Tie::Shared, false, true)),
];

/// The same case with V = 0.
pub const fn independent(case: Case) -> Case {
    Case {
        chained: false,
        ..case
    }
}

fn cases() -> impl Strategy<Value = Case> {
    let ties = prop_oneof![
        Just(Tie::Untied),
        Just(Tie::ThirdAndFourth),
        Just(Tie::Shared)
    ];
    let sizes = [1..6u32, 1..30, 1..5, 1..20, 1..8, 1..6];
    let rest = (0..ACTIVATIONS.len(), ties, any::<[bool; 3]>());
    (sizes, rest).prop_map(|(mut sizes, (activation, tie, [twice, constant, cpu]))| {
        // At least one column a slice.
        sizes[2] = sizes[2].min(sizes[1]);
        let case = case(sizes, activation, tie, twice, constant);
        if cpu { on_cpu(case) } else { case }
    })
}

impl Case {
    pub fn options(&self) -> SpinalOptions {
        SpinalOptions {
            splits: self.splits,
            activation: ACTIVATIONS[self.activation].0,
            tie: self.tie,
            dropout: self.dropout,
            batch_norm: self.batch_norm,
            chained: self.chained,
            ..SpinalOptions::halves(self.in_features, self.width, self.depth)
        }
    }

    pub fn chain(&self, activation: Activation) -> Chain {
        let parameter_of = |l: usize| match self.tie {
            Tie::Untied => l,
            Tie::ThirdAndFourth if l < 4 => l,
            Tie::ThirdAndFourth => 2 + l % 2,
            Tie::Shared => l.min(1),
        };
        Chain {
            batch: self.batch as usize,
            in_features: self.in_features as usize,
            splits: self.splits as usize,
            width: self.width as usize,
            depth: self.depth as usize,
            activation,
            chained: self.chained,
            parameter_of: (0..self.depth as usize).map(parameter_of).collect(),
        }
    }

    pub fn sub_layer(&self, l: usize) -> Linear {
        let previous = if l > 0 && self.chained { self.width } else { 0 };
        Linear {
            batch: self.batch as usize,
            in_features: (self.options().split_size() + previous) as usize,
            out_features: self.width as usize,
        }
    }

    /// `[s_l, h_(l-1)]` of sub-layer l, from `x` `[N, I]` and `h_(l-1)` `[N, w]`.
    pub fn sub_layer_input(&self, l: usize, x: &[f64], previous: Option<&Vec<f64>>) -> Vec<f64> {
        let (in_features, width) = (self.in_features as usize, self.width as usize);
        let split = self.options().split_size() as usize;
        let mut input = Vec::new();
        for n in 0..self.batch as usize {
            let row = &x[n * in_features..][..in_features];
            input.extend((0..split).map(|j| row[(l * split + j) % in_features]));
            if let Some(previous) = previous.filter(|_| self.chained) {
                input.extend(&previous[n * width..][..width]);
            }
        }
        input
    }

    /// All hidden layers `[N, L*w]` as the device left them in a buffer.
    fn hidden<'a>(&self, outcome: &'a Outcome, label: &str) -> &'a [f64] {
        &outcome.buffers[label][..(self.batch * self.depth * self.width) as usize]
    }

    fn output(&self) -> Linear {
        Linear {
            batch: self.batch as usize,
            in_features: (self.depth * self.width) as usize,
            out_features: self.out_features as usize,
        }
    }
}

/// Output and gradients of a spinal layer.
struct Passes {
    y: Vec<f64>,
    dx: Vec<f64>,
    gradients: BTreeMap<String, Vec<f64>>,
}

/// What goes into a spinal layer.
#[derive(Clone)]
struct Given {
    x: Vec<f64>,
    dy: Vec<f64>,
    parameters: BTreeMap<String, Vec<f64>>,
}

impl Given {
    fn of(outcome: &Outcome) -> Self {
        Self {
            x: outcome.x[0].clone(),
            dy: outcome.dy.clone(),
            parameters: outcome.parameters.clone(),
        }
    }

    /// Everything without its sign. The error of an activation is at most 8 units in the last place of one: as much as a
    /// bias larger by one brings, when it is multiplied by the number of terms.
    fn scale(&self) -> Self {
        let magnitude = |(name, values): (&String, &Vec<f64>)| {
            let more = if name.contains("sub_layers") && name.ends_with("bias") {
                1.0
            } else {
                0.0
            };
            (
                name.clone(),
                values.iter().map(|value| value.abs() + more).collect(),
            )
        };
        Self {
            x: magnitudes(&self.x),
            dy: magnitudes(&self.dy),
            parameters: self.parameters.iter().map(magnitude).collect(),
        }
    }

    fn distinct(&self, kind: &str) -> Vec<Vec<f64>> {
        let named = (0..).map_while(|l| {
            self.parameters
                .get(&format!("spinal.sub_layers.{l}.{kind}"))
        });
        named.cloned().collect()
    }

    /// The same as [`passes`](Self::passes) of a chain without output layer.
    fn chain_passes(&self, chain: &Chain, h: Option<&[f64]>) -> Passes {
        let (weights, biases) = (self.distinct("weight"), self.distinct("bias"));
        let exact = spinal::forward(chain, &self.x, &weights, &biases);
        let back = spinal::backward(chain, &self.x, &weights, h.unwrap_or(&exact), &self.dy);
        let mut gradients = BTreeMap::new();
        for (l, (dweight, dbias)) in back.dweights.into_iter().zip(back.dbiases).enumerate() {
            gradients.insert(format!("spinal.sub_layers.{l}.weight"), dweight);
            gradients.insert(format!("spinal.sub_layers.{l}.bias"), dbias);
        }
        Passes {
            y: exact,
            dx: back.dx,
            gradients,
        }
    }

    /// Forward of the twin; backward through the hidden layers `h` of the device, whose rounding may decide on which side
    /// of a kink a unit lies.
    fn passes(&self, chain: &Chain, output: &Linear, h: Option<&[f64]>) -> Passes {
        let weight = &self.parameters["spinal.output.weight"];
        let exact = spinal::forward(
            chain,
            &self.x,
            &self.distinct("weight"),
            &self.distinct("bias"),
        );
        let y = linear::forward(
            output,
            &exact,
            weight,
            &self.parameters["spinal.output.bias"],
        );

        let h = h.unwrap_or(&exact);
        let (dweight, dbias) = linear::backward_weight(output, h, &self.dy);
        let of_chain = Self {
            dy: linear::backward_input(output, weight, &self.dy),
            ..self.clone()
        };
        let Passes {
            dx, mut gradients, ..
        } = of_chain.chain_passes(chain, Some(h));
        gradients.insert("spinal.output.weight".to_owned(), dweight);
        gradients.insert("spinal.output.bias".to_owned(), dbias);
        Passes { y, dx, gradients }
    }
}

/// Products and sums that a value goes through from x to y and back: a sub-layer's inputs, its bias and its activation in
/// each of L sub-layers, the output layer, the same back, and the sum over the batch for weights.
fn terms(case: &Case) -> usize {
    let columns = case.options().split_size() + case.width;
    let chain = case.depth * (columns + 1 + 8);
    (chain + case.depth * case.width + case.out_features + case.batch * case.depth) as usize
}

fn assert_passes(what: &str, outcome: &Outcome, expected: &Passes, terms: usize, scale: &Passes) {
    outcome.assert_sums(
        &format!("{what}: y"),
        &outcome.y,
        &expected.y,
        terms,
        &scale.y,
    );
    if !outcome.dx[0].is_empty() {
        outcome.assert_sums(
            &format!("{what}: dx"),
            &outcome.dx[0],
            &expected.dx,
            terms,
            &scale.dx,
        );
    }
    for (name, gradient) in &outcome.gradients {
        let name_in_message = format!("{what}: d({name})");
        outcome.assert_sums(
            &name_in_message,
            gradient,
            &expected.gradients[name],
            terms,
            &scale.gradients[name],
        );
    }
}

fn trial(bench: &Bench, case: &Case, path: Path) -> Vec<Outcome> {
    let mut parameters = Parameters::default();
    let layer =
        Spinal::new(&mut parameters, "spinal", case.options(), case.out_features).with_path(path);
    let mut input = Input::drawn([case.batch, case.in_features], Draw::Uniform);
    input.constant = case.constant;
    let setup = Setup {
        parameters,
        twice: case.twice,
        class: case.class,
        ..Setup::without_parameters(input, Draw::Uniform)
    };
    bench.trial(&setup, |tape, x| layer.forward(tape, x[0]))
}

/// Every sub-layer from what the device has for the one before: errors do not add up along the chain, so that this is as
/// tight as for a single Linear.
fn assert_hidden(path: &str, given: &Given, case: &Case, h: &[f64]) {
    let (weights, biases) = (given.distinct("weight"), given.distinct("bias"));
    let (depth, width) = (case.depth as usize, case.width as usize);
    let function = ACTIVATIONS[case.activation].1;
    let parameter_of = case.chain(function).parameter_of;
    let mut previous: Option<Vec<f64>> = None;
    for l in 0..depth {
        let shape = case.sub_layer(l);
        let (weight, bias) = (&weights[parameter_of[l]], &biases[parameter_of[l]]);
        let input = case.sub_layer_input(l, &given.x, previous.as_ref());
        let z = linear::forward(&shape, &input, weight, bias);
        let scale = linear::forward(
            &shape,
            &magnitudes(&input),
            &magnitudes(weight),
            &magnitudes(bias),
        );
        let rows = h.chunks(depth * width);
        let found: Vec<f64> = rows
            .flat_map(|row| row[l * width..][..width].to_vec())
            .collect();
        let expected = activation::forward(function, &z);
        // No activation is steeper than 1.
        assert_within(
            &format!("{path}: h of sub-layer {l}"),
            &found,
            &expected,
            |index| tolerance::sum(shape.in_features + 1, scale[index]) + error(function, z[index]),
        );
        previous = Some(found);
    }
}

/// The output from the sub-layers that the device has.
fn assert_output(path: &str, outcome: &Outcome, case: &Case, h: &[f64]) {
    let given = Given::of(outcome);
    let (shape, weight) = (case.output(), &given.parameters["spinal.output.weight"]);
    let bias = &given.parameters["spinal.output.bias"];
    let expected = linear::forward(&shape, h, weight, bias);
    let scale = linear::forward(
        &shape,
        &magnitudes(h),
        &magnitudes(weight),
        &magnitudes(bias),
    );
    outcome.assert_sums(
        &format!("{path}: y of its h"),
        &outcome.y,
        &expected,
        shape.in_features + 1,
        &scale,
    );
}

fn assert_twin(path: &str, outcome: &Outcome, case: &Case, h: &[f64]) {
    let (given, output) = (Given::of(outcome), case.output());
    assert_hidden(path, &given, case, h);
    assert_output(path, outcome, case, h);
    let expected = given.passes(
        &case.chain(ACTIVATIONS[case.activation].1),
        &output,
        Some(h),
    );
    assert_passes(path, outcome, &expected, terms(case), &scale(&given, case));
}

/// The same passes over magnitudes, where nothing cancels: every error is a share of what they give.
fn scale(given: &Given, case: &Case) -> Passes {
    given
        .scale()
        .passes(&case.chain(Activation::Identity), &case.output(), None)
}

pub fn the_fused_chain_matches_the_twin(bench: &Bench) {
    for_all(&FUSED, 2, cases(), |case| {
        for outcome in trial(bench, case, Path::Fused) {
            assert_twin("fused", &outcome, case, case.hidden(&outcome, "h"));
        }
    });
}

pub fn both_paths_match_the_twin(bench: &Bench) {
    for_all(&BOTH, 1, cases(), |case| {
        let fused = trial(bench, case, Path::Fused);
        let composed = trial(bench, case, Path::Composed);
        for (fused, composed) in fused.iter().zip(&composed) {
            let (h_fused, h_composed) = (case.hidden(fused, "h"), case.hidden(composed, "y"));
            assert_twin("fused", fused, case, h_fused);
            assert_twin("composed", composed, case, h_composed);

            let signs = |h: &[f64]| h.iter().map(|&h| h > 0.0).collect::<Vec<_>>();
            if signs(h_fused) == signs(h_composed) {
                let expected = Passes {
                    y: composed.y.clone(),
                    dx: composed.dx[0].clone(),
                    gradients: composed.gradients.clone(),
                };
                let scale = scale(&Given::of(fused), case);
                assert_passes(
                    "fused against composed",
                    fused,
                    &expected,
                    2 * terms(case),
                    &scale,
                );
            }
        }
    });
}

/// Whichever way such an adapter takes.
pub fn chains_under_tight_limits_match_the_twin(bench: &Bench) {
    for case in &FUSED[..4] {
        let class = AdapterClass::Tight;
        let case = Case { class, ..*case };
        for outcome in trial(bench, &case, Path::Fused) {
            let label = if outcome.buffers.contains_key("h") {
                "h"
            } else {
                "y"
            };
            assert_twin("tight", &outcome, &case, case.hidden(&outcome, label));
        }
    }
}

pub fn independent_sub_layers_match_the_twin(bench: &Bench) {
    for_all(&INDEPENDENT, 1, cases().prop_map(independent), |case| {
        for outcome in trial(bench, case, Path::Composed) {
            assert_twin("composed", &outcome, case, case.hidden(&outcome, "y"));
        }
    });
}

/// The chain without an output layer, by the kernels of both classes of adapters: shallow, deep and in between.
pub fn a_chain_alone_matches_the_twin(bench: &Bench) {
    let listed = [
        case([3, 6, 1, 5, 1, 0], 1, Tie::Untied, false, false),
        case([2, 7, 2, 3, 40, 0], 4, Tie::Untied, false, false),
        case([4, 9, 4, 5, 6, 0], 2, Tie::Shared, true, false),
    ];
    for case in listed
        .iter()
        .flat_map(|case| [case.clone(), on_cpu(case.clone())])
    {
        let mut parameters = Parameters::default();
        let chain = SpinalChain::new(&mut parameters, "spinal", case.options());
        let input = Input::drawn([case.batch, case.in_features], Draw::Uniform);
        let setup = Setup {
            parameters,
            twice: case.twice,
            class: case.class,
            ..Setup::without_parameters(input, Draw::Uniform)
        };
        for outcome in bench.trial(&setup, |tape, x| chain.forward(tape, x[0])) {
            let given = Given::of(&outcome);
            assert_hidden("alone", &given, &case, &outcome.y);
            let h = Some(outcome.y.as_slice());
            let expected = given.chain_passes(&case.chain(ACTIVATIONS[case.activation].1), h);
            let scale = given.scale();
            let scale = scale.chain_passes(&case.chain(Activation::Identity), None);
            assert_passes("alone", &outcome, &expected, terms(&case), &scale);
        }
    }
}

/// Dropout before every Linear, with whole numbers and p = 1/2: everything is exact.
pub fn dropout_in_the_chain_matches_the_twin(bench: &Bench) {
    let case = case([2, 5, 2, 3, 3, 2], 1, Tie::Untied, false, false);
    let options = SpinalOptions {
        dropout: 0.5,
        ..case.options()
    };
    let mut parameters = Parameters::default();
    let layer = Spinal::new(&mut parameters, "spinal", options, case.out_features);
    let setup = Setup {
        parameters,
        step: [5, 0, 9],
        ..Setup::without_parameters(
            Input::drawn([case.batch, case.in_features], Draw::Integers),
            Draw::Integers,
        )
    };
    for outcome in bench.trial(&setup, |tape, x| layer.forward(tape, x[0])) {
        let expected = passes_with_dropout(&case, &Given::of(&outcome), [5, 9]);
        assert_exact("y", &outcome.y, &expected.y);
        assert_exact("dx", &outcome.dx[0], &expected.dx);
        for (name, gradient) in &outcome.gradients {
            assert_exact(name, gradient, &expected.gradients[name]);
        }
    }
}

/// The untied chain with dropout from the twins of its parts: every layer's input is masked before its Linear.
fn passes_with_dropout(case: &Case, given: &Given, [seed, step]: [u32; 2]) -> Passes {
    let (batch, width, depth) = (
        case.batch as usize,
        case.width as usize,
        case.depth as usize,
    );
    let (in_features, split) = (
        case.in_features as usize,
        case.options().split_size() as usize,
    );
    let function = ACTIVATIONS[case.activation].1;
    let mask = |l: usize| Dropout {
        p: 0.5,
        seed,
        step,
        layer: l as u32 + 1,
    };
    let name = |l: usize, kind| {
        let layer = if l < depth {
            format!("sub_layers.{l}")
        } else {
            "output".to_owned()
        };
        format!("spinal.{layer}.{kind}")
    };
    let parameter = |l, kind| given.parameters[&name(l, kind)].as_slice();
    let shape = |l: usize| {
        if l < depth {
            case.sub_layer(l)
        } else {
            case.output()
        }
    };

    let mut inputs: Vec<Vec<f64>> = Vec::new();
    let mut hidden: Vec<Vec<f64>> = Vec::new();
    for l in 0..depth {
        let input = case.sub_layer_input(l, &given.x, hidden.last());
        let masked = dropout::forward(&mask(l), &input);
        let z = linear::forward(
            &shape(l),
            &masked,
            parameter(l, "weight"),
            parameter(l, "bias"),
        );
        hidden.push(activation::forward(function, &z));
        inputs.push(masked);
    }
    let all: Vec<f64> = (0..batch)
        .flat_map(|n| {
            hidden
                .iter()
                .flat_map(move |h| h[n * width..][..width].to_vec())
        })
        .collect();
    inputs.push(dropout::forward(&mask(depth), &all));
    let y = linear::forward(
        &shape(depth),
        &inputs[depth],
        parameter(depth, "weight"),
        parameter(depth, "bias"),
    );

    let mut gradients = BTreeMap::new();
    let mut back = |l: usize, dz: &[f64]| {
        let (dweight, dbias) = linear::backward_weight(&shape(l), &inputs[l], dz);
        gradients.insert(name(l, "weight"), dweight);
        gradients.insert(name(l, "bias"), dbias);
        dropout::backward(
            &mask(l),
            &linear::backward_input(&shape(l), parameter(l, "weight"), dz),
        )
    };
    let dall = back(depth, &given.dy);
    let mut dx = vec![0.0; given.x.len()];
    let mut dnext = vec![0.0; batch * width];
    for l in (0..depth).rev() {
        let dh: Vec<f64> = (0..batch * width)
            .map(|index| {
                dall[index / width * depth * width + l * width + index % width] + dnext[index]
            })
            .collect();
        let dinput = back(l, &activation::backward(function, &hidden[l], &dh));
        let columns = shape(l).in_features;
        for n in 0..batch {
            for j in 0..split {
                dx[n * in_features + (l * split + j) % in_features] += dinput[n * columns + j];
            }
            for k in 0..columns - split {
                dnext[n * width + k] = dinput[n * columns + split + k];
            }
        }
    }
    Passes { y, dx, gradients }
}

/// The specification's golden vectors: all parameters in order are `((7 k) mod 11 - 5) / 10` for a running `k`, and
/// `x_i = (i + 1) / 10`. With I = 5 the slices of two drift round the input.
pub fn golden_vectors_come_out(bench: &Bench) {
    let golden = [(4, [-0.05805, -0.679_782]), (5, [-0.1152, -0.6935])];
    let classes = [AdapterClass::Gpu, AdapterClass::Cpu];
    for (in_features, expected) in golden {
        for (class, path) in classes.into_iter().zip([Path::Fused, Path::Composed]) {
            let mut parameters = Parameters::default();
            let options = SpinalOptions::halves(in_features, 3, 4);
            let layer = Spinal::new(&mut parameters, "spinal", options, 2).with_path(path);
            let mut filled = Values::zeros(&parameters);
            let mut numbers = (0..).map(|k| ((7 * k) % 11 - 5) as f32 / 10.0);
            for spec in parameters.specs() {
                let values: Vec<f32> = numbers.by_ref().take(spec.elements()).collect();
                filled.set(spec, &values);
            }
            assert_eq!(parameters.count(), 89);
            let mut tape = Tape::new("golden", &parameters, Mode::Evaluate).with_kernels(class);
            let x = tape.tensor("x", [1, in_features]);
            let y = layer.forward(&mut tape, x);
            let inputs: Vec<f32> = (1..=in_features).map(|i| i as f32 / 10.0).collect();
            for open in bench.open(&tape.finish()) {
                open.write_named("parameters", &filled.parameters);
                open.write(x, &inputs);
                open.run();
                // Four sub-layers of at most 5 products and an output of 12, of numbers below 1.
                let tolerance = tolerance::sum(4 * 5 + 12, 1.0);
                let found = doubles(&open.read(y));
                assert_within("y", &found, &expected, |_| tolerance);
            }
        }
    }
}
