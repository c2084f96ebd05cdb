//! The tape: layers write their dispatches on it, forward first, then each layer's backward in reverse order.

use std::collections::HashMap;

use super::choice::{self, Candidate, CandidateInfo, Kernels, Operation};
use super::parameters::{ALIGNMENT, Parameter, Parameters, Role};
use super::shader::{Access, BindingSlot, EntryPoint, Shader};
use super::tensor::{BufferId, Shape, Tensor};
use super::{Binding, BufferSpec, Cost, Dispatch, Lifetime, Plan};

/// Workgroups along one dimension that every adapter takes.
const MAX_GRID: u32 = 65_535;

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

/// What kind of processor runs the plan: the kernel that is best on one can be the worst on the other.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum AdapterClass {
    /// A graphics processor.
    #[default]
    Gpu,
    /// A driver that runs shaders on the CPU.
    Cpu,
}

impl AdapterClass {
    /// Iterations that all loops of one invocation together may take.
    ///
    /// Mesa's llvmpipe ends an invocation after 65,535 (`LP_MAX_TGSI_LOOP_ITERATIONS`), and says nothing.
    pub fn loop_iterations(self) -> u64 {
        match self {
            Self::Gpu => u64::MAX,
            Self::Cpu => 60_000,
        }
    }
}

/// A dispatch as a layer asks for it: names instead of numbers, an extent instead of a grid.
pub struct Kernel<'a> {
    /// The WGSL file.
    pub shader: &'static Shader,
    /// The entry point.
    pub entry: &'static str,
    /// Values of the overrides; those the entry point does not use are ignored, those the file does not have are refused.
    pub constants: &'a [(&'static str, f64)],
    /// The tensors by the names of the WGSL variables.
    pub bindings: &'a [(&'static str, Tensor)],
    /// The range of indices to cover along x (neighbouring invocations), y and z.
    pub extent: [u32; 3],
    /// Multiplications of the mathematics.
    pub multiplications: u64,
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

type Backward = Box<dyn FnOnce(&mut Tape)>;

/// Records one plan.
pub struct Tape {
    parameters: Parameters,
    mode: Mode,
    kernels: Kernels,
    plan: Plan,
    scope: Vec<String>,
    backward: Vec<(Tensor, Vec<String>, Backward)>,
    gradients: HashMap<BufferId, BufferId>,
    constant_inputs: Vec<BufferId>,
    written: Vec<Tensor>,
    random_streams: u32,
}

impl Tape {
    /// An empty tape over a model's parameters.
    pub fn new(name: impl Into<String>, parameters: &Parameters, mode: Mode) -> Self {
        let plan = Plan {
            name: name.into(),
            buffers: Vec::new(),
            dispatches: Vec::new(),
            operations: Vec::new(),
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
        };
        tape.state("parameters", [parameters.device_elements()]);
        if parameters.statistics_elements() > 0 {
            tape.state("statistics", [parameters.statistics_elements()]);
        }
        tape
    }

    /// The same tape for a class of adapter, or another choice of kernels.
    pub fn with_kernels(self, kernels: impl Into<Kernels>) -> Self {
        let kernels = kernels.into();
        Self { kernels, ..self }
    }

    /// The class of adapter that will run the plan.
    pub fn class(&self) -> AdapterClass {
        self.kernels.class()
    }

    /// Which kernels are recorded.
    pub fn kernels(&self) -> &Kernels {
        &self.kernels
    }

