//! The tape: layers write their dispatches on it, forward first, then each layer's backward in reverse order.

use std::collections::HashMap;

use super::bind::{bind, check_constants, constants};
use super::grid::{Grid, covering};
use super::kernel::Kernel;
use super::kernels::Kernels;
use super::limits::{Excess, Limits};
use super::parameters::{Parameter, Parameters, Role};
use super::tensor::{BufferId, Shape, Tensor};
use super::{BufferSpec, Cost, Dispatch, Lifetime, Plan};

const PARAMETERS: BufferId = BufferId(0);

/// The buffer of running statistics, where the model has any.
const STATISTICS: BufferId = BufferId(1);

/// What a plan is recorded for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// Forward with dropout, backward and update.
    Train,
    /// Forward only, as the trained net is used.
    Evaluate,
}

impl Mode {
    /// The prefix of the shared buffers that belong to this mode: `train` or `test`.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Evaluate => "test",
        }
    }
}

/// The gradient of a tensor as the next contribution must write it.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Where the gradient lies.
    pub tensor: Tensor,
    /// Add to what is there (an earlier consumer wrote it) instead of overwriting.
    pub accumulate: bool,
}

impl Target {
    /// The same target for the dispatch that covers rows from `start` on: only the first may overwrite.
    pub fn or_after(self, start: u32) -> Self {
        Self {
            accumulate: self.accumulate || start > 0,
            ..self
        }
    }

    /// The override `ACCUMULATE` of a backward entry point.
    pub fn constant(&self) -> (&'static str, f64) {
        ("ACCUMULATE", f64::from(u8::from(self.accumulate)))
    }
}

/// What a layer records when the backward pass reaches it.
struct Backward {
    /// What the layer produced.
    y: Tensor,
    /// The layer's name.
    scope: Vec<String>,
    /// The operations that it is a part of.
    open: Vec<Open>,
    record: Box<dyn FnOnce(&mut Tape)>,
}

/// Records one plan.
pub struct Tape {
    parameters: Parameters,
    mode: Mode,
    kernels: Kernels,
    pub(super) plan: Plan,
    scope: Vec<String>,
    backward: Vec<Backward>,
    gradients: HashMap<BufferId, BufferId>,
    constant_inputs: Vec<BufferId>,
    written: Vec<Tensor>,
    random_streams: u32,
    /// Whether gradients of parameters are added to what is there.
    accumulates: bool,
    /// Whether layers are recorded as they evaluate, whatever the mode.
    frozen: bool,
    /// The operations that are being recorded, each within the one before.
    pub(super) open: Vec<Open>,
}

/// An operation that is being recorded, on its way there or back.
#[derive(Clone, Copy)]
pub(super) struct Open {
    /// Its number in the plan.
    pub(super) operation: usize,
    /// Buffers that there were before it: what it makes itself is none of its results.
    pub(super) buffers: usize,
}

/// How much of everything there is on a tape.
pub(super) struct Mark {
    buffers: usize,
    dispatches: usize,
    operations: usize,
    backward: usize,
    constant_inputs: usize,
    written: usize,
    random_streams: u32,
    excess: Option<Excess>,
    open: Vec<Open>,
}

impl Tape {
    /// An empty tape over a model's parameters.
    pub fn new(name: impl Into<String>, parameters: &Parameters, mode: Mode) -> Self {
        let plan = Plan {
            name: name.into(),
            buffers: Vec::new(),
            dispatches: Vec::new(),
            operations: Vec::new(),
            excess: None,
        };
        let mut tape = Self {
            parameters: parameters.clone(),
            mode,
            kernels: Kernels::default(),
            plan,
            scope: Vec::new(),
            backward: Vec::new(),
            gradients: HashMap::new(),
            constant_inputs: Vec::new(),
            written: Vec::new(),
            random_streams: 0,
            accumulates: false,
            frozen: false,
            open: Vec::new(),
        };
        tape.state("parameters", [parameters.device_elements()]);
        if parameters.statistics_elements() > 0 {
            tape.state("statistics", [parameters.statistics_elements()]);
        }
        tape
    }

    /// The same tape for another adapter, or another choice of kernels.
    pub fn with_kernels(self, kernels: impl Into<Kernels>) -> Self {
        let kernels = kernels.into();
        Self { kernels, ..self }
    }

    /// The same tape for a micro-batch: gradients of parameters are added to those of the step's other micro-batches.
    pub fn accumulating(self) -> Self {
        Self {
            accumulates: true,
            ..self
        }
    }

