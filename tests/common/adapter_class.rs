//! Kinds of adapter that plans are recorded for.

use spinalnet::plan::{Kernels, Limits};

/// A kind of adapter; the kernels for both run on any that has what they need.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AdapterClass {
    /// What WebGPU guarantees, on a graphics processor.
    Gpu,
    /// Mesa's driver for CPUs.
    Cpu,
    /// An adapter that takes less of everything than any there is. Results must not change.
    Tight,
}

impl AdapterClass {
    /// What such an adapter takes.
    pub fn limits(self) -> Limits {
        match self {
            Self::Gpu => Limits::webgpu(),
            Self::Cpu => Limits::llvmpipe(),
            Self::Tight => Limits {
                loop_iterations: 1000,
                binding_bytes: 1 << 20,
                workgroup_bytes: 16 << 10,
                workgroup_invocations: 256,
                grid: 512,
                subgroup_sizes: None,
                int64: false,
                ..Limits::llvmpipe()
            },
        }
    }
}

impl From<AdapterClass> for Kernels {
    fn from(class: AdapterClass) -> Self {
        class.limits().into()
    }
}
