//! Optimisers: each updates all parameters of a net in one dispatch, or in as few as bind them.

mod adam;
mod clip;
mod sgd;
mod step;

pub use adam::Adam;
pub use clip::Clipped;
pub use sgd::Sgd;
pub use step::{advance, advance_within};

use crate::plan::{ALIGNMENT, Shape, Tape, Tensor};

/// What one step needs to know from the host, laid out as `Schedule` in `shaders/lib/step.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Debug, bytemuck::Pod, bytemuck::Zeroable)]
pub struct ScheduleEntry {
    /// The learning rate.
    pub lr: f32,
    /// 1 - beta1^t for Adam, 1 otherwise.
    pub bias_correction1: f32,
    /// 1 - beta2^t for Adam, 1 otherwise.
    pub bias_correction2: f32,
    /// Nothing.
    pub padding: f32,
}

/// A rule that turns gradients into new parameters.
pub trait Optimizer {
    /// Records the update of all parameters. `steps` is the number of steps of an epoch.
    fn record(&self, tape: &mut Tape, steps: u32);

    /// What step `t` since the optimiser was new, counted from 1, needs from the host.
    fn schedule(&self, lr: f32, t: u64) -> ScheduleEntry;

    /// The buffers that it keeps from step to step, which are zero when it is new.
    fn state(&self) -> &'static [&'static str];
}

/// All gradients, and with them all parameters, as flat tensors.
fn flat_parameters(tape: &mut Tape) -> (Tensor, Tensor) {
    let shape = Shape::from([tape.parameters().device_elements()]);
    (
        tape.state("parameters", shape),
        tape.state("gradients", shape),
    )
}

/// The trained parameters in ranges that an adapter binds, each with what its learning rate is multiplied by. Their places are
/// multiples of 256 bytes, the end of the last one too.
fn bindable(tape: &Tape, parameters: Tensor) -> Vec<(Tensor, f64)> {
    let longest = tape.limits().binding_elements();
    let groups = tape.parameters().groups().into_iter();
    let ranges = groups.flat_map(|group| {
        let range = parameters.range(group.offset, group.elements);
        let ranges = range.ranges(longest, ALIGNMENT);
        ranges.map(move |range| (range, group.rate))
    });
    ranges.collect()
}

/// The schedule of an epoch, four numbers a step.
fn schedule(tape: &mut Tape, steps: u32) -> Tensor {
    tape.data("train.schedule", [steps, 4])
}