    /// What the adapter takes that will run the plan.
    pub fn limits(&self) -> &Limits {
        self.kernels.limits()
    }

    /// Which kernels are recorded.
    pub fn kernels(&self) -> &Kernels {
        &self.kernels
    }

    /// What layers are recorded for.
    pub fn mode(&self) -> Mode {
        if self.frozen {
            return Mode::Evaluate;
        }
        self.mode
    }

    /// Records layers that are not trained: as they evaluate, and without a way back.
    pub fn frozen(&mut self, body: impl FnOnce(&mut Self) -> Tensor) -> Tensor {
        let outer = std::mem::replace(&mut self.frozen, true);
        let y = body(self);
        self.frozen = outer;
        self.constant_inputs.push(y.buffer);
        y
    }

    /// Records `body` under a layer name, which labels its dispatches and buffers.
    pub fn scope<T>(&mut self, name: &str, body: impl FnOnce(&mut Self) -> T) -> T {
        self.scope.push(name.to_owned());
        let result = body(self);
        self.scope.pop();
        result
    }

    /// The tensor of a parameter or running statistic, in its device layout.
    pub fn parameter(&self, parameter: Parameter) -> Tensor {
        let (offset, shape) = self.parameters.range(parameter);
        let buffer = match self.parameters.spec(parameter).role {
            Role::Learnable => PARAMETERS,
            Role::Statistic => STATISTICS,
        };
        Tensor {
            buffer,
            offset,
            shape,
        }
    }

    /// The parameters of the model.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// The range from the start of `first` to the end of `last`: parameters that were added one after another.
    pub fn parameter_range(&self, first: Parameter, last: Parameter) -> Tensor {
        let (first, last) = (self.parameter(first), self.parameter(last));
        let elements = last.offset + last.elements() - first.offset;
        Tensor {
            shape: Shape::from([elements]),
            ..first
        }
    }

    /// A new activation or scratch tensor.
    pub fn tensor(&mut self, name: &str, shape: impl Into<Shape>) -> Tensor {
        let label = self.label(name);
        self.add_buffer(label, shape.into(), Lifetime::Plan)
    }

    /// A new tensor that no gradient flows into: a batch of data.
    pub fn input(&mut self, name: &str, shape: impl Into<Shape>) -> Tensor {
        let tensor = self.tensor(name, shape);
        self.constant_inputs.push(tensor.buffer);
        tensor
    }

    /// The buffer that all plans of a net keep under this name from step to step. Asking twice gives the same buffer.
    pub fn state(&mut self, label: &str, shape: impl Into<Shape>) -> Tensor {
        self.named(label, shape.into(), Lifetime::Net)
    }

    /// The buffer that all nets on one data set share under this name. Asking twice gives the same buffer.
    pub fn data(&mut self, label: &str, shape: impl Into<Shape>) -> Tensor {
        self.named(label, shape.into(), Lifetime::Data)
    }

    /// Keeps `tensor` under a name, so that it can be read when the plan has run.
    pub fn export(&mut self, tensor: Tensor, label: &str) {
        let spec = &mut self.plan.buffers[tensor.buffer.0 as usize];
        spec.label = label.to_owned();
        spec.lifetime = Lifetime::Data;
    }

    /// The state of the running step, `Step` in `shaders/lib/step.wgsl`.
    pub fn step(&mut self) -> Tensor {
        let label = format!("{}.step", self.mode.prefix());
        self.data(&label, [4])
    }

    /// A number no other random layer of the model has, in forward order, so that masks are independent.
    pub fn random_stream(&mut self) -> u32 {
        self.random_streams += 1;
        self.random_streams
    }

    /// Runs `record` when the backward pass reaches the producer of `y`, if any gradient reached `y`.
    pub fn on_backward(&mut self, y: Tensor, record: impl FnOnce(&mut Tape) + 'static) {
        if self.mode() == Mode::Train {
            self.backward.push(Backward {
                y,
                scope: self.scope.clone(),
                open: self.open.clone(),
                record: Box::new(record),
            });
        }
    }

    /// The gradient of `y`, complete: for the backward of the layer that produced `y`.
    pub fn gradient(&mut self, y: Tensor) -> Tensor {
        let gradient = self.gradient_range(y);
        let known = self.written.contains(&flat(gradient));
        assert!(
            known,
            "{}: no gradient has reached {:?}",
            self.scope.join("."),
            y.shape
        );
        gradient
    }

