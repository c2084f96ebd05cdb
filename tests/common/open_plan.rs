//! A plan on a device whose every buffer, scratch too, can be written and read by a test.

use std::collections::HashSet;

use bytemuck::Pod;
use spinalnet::gpu::{Checks, Device, Executable, Memory};
use spinalnet::plan::{Lifetime, Plan, Tensor};

use super::device;

/// A quiet NaN that no computation gives: what a kernel forgets to write, or reads too early, shows.
const POISON: u32 = 0xffc0_dead;

/// A compiled plan, its buffers poisoned but for those of the data set, which are zero.
pub struct OpenPlan {
    device: &'static Device,
    memory: Memory,
    executable: Executable,
    plan: Plan,
    poisoned: Vec<bool>,
}

impl OpenPlan {
    /// Compiles a plan with its scratch buffers apart and under names of their own.
    pub fn new(checks: Checks, plan: &Plan) -> Self {
        let device = device(checks);
        let mut plan = plan.clone();
        let poisoned = plan
            .buffers
            .iter()
            .map(|buffer| buffer.lifetime != Lifetime::Data);
        let poisoned = poisoned.collect();
        let mut labels = HashSet::new();
        for (index, buffer) in plan.buffers.iter_mut().enumerate() {
            if !labels.insert(buffer.label.clone()) {
                buffer.label = format!("{}#{index}", buffer.label);
            }
            if buffer.lifetime == Lifetime::Plan {
                buffer.lifetime = Lifetime::Data;
            }
        }
        let memory = Memory::allocate(device, &plan.allocation()).expect("a test plan is small");
        let executable = Executable::new(device, &memory, &plan, 0).expect("the plan compiles");
        let open = Self {
            device,
            memory,
            executable,
            plan,
            poisoned,
        };
        open.poison();
        open
    }

    /// Makes everything that kernels write, and parameters, unlike any value.
    pub fn poison(&self) {
        for (buffer, _) in self
            .plan
            .buffers
            .iter()
            .zip(&self.poisoned)
            .filter(|(_, poisoned)| **poisoned)
        {
            self.write_named(&buffer.label, &vec![POISON; buffer.bytes as usize / 4]);
        }
    }

    /// Whether a value is still what [`poison`](Self::poison) left.
    pub fn is_poison(value: f32) -> bool {
        value.to_bits() == POISON
    }

    /// The names of all buffers.
    pub fn labels(&self) -> impl Iterator<Item = &str> {
        self.plan.buffers.iter().map(|buffer| buffer.label.as_str())
    }

    /// Writes the buffer a tensor lies in, from its start.
    pub fn write<T: Pod>(&self, tensor: Tensor, values: &[T]) {
        self.write_named(&self.plan.buffer(tensor).label, values);
    }

    /// Reads a tensor that begins where its buffer does.
    pub fn read<T: Pod>(&self, tensor: Tensor) -> Vec<T> {
        let mut values = self.read_named(&self.plan.buffer(tensor).label);
        values.truncate(tensor.elements() as usize);
        values
    }

    /// Writes a buffer by its name, from its start.
    pub fn write_named<T: Pod>(&self, label: &str, values: &[T]) {
        let bytes = bytemuck::cast_slice(values);
        match self.lifetime(label) {
            Lifetime::Net => self.memory.write_state(self.device, 0, label, bytes),
            _ => self.memory.write_data(self.device, label, bytes),
        }
    }

    /// Reads a whole buffer by its name.
    pub fn read_named<T: Pod>(&self, label: &str) -> Vec<T> {
        let values = match self.lifetime(label) {
            Lifetime::Net => self.memory.read_state(self.device, 0, label),
            _ => self.memory.read_data(self.device, label),
        };
        values.expect("the device answers")
    }

    /// Runs the plan.
    pub fn run(&self) {
        let submission = self.executable.submit(self.device, 1);
        submission
            .wait(self.device)
            .expect("the device runs the plan");
    }

    fn lifetime(&self, label: &str) -> Lifetime {
        let buffer = self
            .plan
            .buffers
            .iter()
            .find(|buffer| buffer.label == label);
        buffer
            .unwrap_or_else(|| panic!("the plan has no buffer {label}"))
            .lifetime
    }
}
