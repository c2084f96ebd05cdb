//! Trials: one layer, forward and backward, on given inputs with random parameters and a random upstream gradient.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::resume_unwind;
use std::thread;

use spinalnet::gpu::Checks;
use spinalnet::layers::Add;
use spinalnet::plan::{
    CandidateInfo, Kernels, Mode, Operation, ParameterSpec, Parameters, Plan, Role, Shape, Tape,
    Tensor, Values,
};

use super::{AdapterClass, Draw, OpenPlan, Random, device, doubles, modes, tolerance};

/// Where tests of operations run: on the device, or only on paper to learn which entry points they reach.
pub struct Bench {
    on_device: bool,
    entry_points: RefCell<BTreeSet<String>>,
}

/// An input of the layer under trial.
pub struct Input {
    /// Its shape.
    pub shape: Shape,
    /// Its values.
    pub values: Vec<f32>,
    /// Whether no gradient flows into it, as into a batch of data.
    pub constant: bool,
}

impl Input {
    /// An input with a gradient.
    pub fn new(shape: impl Into<Shape>, values: Vec<f32>) -> Self {
        let shape = shape.into();
        assert_eq!(values.len(), shape.elements() as usize);
        Self {
            shape,
            values,
            constant: false,
        }
    }

    /// An input with a gradient and random values.
    pub fn drawn(shape: impl Into<Shape>, draw: Draw) -> Self {
        let shape = shape.into();
        Self::new(shape, Random(1).values(draw, shape.elements() as usize))
    }
}

/// What a trial starts from.
pub struct Setup {
    /// The parameters that the layer added; their values are drawn.
    pub parameters: Parameters,
    /// The inputs of the layer.
    pub inputs: Vec<Input>,
    /// How parameters and the upstream gradient are drawn.
    pub draw: Draw,
    /// Record the layer twice on the same inputs and add the outputs, so that every gradient has two contributions. What
    /// the outcome holds is halved again, and so equal to that of a single one.
    pub twice: bool,
    /// The state of training: seed, steps in the epoch, steps in the training.
    pub step: [u32; 3],
    /// The class of adapter whose kernels are recorded; they run on any.
    pub class: AdapterClass,
    /// Which candidate of every operation is recorded; the last one, the reference, where there are fewer.
    pub candidate: usize,
}

impl Setup {
    /// A layer without parameters on one input.
    pub fn without_parameters(input: Input, draw: Draw) -> Self {
        Self {
            parameters: Parameters::default(),
            inputs: vec![input],
            draw,
            twice: false,
            step: [0; 3],
            class: AdapterClass::Gpu,
            candidate: 0,
        }
    }
}

/// Everything that went into a trial and came out.
pub struct Outcome {
    /// Values of the parameters by name, in PyTorch's order; and what running statistics were before.
    pub parameters: BTreeMap<String, Vec<f64>>,
    /// Running statistics by name, as they are after.
    pub statistics: BTreeMap<String, Vec<f64>>,
    /// The inputs.
    pub x: Vec<Vec<f64>>,
    /// The upstream gradient.
    pub dy: Vec<f64>,
    /// The output.
    pub y: Vec<f64>,
    /// The gradient of each input; empty for a constant one.
    pub dx: Vec<Vec<f64>>,
    /// The gradient of each parameter by name, in PyTorch's order.
    pub gradients: BTreeMap<String, Vec<f64>>,
    /// Every buffer by its name, as the device left it.
    pub buffers: BTreeMap<String, Vec<f64>>,
    operations: Vec<Operation>,
    contributions: usize,
    exact: bool,
}

impl Outcome {
    /// The candidate by which the operation of this name was recorded.
    pub fn candidate(&self, operation: &str) -> &CandidateInfo {
        let prefix = format!("{operation} ");
        let mut operations = self.operations.iter();
        let found = operations.find(|operation| operation.key.starts_with(&prefix));
        let found = found.expect("it was recorded");
        &found.candidates[found.chosen]
    }

    /// Asserts that `got` is as expected but for the roundings of sums of `terms` products whose magnitudes, coefficients
    /// included, add up to `scale`. Integers need not be exact.
    pub fn assert_close(
        &self,
        what: &str,
        got: &[f64],
        expected: &[f64],
        terms: usize,
        scale: &[f64],
    ) {
        tolerance::assert_within(what, got, expected, |index| {
            tolerance::sum(self.contributions * terms, scale[index])
        });
    }

