//! Two kinds of adapter that plans are recorded for.

use spinalnet::plan::{Kernels, Limits};

/// A kind of adapter; the kernels for both run on any that has what they need.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AdapterClass {
    /// What WebGPU guarantees, on a graphics processor.
    Gpu,
    /// Mesa's driver for CPUs.
    Cpu,
}

impl AdapterClass {
    /// What such an adapter takes.
    pub fn limits(self) -> Limits {
        match self {
            Self::Gpu => Limits::webgpu(),
            Self::Cpu => Limits::llvmpipe(),
        }
    }
}

impl From<AdapterClass> for Kernels {
    fn from(class: AdapterClass) -> Self {
        class.limits().into()
    }
}
