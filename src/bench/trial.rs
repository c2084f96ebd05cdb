//! Some layers alone on the device, over random data.

use super::noise::Noise;
use crate::error::Result;
use crate::gpu::{Device, Executable, Memory};
use crate::models::initial_values;
use crate::plan::{Parameters, Plan, Tensor};

/// A plan on a device whose every buffer can be read.
pub struct Trial<'a> {
    device: &'a Device,
    memory: Memory,
    /// The plan.
    pub plan: Plan,
    /// The same, compiled.
    pub executable: Executable,
}

impl<'a> Trial<'a> {
    /// Compiles a plan, gives its parameters initial values and fills activations and gradients with numbers of [-1, 1).
    /// Buffers of the data set and of optimisers are zero.
    pub fn new(device: &'a Device, plan: Plan, parameters: &Parameters) -> Result<Self> {
        let scratch: Vec<(usize, Vec<f32>)> = plan
            .scratch()
            .map(|index| {
                let buffer = &plan.buffers[index];
                let values = Noise::named(&buffer.label).values(buffer.elements as usize);
                (index, values)
            })
            .collect();
        let plan = plan.apart();
        let memory = Memory::allocate(device, &plan.allocation())?;
        let executable = Executable::new(device, &memory, &plan, 0)?;
        memory.write_values(device, 0, &initial_values(parameters, 1));
        for (index, values) in &scratch {
            memory.write_plan_buffer(device, &plan, 0, *index, bytemuck::cast_slice(values));
        }
        Ok(Self {
            device,
            memory,
            plan,
            executable,
        })
    }

    /// Runs the whole plan once.
    pub fn run(&self) -> Result<()> {
        self.executable.submit(self.device, 1).wait(self.device)
    }

    /// Reads the buffer a tensor lies in, which must begin where the tensor does.
    pub fn read(&self, tensor: Tensor) -> Result<Vec<f32>> {
        let index = self.plan.index(tensor);
        let mut values: Vec<f32> =
            self.memory
                .read_plan_buffer(self.device, &self.plan, 0, index)?;
        values.truncate(tensor.elements() as usize);
        Ok(values)
    }

    /// Reads a buffer that nets keep from step to step, such as `parameters` or `gradients`.
    pub fn read_state(&self, label: &str) -> Result<Vec<f32>> {
        self.memory.read_state(self.device, 0, label)
    }
}