    /// Asserts that `got` are sums of `terms` products as expected, where `scale` are the sums of the magnitudes; exactly so
    /// if the trial computed with integers.
    pub fn assert_sums(
        &self,
        what: &str,
        got: &[f64],
        expected: &[f64],
        terms: usize,
        scale: &[f64],
    ) {
        assert_eq!(scale.len(), expected.len(), "{what}: the number of scales");
        tolerance::assert_within(what, got, expected, |index| {
            if self.exact {
                0.0
            } else {
                tolerance::sum(self.contributions * terms, scale[index])
            }
        });
    }
}

struct Recording {
    plan: Plan,
    inputs: Vec<Tensor>,
    y: Tensor,
    dy: Tensor,
    dx: Vec<Option<Tensor>>,
}

impl Bench {
    /// Trials run on the adapter, in the [modes] of checks.
    pub fn on_device() -> Self {
        Self {
            on_device: true,
            entry_points: RefCell::default(),
        }
    }

    /// Trials are recorded and have no outcome.
    pub fn on_paper() -> Self {
        Self {
            on_device: false,
            ..Self::on_device()
        }
    }

    /// `SHADER.ENTRY` of every dispatch so far.
    pub fn entry_points(self) -> BTreeSet<String> {
        self.entry_points.into_inner()
    }

    /// Whether the adapter runs the kernels of a class: those for CPU adapters need 64-bit integers and subgroups of at
    /// least 8.
    pub fn runs(&self, class: AdapterClass) -> bool {
        if !self.on_device || class != AdapterClass::Cpu {
            return true;
        }
        let adapter = device(Checks::Trusted).adapter();
        let has = |feature| adapter.features.contains(&feature);
        has("subgroups") && has("int64") && adapter.subgroup_size[0] >= 8
    }

    /// The plan on a device of each of the [modes] of checks.
    pub fn open(&self, plan: &Plan) -> Vec<OpenPlan> {
        let names = plan
            .dispatches
            .iter()
            .map(|dispatch| format!("{}.{}", dispatch.shader.name(), dispatch.entry));
        self.entry_points.borrow_mut().extend(names);
        let modes = if self.on_device { modes() } else { &[] };
        modes
            .iter()
            .map(|&checks| OpenPlan::new(checks, plan))
            .collect()
    }

    /// Runs a layer and the way back, twice with the same bits, in the [modes] of checks: an outcome for each.
    pub fn trial(
        &self,
        setup: &Setup,
        layer: impl Fn(&mut Tape, &[Tensor]) -> Tensor,
    ) -> Vec<Outcome> {
        let recording = record(setup, layer);
        if !self.runs(setup.class) {
            return Vec::new();
        }
        let opened = self.open(&recording.plan);
        // The devices compile and run beside each other.
        thread::scope(|scope| {
            let recording = &recording;
            let run = |open| scope.spawn(move || run_twice(setup, recording, open));
            let running: Vec<_> = opened.iter().map(run).collect();
            let outcomes = running.into_iter().map(|thread| thread.join());
            outcomes
                .map(|outcome| outcome.unwrap_or_else(|panic| resume_unwind(panic)))
                .collect()
        })
    }
}

fn run_twice(setup: &Setup, recording: &Recording, open: &OpenPlan) -> Outcome {
    let first = run(setup, recording, open);
    open.poison();
    let second = run(setup, recording, open);
    assert!(
        bits(&first) == bits(&second),
        "a second run gives other bits"
    );
    first
}

fn record(setup: &Setup, layer: impl Fn(&mut Tape, &[Tensor]) -> Tensor) -> Recording {
    let first = record_with(setup, &layer, setup.class.into());
    if setup.candidate == 0 {
        return first;
    }
    let winners = first.plan.operations.iter().map(|operation| {
        let place = setup.candidate.min(operation.candidates.len() - 1);
        (
            operation.key.clone(),
            operation.candidates[place].name.clone(),
        )
    });
    let kernels = Kernels::from(setup.class).measured(winners.collect());
    record_with(setup, &layer, kernels)
}

fn record_with(
    setup: &Setup,
    layer: &impl Fn(&mut Tape, &[Tensor]) -> Tensor,
    kernels: Kernels,
) -> Recording {
    let mut tape = Tape::new("trial", &setup.parameters, Mode::Train).with_kernels(kernels);
    let inputs: Vec<Tensor> = setup
        .inputs
        .iter()
        .map(|input| {
            if input.constant {
                tape.input("x", input.shape)
            } else {
                tape.tensor("x", input.shape)
            }
        })
        .collect();
    let mut y = layer(&mut tape, &inputs);
    if setup.twice {
        let again = layer(&mut tape, &inputs);
        y = Add.forward(&mut tape, y, again);
    }
    let mut dy = None;
    tape.backward_from(y, |_, gradient| dy = Some(gradient));
    let dx = setup.inputs.iter().zip(&inputs).map(|(input, &x)| {
        // Every input has got its gradient by now: this names it.
        (!input.constant).then(|| tape.gradient(x))
    });
    let dx = dx.collect();
    Recording {
        plan: tape.finish(),
        inputs,
        y,
        dy: dy.expect("backward_from gives it"),
        dx,
    }
}