    /// Where the next contribution to the gradient of `x` goes, or `None` if `x` is data or a constant.
    ///
    /// The caller must write every element of it.
    pub fn gradient_of(&mut self, x: Tensor) -> Option<Target> {
        if x.buffer != PARAMETERS && self.constant_inputs.contains(&x.buffer) {
            return None;
        }
        let tensor = self.gradient_range(x);
        let accumulate =
            self.written.contains(&flat(tensor)) || self.accumulates && x.buffer == PARAMETERS;
        if !accumulate {
            let overlap = self.written.iter().any(|other| overlaps(*other, tensor));
            assert!(
                !overlap,
                "{}: gradient ranges overlap in part",
                self.scope.join(".")
            );
            self.written.push(flat(tensor));
        }
        self.note_result(x, tensor);
        Some(Target { tensor, accumulate })
    }

    /// Counts the gradient of `x` among the results of every operation that `x` comes into from outside.
    fn note_result(&mut self, x: Tensor, gradient: Tensor) {
        for &Open { operation, buffers } in &self.open {
            let outputs = &mut self.plan.operations[operation].outputs;
            if (x.buffer.0 as usize) < buffers && !outputs.contains(&gradient) {
                outputs.push(gradient);
            }
        }
    }

    /// Like [`gradient_of`](Self::gradient_of) for a caller that adds to a part only: the rest is cleared first.
    pub fn gradient_of_part(&mut self, x: Tensor) -> Option<Tensor> {
        let target = self.gradient_of(x)?;
        if !target.accumulate {
            super::fill::fill(self, target.tensor, 0.0);
        }
        Some(target.tensor)
    }

    /// Sets the gradients of all parameters to zero, for the micro-batches of the next step.
    pub fn clear_gradients(&mut self) {
        let gradients = self.state("gradients", [self.parameters.device_elements()]);
        super::fill::fill(self, gradients, 0.0);
    }

    /// The gradient of a parameter: where its only or next contribution goes.
    pub fn gradient_of_parameter(&mut self, parameter: Parameter) -> Target {
        let tensor = self.parameter(parameter);
        self.gradient_of(tensor)
            .expect("parameters always have gradients")
    }

    /// Marks the loss gradient `dy` of `y` as written by the loss itself, and records the backward of every layer.
    pub fn backward_from(&mut self, y: Tensor, write: impl FnOnce(&mut Tape, Tensor)) {
        let target = self.gradient_of(y).expect("the loss depends on parameters");
        write(self, target.tensor);
        self.run_backward(0);
    }

    /// Records the backward of every layer but the first `count` that asked for one, the last one first.
    fn run_backward(&mut self, count: usize) {
        while self.backward.len() > count {
            let backward = self.backward.pop().expect("there are more than count");
            let gradient = self.gradient_range(backward.y);
            if self.written.contains(&flat(gradient)) {
                let scope = std::mem::replace(&mut self.scope, backward.scope);
                let open = std::mem::replace(&mut self.open, backward.open.clone());
                let first = self.plan.dispatches.len();
                (backward.record)(self);
                self.scope = scope;
                self.open = open;
                for Open { operation, .. } in backward.open {
                    let dispatches = first..self.plan.dispatches.len();
                    let operation = &mut self.plan.operations[operation];
                    operation.dispatches.push(dispatches);
                    operation.upstream.get_or_insert(gradient);
                }
            }
        }
    }

    /// Whether everything that `record` records keeps the adapter's limits, and with it, where `record` returns what a layer
    /// makes, its way back. Nothing of it stays on the tape.
    pub(super) fn keeps_limits(
        &mut self,
        record: impl FnOnce(&mut Self) -> Option<Tensor>,
    ) -> bool {
        let mark = self.mark();
        let y = record(self);
        if let Some(y) = y.filter(|_| self.backward.len() > mark.backward) {
            self.gradient_of(y)
                .expect("a layer's output has a gradient");
            self.run_backward(mark.backward);
        }
        let keeps = self.plan.excess.is_none();
        self.rewind(mark);
        keeps
    }

    fn mark(&mut self) -> Mark {
        Mark {
            buffers: self.plan.buffers.len(),
            dispatches: self.plan.dispatches.len(),
            operations: self.plan.operations.len(),
            backward: self.backward.len(),
            constant_inputs: self.constant_inputs.len(),
            written: self.written.len(),
            random_streams: self.random_streams,
            excess: self.plan.excess.take(),
            open: std::mem::take(&mut self.open),
        }
    }

