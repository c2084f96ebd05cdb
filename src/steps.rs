//! The plans of a net: one for each batch size and mode, all over the same parameters.

use crate::batch::{Sample, Source};
use crate::loss::{cross_entropy, mse};
use crate::models::Model;
use crate::optim::{Optimizer, advance};
use crate::plan::{Kernels, Limits, Mode, Plan, Tape};

/// A training step: gather, forward, loss, backward, update, advance.
pub fn train_plan(
    model: &Model,
    source: &Source,
    batch: u32,
    optimizer: &dyn Optimizer,
    kernels: impl Into<Kernels>,
) -> Plan {
    let mut tape = Tape::new(
        format!("{} train batch {batch}", model.name),
        &model.parameters,
        Mode::Train,
    )
    .with_kernels(kernels);
    record_loss(&mut tape, model, source, batch);
    tape.scope("optimizer", |tape| optimizer.record(tape, source.steps()));
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
    record_loss(&mut tape, model, source, batch);
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

/// Multiplications of the network for one sample, as the paper counts them: convolutions and Linears, without biases.
pub fn multiplications(model: &Model) -> u64 {
    forward_plan(model, 1, Limits::webgpu())
        .cost()
        .multiplications
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

fn record_loss(tape: &mut Tape, model: &Model, source: &Source, batch: u32) {
    let batch = source.record(tape, batch);
    let y = model.forward(tape, batch.x);
    match model.sample {
        Sample::Image { .. } => {
            let sums = [source.losses(tape), source.correct(tape)];
            cross_entropy(tape, y, batch.y, sums);
        }
        Sample::Row { .. } => {
            let losses = source.losses(tape);
            mse(tape, y, batch.y, losses);
        }
    }
}