    /// What the plan is recorded for.
    pub fn mode(&self) -> Mode {
        self.mode
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
        if self.mode == Mode::Train {
            self.backward
                .push((y, self.scope.clone(), Box::new(record)));
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
        let accumulate = self.written.contains(&flat(tensor));
        if !accumulate {
            let overlap = self.written.iter().any(|other| overlaps(*other, tensor));
            assert!(
                !overlap,
                "{}: gradient ranges overlap in part",
                self.scope.join(".")
            );
            self.written.push(flat(tensor));
        }
        Some(Target { tensor, accumulate })
    }

    /// Like [`gradient_of`](Self::gradient_of) for a caller that adds to a part only: the rest is cleared first.
    pub fn gradient_of_part(&mut self, x: Tensor) -> Option<Tensor> {
        let target = self.gradient_of(x)?;
        if !target.accumulate {
            super::fill::fill(self, target.tensor, 0.0);
        }
        Some(target.tensor)
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
        while let Some((y, scope, record)) = self.backward.pop() {
            let gradient = self.gradient_range(y);
            if self.written.contains(&flat(gradient)) {
                let outer = std::mem::replace(&mut self.scope, scope);
                record(self);
                self.scope = outer;
            }
        }
    }

    /// Records one dispatch. Panics, naming layer, shader, entry point and binding, if anything does not fit.
    pub fn dispatch(&mut self, kernel: Kernel) {
        let layer = self.scope.join(".");
        let place = format!("{layer}: {}.{}", kernel.shader.name(), kernel.entry);
        let entry = kernel.shader.entry_point(kernel.entry);
        check_constants(&place, &kernel, entry);
        let bindings = bind(&place, &kernel, entry);
        for binding in &bindings {
            let aligned = binding.tensor.offset.is_multiple_of(ALIGNMENT);
            assert!(
                aligned,
                "{place}: `{}` does not start at a multiple of 256 bytes",
                binding.name
            );
            let spec = &mut self.plan.buffers[binding.tensor.buffer.0 as usize];
            spec.bytes = spec.bytes.max(binding.offset_bytes() + binding.bytes);
        }
        let bytes = bindings
            .iter()
            .map(|binding| u64::from(binding.tensor.elements()) * 4)
            .sum();
        self.plan.dispatches.push(Dispatch {
            layer,
            shader: kernel.shader,
            entry: kernel.entry,
            constants: kernel.constants.to_vec(),
            bindings,
            grid: grid(&place, kernel.extent, entry),
            cost: Cost {
                multiplications: kernel.multiplications,
                bytes,
            },
        });
    }

    /// Records an operation that computes `outputs` by one of several kernels: `name` and `shape` say what it is,
    /// `candidates` what fits, the usually fastest first and the reference last.
    pub fn operation<K: Candidate>(
        &mut self,
        name: &str,
        shape: impl std::fmt::Display,
        candidates: &[K],
        outputs: &[Tensor],
        record: impl FnOnce(&mut Self, K),
    ) {
        let key = choice::key(name, &shape, candidates);
        let names: Vec<String> = candidates.iter().map(Candidate::name).collect();
        let chosen = self.kernels.choose(&key, &names);
        let first = self.plan.dispatches.len();
        record(self, candidates[chosen]);
        let infos = names.into_iter().zip(candidates);
        self.plan.operations.push(Operation {
            key,
            candidates: infos
                .map(|(name, candidate)| CandidateInfo {
                    name,
                    amplification: candidate.amplification(),
                })
                .collect(),
            chosen,
            dispatches: first..self.plan.dispatches.len(),
            outputs: outputs.to_vec(),
        });
    }

    /// The finished plan.
    pub fn finish(self) -> Plan {
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

fn check_constants(place: &str, kernel: &Kernel, entry: &EntryPoint) {
    for (index, (name, _)) in kernel.constants.iter().enumerate() {
        assert!(
            kernel.shader.has_override(name),
            "{place}: there is no override {name}"
        );
        let repeated = kernel.constants[..index]
            .iter()
            .any(|(earlier, _)| earlier == name);
        assert!(!repeated, "{place}: override {name} is given twice");
    }
    for name in &entry.required_overrides {
        let given = kernel
            .constants
            .iter()
            .any(|(constant, _)| constant == name);
        assert!(given, "{place}: override {name} is not set");
    }
}

/// The bytes that a tensor binds to a slot: its own, or the declared size of a uniform buffer.
fn bound_bytes(place: &str, slot: &BindingSlot, tensor: Tensor) -> u64 {
    let bytes = tensor.elements() * 4;
    if slot.access == Access::Uniform {
        assert!(
            bytes <= slot.uniform_bytes,
            "{place}: `{}` of {bytes} bytes does not fit the uniform buffer of {}",
            slot.name,
            slot.uniform_bytes
        );
        return slot.uniform_bytes.into();
    }
    assert!(
        bytes.is_multiple_of(slot.element_bytes),
        "{place}: binding `{}` of {bytes} bytes is not a whole number of {}-byte elements",
        slot.name,
        slot.element_bytes
    );
    bytes.into()
}

fn bind(place: &str, kernel: &Kernel, entry: &EntryPoint) -> Vec<Binding> {
    for (name, _) in kernel.bindings {
        let known = entry.bindings.iter().any(|slot| slot.name == *name);
        assert!(known, "{place}: there is no binding `{name}`");
    }
    let bindings: Vec<Binding> = entry
        .bindings
        .iter()
        .map(|slot| {
            let given = kernel.bindings.iter().find(|(name, _)| *name == slot.name);
            let (_, tensor) =
                *given.unwrap_or_else(|| panic!("{place}: binding `{}` is missing", slot.name));
            Binding {
                name: slot.name.clone(),
                slot: slot.slot,
                access: slot.access,
                tensor,
                bytes: bound_bytes(place, slot, tensor),
            }
        })
        .collect();
    for written in bindings
        .iter()
        .filter(|binding| binding.access == Access::ReadWrite)
    {
        for other in &bindings {
            let clash =
                other.access != Access::ReadWrite && other.tensor.buffer == written.tensor.buffer;
            assert!(
                !clash,
                "{place}: `{}` is written in the buffer that `{}` is read from",
                written.name, other.name
            );
        }
    }
    bindings
}

/// Workgroups that cover an extent. A long one-dimensional extent is folded into rows; `flat_index` in
/// `shaders/lib/index.wgsl` unfolds it.
fn grid(place: &str, extent: [u32; 3], entry: &EntryPoint) -> [u32; 3] {
    let mut grid =
        [0, 1, 2].map(|axis| extent[axis].div_ceil(entry.workgroup_size[axis] * entry.tile[axis]));
    if grid[1] == 1 && grid[2] == 1 && grid[0] > MAX_GRID {
        grid = [MAX_GRID, grid[0].div_ceil(MAX_GRID), 1];
    }
    let fits = grid.iter().all(|&size| (1..=MAX_GRID).contains(&size));
    assert!(
        fits,
        "{place}: extent {extent:?} needs a grid of {grid:?} workgroups"
    );
    grid
}