    fn rewind(&mut self, mark: Mark) {
        self.plan.buffers.truncate(mark.buffers);
        self.plan.dispatches.truncate(mark.dispatches);
        self.plan.operations.truncate(mark.operations);
        self.backward.truncate(mark.backward);
        self.constant_inputs.truncate(mark.constant_inputs);
        self.written.truncate(mark.written);
        self.gradients
            .retain(|_, gradient| (gradient.0 as usize) < mark.buffers);
        self.random_streams = mark.random_streams;
        self.plan.excess = mark.excess;
        self.open = mark.open;
    }

    /// Records one dispatch. Panics, naming layer, shader, entry point and binding, if anything does not fit; a limit of the
    /// adapter that it does not keep is noted in the plan, which then no device runs.
    pub fn dispatch(&mut self, kernel: Kernel) {
        let layer = self.scope.join(".");
        let place = format!("{layer}: {}.{}", kernel.shader.name(), kernel.entry);
        let entry = kernel.shader.entry_point(kernel.entry);
        check_constants(&place, &kernel, entry);
        let bindings = bind(&place, &kernel, entry);
        let asked = covering(kernel.extent, entry);
        assert!(
            !asked.contains(&0),
            "{place}: extent {:?} needs a grid of {asked:?} workgroups",
            kernel.extent
        );
        let grid = Grid::new(asked, self.limits().grid, entry.unfolding);
        let bytes = bindings.iter().map(|binding| binding.tensor.bytes()).sum();
        let dispatch = Dispatch {
            layer,
            shader: kernel.shader,
            entry: kernel.entry,
            constants: constants(&kernel, entry, grid),
            bindings,
            grid: grid.map_or(asked, |grid| grid.dispatched),
            cost: Cost {
                multiplications: kernel.multiplications,
                bytes,
            },
        };
        if self.plan.excess.is_none() {
            self.plan.excess = self.limits().excess_of(&dispatch);
        }
        self.plan.dispatches.push(dispatch);
    }

    /// The finished plan.
    pub fn finish(mut self) -> Plan {
        for binding in self
            .plan
            .dispatches
            .iter()
            .flat_map(|dispatch| &dispatch.bindings)
        {
            let spec = &mut self.plan.buffers[binding.tensor.buffer.0 as usize];
            spec.bytes = spec.bytes.max(binding.offset_bytes() + binding.bytes);
        }
        self.plan
    }

    fn named(&mut self, label: &str, shape: Shape, lifetime: Lifetime) -> Tensor {
        if let Some(tensor) = self.plan.tensor(label) {
            return tensor.reshape(shape);
        }
        let tensor = self.add_buffer(label.to_owned(), shape, lifetime);
        self.constant_inputs.push(tensor.buffer);
        tensor
    }

    fn label(&self, name: &str) -> String {
        let mut parts = self.scope.clone();
        parts.push(name.to_owned());
        parts.join(".")
    }

    fn add_buffer(&mut self, label: String, shape: Shape, lifetime: Lifetime) -> Tensor {
        let buffer = BufferId(self.plan.buffers.len() as u32);
        let elements = shape.elements();
        let bytes = u64::from(elements) * 4;
        self.plan.buffers.push(BufferSpec {
            label,
            elements,
            bytes,
            lifetime,
        });
        Tensor {
            buffer,
            offset: 0,
            shape,
        }
    }

    /// The gradient that lies in the twin buffer at the same place as `x` does in its own.
    fn gradient_range(&mut self, x: Tensor) -> Tensor {
        let twin = match self.gradients.get(&x.buffer) {
            Some(&twin) => twin,
            None => {
                let twin = self.add_gradient_buffer(x.buffer);
                self.gradients.insert(x.buffer, twin);
                twin
            }
        };
        Tensor { buffer: twin, ..x }
    }

    fn add_gradient_buffer(&mut self, buffer: BufferId) -> BufferId {
        if buffer == PARAMETERS {
            return self
                .state("gradients", [self.parameters.device_elements()])
                .buffer;
        }
        let spec = &self.plan.buffers[buffer.0 as usize];
        let (label, shape) = (format!("d({})", spec.label), Shape::from([spec.elements]));
        self.add_buffer(label, shape, Lifetime::Plan).buffer
    }
}

/// The same range as one dimension, so that reshaped handles compare equal.
fn flat(tensor: Tensor) -> Tensor {
    tensor.reshape([tensor.elements()])
}

fn overlaps(a: Tensor, b: Tensor) -> bool {
    let ends_after =
        |first: Tensor, second: Tensor| first.offset + first.elements() > second.offset;
    a.buffer == b.buffer && ends_after(a, b) && ends_after(b, a)
}