fn run(setup: &Setup, recording: &Recording, open: &OpenPlan) -> Outcome {
    let mut random = Random(2);
    let mut values = Values::zeros(&setup.parameters);
    let mut parameters = BTreeMap::new();
    for spec in setup.parameters.specs() {
        let drawn = random.parameter(setup.draw, spec);
        values.set(spec, &drawn);
        parameters.insert(spec.name.clone(), doubles(&drawn));
    }
    open.write_named("parameters", &values.parameters);
    if !values.statistics.is_empty() {
        open.write_named("statistics", &values.statistics);
    }
    for (input, &x) in setup.inputs.iter().zip(&recording.inputs) {
        open.write(x, &input.values);
    }
    let dy = random.values(setup.draw, recording.dy.elements() as usize);
    open.write(recording.dy, &dy);
    if open.labels().any(|label| label == "train.step") {
        let [seed, in_epoch, in_training] = setup.step;
        open.write_named("train.step", &[seed, in_epoch, in_training, 0]);
    }

    open.run();

    let share = if setup.twice { 0.5 } else { 1.0 };
    let read = |tensor: Tensor| -> Vec<f64> {
        open.read::<f32>(tensor)
            .iter()
            .map(|&value| share * f64::from(value))
            .collect()
    };
    let of_role = |role| {
        let specs = setup.parameters.specs().iter();
        specs.filter(move |spec: &&ParameterSpec| spec.role == role)
    };
    let mut gradients = BTreeMap::new();
    if of_role(Role::Learnable).next().is_some() {
        let flat: Vec<f32> = open.read_named("gradients");
        assert_padding_untouched(of_role(Role::Learnable), &flat, OpenPlan::is_poison);
        for spec in of_role(Role::Learnable) {
            let whole = spec.unpack(&flat);
            let halved = whole.iter().map(|&value| share * f64::from(value));
            gradients.insert(spec.name.clone(), halved.collect());
        }
    }
    let mut statistics = BTreeMap::new();
    if of_role(Role::Statistic).next().is_some() {
        let flat: Vec<f32> = open.read_named("statistics");
        assert_padding_untouched(of_role(Role::Statistic), &flat, |value| value == 0.0);
        for spec in of_role(Role::Statistic) {
            statistics.insert(spec.name.clone(), doubles(&spec.unpack(&flat)));
        }
    }
    Outcome {
        parameters,
        statistics,
        x: setup
            .inputs
            .iter()
            .map(|input| doubles(&input.values))
            .collect(),
        dy: doubles(&dy),
        y: read(recording.y),
        dx: recording
            .dx
            .iter()
            .map(|dx| dx.map_or(Vec::new(), &read))
            .collect(),
        gradients,
        buffers: open
            .labels()
            .map(|label| (label.to_owned(), doubles(&open.read_named::<f32>(label))))
            .collect(),
        operations: recording.plan.operations.clone(),
        contributions: if setup.twice { 2 } else { 1 },
        exact: setup.draw == Draw::Integers,
    }
}

/// Between the places of parameters in their flat buffer nothing may be written: that is where a kernel that runs past
/// the end of its binding would land.
fn assert_padding_untouched<'a>(
    specs: impl Iterator<Item = &'a ParameterSpec> + Clone,
    flat: &[f32],
    untouched: impl Fn(f32) -> bool,
) {
    let owned = |index: usize| {
        specs.clone().any(|spec| {
            let start = spec.offset as usize;
            (start..start + spec.device_elements as usize).contains(&index)
        })
    };
    for (index, &value) in flat.iter().enumerate() {
        assert!(
            owned(index) || untouched(value),
            "element {index}, which no parameter owns, was written"
        );
    }
}

fn bits(outcome: &Outcome) -> Vec<(&String, Vec<u64>)> {
    let of = |values: &Vec<f64>| values.iter().map(|value| value.to_bits()).collect();
    outcome
        .buffers
        .iter()
        .map(|(label, values)| (label, of(values)))
        .collect()
}
