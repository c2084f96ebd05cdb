//! The plans of a net: one for each batch size and mode, all over the same parameters.

use crate::batch::{Sample, Source};
use crate::loss::{cross_entropy, mse};
use crate::models::Model;
use crate::optim::{Optimizer, advance, advance_within};
use crate::plan::{Kernels, Limits, Mode, Plan, Shape, Tape};

/// The plans of a step in their order, each with how often it runs before the next.
#[derive(Clone, Debug)]
pub struct StepPlans {
    /// The plans.
    pub parts: Vec<(Plan, u32)>,
}

impl From<Plan> for StepPlans {
    fn from(plan: Plan) -> Self {
        Self {
            parts: vec![(plan, 1)],
        }
    }
}

impl StepPlans {
    /// The plans.
    pub fn plans(&self) -> impl Iterator<Item = &Plan> {
        self.parts.iter().map(|(plan, _)| plan)
    }
}

/// A training step of `batch` samples: one plan, or where the source has micro-batches, their backward passes, whose gradients
/// add up, and one update.
pub fn train_step(
    model: &Model,
    source: &Source,
    batch: u32,
    optimizer: &dyn Optimizer,
    kernels: &Kernels,
) -> StepPlans {
    if source.micro_batch.is_none() {
        return train_plan(model, source, batch, optimizer, kernels).into();
    }
    let passes = source.micro_batches(batch).map(|(samples, count)| {
        let plan = backward_plan(model, source, [samples, batch], kernels);
        (plan, count)
    });
    let mut parts: Vec<(Plan, u32)> = passes.collect();
    // Processes that share a step will add up their gradients here.
    parts.push((update_plan(model, source, optimizer, kernels), 1));
    StepPlans { parts }
}

/// How many plans a full training step has.
pub fn parts_of_step(source: &Source) -> usize {
    match source.micro_batch {
        None => 1,
        Some(_) => source.micro_batches(source.batch_size).count() + 1,
    }
}

/// A training step: gather, forward, loss, backward, update, advance.
pub fn train_plan(
    model: &Model,
    source: &Source,
    batch: u32,
    optimizer: &dyn Optimizer,
    kernels: impl Into<Kernels>,
) -> Plan {
    let name = format!("{} train batch {batch}", model.name);
    let mut tape = Tape::new(name, &model.parameters, Mode::Train).with_kernels(kernels);
    record_loss(&mut tape, model, source, [batch, batch]);
    tape.scope("optimizer", |tape| optimizer.record(tape, source.steps()));
    tape.scope("step", advance);
    tape.finish()
}

/// A micro-batch of a training step of `batch` samples: gather, forward, loss, backward. Its gradients are added to what is
/// there.
fn backward_plan(
    model: &Model,
    source: &Source,
    [samples, batch]: [u32; 2],
    kernels: &Kernels,
) -> Plan {
    let name = format!("{} train {samples} of batch {batch}", model.name);
    let mut tape = Tape::new(name, &model.parameters, Mode::Train)
        .with_kernels(kernels)
        .accumulating();
    record_loss(&mut tape, model, source, [samples, batch]);
    tape.scope("step", |tape| advance_within(tape, samples));
    tape.finish()
}

/// The end of a training step in micro-batches: update, gradients back to zero, advance.
fn update_plan(
    model: &Model,
    source: &Source,
    optimizer: &dyn Optimizer,
    kernels: &Kernels,
) -> Plan {
    let name = format!("{} update", model.name);
    let mut tape = Tape::new(name, &model.parameters, Mode::Train).with_kernels(kernels);
    tape.scope("optimizer", |tape| {
        optimizer.record(tape, source.steps());
        tape.clear_gradients();
    });
    tape.scope("step", advance);
    tape.finish()
}

/// An evaluation step: gather, forward, loss, advance.
pub fn evaluate_plan(
    model: &Model,
    source: &Source,
    batch: u32,
    kernels: impl Into<Kernels>,
) -> Plan {
    let name = format!("{} evaluate batch {batch}", model.name);
    let mut tape = Tape::new(name, &model.parameters, Mode::Evaluate).with_kernels(kernels);
    record_loss(&mut tape, model, source, [batch, batch]);
    tape.scope("step", advance);
    tape.finish()
}

/// The network alone on given images or rows in the buffer `input`; its output is in the buffer `output`.
pub fn forward_plan(model: &Model, batch: u32, kernels: impl Into<Kernels>) -> Plan {
    let name = format!("{} forward batch {batch}", model.name);
    let mut tape = Tape::new(name, &model.parameters, Mode::Evaluate).with_kernels(kernels);
    let x = model.sample.input(&mut tape, batch);
    let y = model.forward(&mut tape, x);
    tape.export(y, "output");
    tape.finish()
}

/// The backbone alone over the samples of a source, as it evaluates; what it makes of a batch is in the buffer `output`.
pub fn features_plan(model: &Model, source: &Source, batch: u32, kernels: &Kernels) -> Plan {
    let name = format!("{} features batch {batch}", model.name);
    let mut tape = Tape::new(name, &model.parameters, Mode::Evaluate).with_kernels(kernels);
    let fetched = source.record(&mut tape, batch);
    let y = model.backbone(&mut tape, fetched.x);
    tape.export(y, "output");
    tape.scope("step", advance);
    tape.finish()
}

/// Multiplications of the network for one sample, as the paper counts them: convolutions and Linears, without biases. Those of a
/// backbone whose features are given count, too.
pub fn multiplications(model: &Model) -> u64 {
    let (backbone, features) = multiplications_of_backbone(model);
    backbone + multiplications_of_head(model, features)
}

/// Those of the backbone, and what it makes of a sample.
pub fn multiplications_of_backbone(model: &Model) -> (u64, Shape) {
    let mut tape = Tape::new(&model.name, &model.parameters, Mode::Evaluate);
    let x = model.whole_sample.input(&mut tape, 1);
    let features = model.backbone(&mut tape, x).shape();
    (tape.finish().cost().multiplications, features)
}

/// Those of the head on what a backbone makes of a sample.
pub fn multiplications_of_head(model: &Model, features: Shape) -> u64 {
    let mut tape = Tape::new(&model.name, &model.parameters, Mode::Evaluate);
    let x = tape.input("features", features);
    model.head(&mut tape, x);
    tape.finish().cost().multiplications
}

/// The bytes of the largest activation of the network for one sample.
pub fn largest_activation(model: &Model) -> u64 {
    let plan = forward_plan(model, 1, Limits::webgpu());
    let activations = plan.scratch().map(|index| plan.buffers[index].bytes);
    activations.max().unwrap_or(0)
}

/// A seed as the device's step state has it.
pub fn device_seed(seed: u64) -> u32 {
    (seed ^ (seed >> 32)) as u32
}

/// Records the loss of some samples of a step of `batch`, and on a tape that trains the way back.
fn record_loss(tape: &mut Tape, model: &Model, source: &Source, [samples, batch]: [u32; 2]) {
    let fetched = source.record(tape, samples);
    let y = model.forward(tape, fetched.x);
    let losses = source.losses(tape);
    match model.sample {
        Sample::Image { .. } | Sample::Features { .. } => {
            let correct = source.correct(tape);
            cross_entropy(tape, y, fetched.y, batch, [losses, correct]);
        }
        Sample::Row { .. } => mse(tape, y, fetched.y, batch, losses),
    }
}
