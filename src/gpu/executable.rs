//! A plan on a device: pipelines and bind groups made once, encoded again for every step.

use super::device::Device;
use super::memory::Memory;
use crate::error::{Error, Result};
use crate::plan::Plan;

/// One dispatch, compiled and bound.
#[derive(Clone)]
pub(super) struct Command {
    pipeline: wgpu::ComputePipeline,
    bind_group: wgpu::BindGroup,
    grid: [u32; 3],
}

/// A compiled plan.
pub struct Executable {
    pub(super) commands: Vec<Command>,
}

/// Work that is written down for the device.
pub struct Encoded(wgpu::CommandBuffer);

impl Encoded {
    /// Hands it to the device.
    pub fn submit(self, device: &Device) -> Submission {
        Submission(device.queue.submit([self.0]))
    }
}

/// Work that was handed to the device.
pub struct Submission(wgpu::SubmissionIndex);

impl Executable {
    /// Compiles a plan of net number `net` over `memory`.
    pub fn new(device: &Device, memory: &Memory, plan: &Plan, net: usize) -> Result<Self> {
        check_limits(device, plan)?;
        let buffers = memory.buffers_of(plan, net);
        let commands = plan.dispatches.iter().map(|dispatch| {
            let pipeline = device.pipeline(dispatch);
            let layout = pipeline.get_bind_group_layout(0);
            let entries: Vec<_> = dispatch
                .bindings
                .iter()
                .map(|binding| wgpu::BindGroupEntry {
                    binding: binding.slot,
                    resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                        buffer: &buffers[plan.index(binding.tensor)],
                        offset: binding.offset_bytes(),
                        size: wgpu::BufferSize::new(binding.bytes),
                    }),
                })
                .collect();
            let descriptor = wgpu::BindGroupDescriptor {
                label: Some(&dispatch.layer),
                layout: &layout,
                entries: &entries,
            };
            let bind_group = device.device.create_bind_group(&descriptor);
            Command {
                pipeline,
                bind_group,
                grid: dispatch.grid,
            }
        });
        let executable = Self {
            commands: commands.collect(),
        };
        device.check()?;
        Ok(executable)
    }

    /// Executables one after another, each so many times, as one.
    pub fn sequence(parts: impl IntoIterator<Item = (Self, u32)>) -> Self {
        let commands = parts.into_iter().flat_map(|(part, times)| {
            let runs = std::iter::repeat_n(part.commands, times as usize);
            runs.flatten()
        });
        Self {
            commands: commands.collect(),
        }
    }

    /// Hands `times` runs of the plan to the device in one submission.
    pub fn submit(&self, device: &Device, times: u32) -> Submission {
        self.encode(device, times).submit(device)
    }

    /// Writes `times` runs of the plan down for one submission.
    pub fn encode(&self, device: &Device, times: u32) -> Encoded {
        let mut encoder = device
            .device
            .create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        encode_runs(
            &mut encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default()),
            &self.commands,
            times,
        );
        Encoded(encoder.finish())
    }

    /// Some of its dispatches, by their numbers, as a plan of their own: to be timed.
    pub fn part(&self, dispatches: &[usize]) -> Self {
        let commands = dispatches.iter().map(|&index| self.commands[index].clone());
        Self {
            commands: commands.collect(),
        }
    }
}

/// Writes `times` runs of the commands into a pass.
pub(super) fn encode_runs(pass: &mut wgpu::ComputePass, commands: &[Command], times: u32) {
    for _ in 0..times {
        commands.iter().for_each(|command| encode(pass, command));
    }
}

/// Writes one dispatch into a pass.
pub(super) fn encode(pass: &mut wgpu::ComputePass, command: &Command) {
    pass.set_pipeline(&command.pipeline);
    pass.set_bind_group(0, &command.bind_group, &[]);
    let [x, y, z] = command.grid;
    pass.dispatch_workgroups(x, y, z);
}

impl Submission {
    /// Waits until the work is done.
    pub fn wait(self, device: &Device) -> Result<()> {
        device.wait(Some(self.0))
    }
}

/// Refuses a plan that needs more than the device has.
fn check_limits(device: &Device, plan: &Plan) -> Result<()> {
    let of_device = || {
        let mut dispatches = plan.dispatches.iter();
        dispatches.find_map(|dispatch| device.limits().excess_of(dispatch))
    };
    let Some(excess) = plan.excess.clone().or_else(of_device) else {
        return Ok(());
    };
    Err(Error::adapter(
        format!("{}: {}: {excess}", device.adapter().name, plan.name),
        "use a smaller --batch-size or --image-size, or another --adapter",
    ))
}
