//! What an adapter takes: data that plans are recorded for, never asked of an adapter's name.

use std::fmt;

use super::Dispatch;
use super::reflection::{Access, EntryPoint};

/// The limits and abilities of an adapter that kernels meet.
#[derive(Clone, PartialEq, Debug)]
pub struct Limits {
    /// Iterations that all loops of one invocation may take together.
    pub loop_iterations: u64,
    /// Bytes of one binding of a storage buffer.
    pub binding_bytes: u64,
    /// Bytes of one buffer.
    pub buffer_bytes: u64,
    /// Storage buffers that one entry point may bind.
    pub storage_buffers: u32,
    /// Bytes of memory that the invocations of a workgroup share.
    pub workgroup_bytes: u64,
    /// Invocations of a workgroup.
    pub workgroup_invocations: u64,
    /// Workgroups along one dimension of a dispatch.
    pub grid: u32,
    /// The smallest and the largest subgroup, where there are subgroup operations.
    pub subgroup_sizes: Option<[u32; 2]>,
    /// Whether there are 64-bit integers.
    pub int64: bool,
    /// Whether there are 16-bit floats.
    pub f16: bool,
    /// Whether there are matrix units for 16 x 16 x 16 products of f16 that are summed up in f32.
    pub matrix_units: bool,
    /// Whether the driver runs shaders on the CPU: the kernel that is best there can be the worst on a graphics processor.
    pub is_cpu: bool,
}

/// Iterations that are assumed of a driver that runs shaders on the CPU, as what it takes cannot be asked: Mesa's llvmpipe
/// before version 26 ends an invocation after 65,535 (`LP_MAX_TGSI_LOOP_ITERATIONS`), and says nothing.
pub const CPU_LOOP_ITERATIONS: u64 = 60_000;

impl Limits {
    /// What WebGPU guarantees, on a graphics processor.
    pub fn webgpu() -> Self {
        Self {
            loop_iterations: u64::MAX,
            binding_bytes: 128 << 20,
            buffer_bytes: 256 << 20,
            storage_buffers: 8,
            workgroup_bytes: 16 << 10,
            workgroup_invocations: 256,
            grid: 65_535,
            subgroup_sizes: None,
            int64: false,
            f16: false,
            matrix_units: false,
            is_cpu: false,
        }
    }

    /// Mesa's driver for CPUs with AVX.
    pub fn llvmpipe() -> Self {
        Self {
            loop_iterations: CPU_LOOP_ITERATIONS,
            buffer_bytes: (2 << 30) - 1,
            storage_buffers: 32,
            workgroup_bytes: 32 << 10,
            workgroup_invocations: 1024,
            subgroup_sizes: Some([8, 8]),
            int64: true,
            f16: true,
            is_cpu: true,
            ..Self::webgpu()
        }
    }

    /// The first thing that a dispatch needs and this adapter does not have.
    pub fn excess_of(&self, dispatch: &Dispatch) -> Option<Excess> {
        let need = self.unmet_need_of(dispatch)?;
        let place = format!("{}, {}", dispatch.layer, dispatch.kernel());
        Some(Excess { place, need })
    }

    fn unmet_need_of(&self, dispatch: &Dispatch) -> Option<Need> {
        let entry = dispatch.shader.entry_point(dispatch.entry);
        let resources = dispatch
            .shader
            .resources(dispatch.entry, &dispatch.constants);
        if resources.iterations > self.loop_iterations.into() {
            return Some(Need::LoopIterations {
                needed: resources.iterations,
                allowed: self.loop_iterations,
            });
        }
        if resources.workgroup_bytes > self.workgroup_bytes {
            return Some(Need::WorkgroupBytes {
                needed: resources.workgroup_bytes,
                allowed: self.workgroup_bytes,
            });
        }
        if resources.workgroup_invocations > self.workgroup_invocations {
            return Some(Need::WorkgroupInvocations {
                needed: resources.workgroup_invocations,
                allowed: self.workgroup_invocations,
            });
        }
        if dispatch.grid.iter().any(|&size| size > self.grid) {
            return Some(Need::Grid {
                needed: dispatch.grid.map(u64::from),
                allowed: self.grid,
            });
        }
        self.unmet_binding(dispatch)
            .or_else(|| self.unmet_ability(entry, resources.workgroup_invocations))
    }

    fn unmet_binding(&self, dispatch: &Dispatch) -> Option<Need> {
        let stored = dispatch
            .bindings
            .iter()
            .filter(|binding| binding.access != Access::Uniform);
        let count = stored.clone().count() as u32;
        let too_large = stored
            .max_by_key(|binding| binding.bytes)
            .filter(|binding| binding.bytes > self.binding_bytes);
        if let Some(binding) = too_large {
            return Some(Need::Binding {
                name: binding.name.clone(),
                needed: binding.bytes,
                allowed: self.binding_bytes,
            });
        }
        (count > self.storage_buffers).then_some(Need::StorageBuffers {
            needed: count,
            allowed: self.storage_buffers,
        })
    }

    fn unmet_ability(&self, entry: &EntryPoint, workgroup_invocations: u64) -> Option<Need> {
        let [smallest, largest] = self.subgroup_sizes.unwrap_or([0, 0]).map(u64::from);
        let (size, fits) = match entry.subgroup_size {
            Some(size) => (size.into(), [smallest, largest] == [u64::from(size); 2]),
            None => (workgroup_invocations, smallest >= workgroup_invocations),
        };
        if (entry.uses_subgroups || entry.uses_matrix_units) && !fits {
            let exact = entry.subgroup_size.is_some();
            return Some(Need::Subgroups { size, exact });
        }
        let missing = [
            (entry.uses_int64 && !self.int64, Need::Int64),
            (entry.uses_f16 && !self.f16, Need::F16),
            (
                entry.uses_matrix_units && !self.matrix_units,
                Need::MatrixUnits,
            ),
        ];
        missing
            .into_iter()
            .find(|(is_missing, _)| *is_missing)
            .map(|(_, need)| need)
    }

    /// Elements of 4 bytes that one binding may have.
    pub fn binding_elements(&self) -> u32 {
        u32::try_from(self.binding_bytes / 4).unwrap_or(u32::MAX)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::webgpu()
    }
}

/// Something that a dispatch needs and an adapter does not have.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Excess {
    /// Layer and entry point: `conv1: conv2d/direct.forward`.
    pub place: String,
    /// What is needed.
    pub need: Need,
}

/// What a dispatch needs that an adapter lacks, with what it has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Need {
    /// Iterations of an invocation's loops.
    LoopIterations {
        /// Iterations.
        needed: u128,
        /// What the adapter takes.
        allowed: u64,
    },
    /// Bytes of a binding.
    Binding {
        /// The variable's name in the WGSL.
        name: String,
        /// Bytes.
        needed: u64,
        /// What the adapter takes.
        allowed: u64,
    },
    /// Storage buffers of an entry point.
    StorageBuffers {
        /// Buffers.
        needed: u32,
        /// What the adapter takes.
        allowed: u32,
    },
    /// Bytes of workgroup memory.
    WorkgroupBytes {
        /// Bytes.
        needed: u64,
        /// What the adapter takes.
        allowed: u64,
    },
    /// Invocations of a workgroup.
    WorkgroupInvocations {
        /// Invocations.
        needed: u64,
        /// What the adapter takes.
        allowed: u64,
    },
    /// A grid of workgroups.
    Grid {
        /// Workgroups along x, y, z.
        needed: [u64; 3],
        /// What the adapter takes along each.
        allowed: u32,
    },
    /// Subgroups of a size.
    Subgroups {
        /// Invocations: exactly so many, or at least.
        size: u64,
        /// Exactly so many.
        exact: bool,
    },
    /// 64-bit integers.
    Int64,
    /// 16-bit floats.
    F16,
    /// Matrix units.
    MatrixUnits,
}

impl fmt::Display for Excess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.place, self.need)
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LoopIterations { needed, allowed } => {
                write!(
                    f,
                    "loops {needed} times in one invocation, of {allowed} that the adapter takes"
                )
            }
            Self::Binding {
                name,
                needed,
                allowed,
            } => {
                write!(
                    f,
                    "binds {needed} bytes as `{name}`, of {allowed} that the adapter takes"
                )
            }
            Self::StorageBuffers { needed, allowed } => {
                write!(
                    f,
                    "binds {needed} buffers, of {allowed} that the adapter takes"
                )
            }
            Self::WorkgroupBytes { needed, allowed } => {
                write!(
                    f,
                    "shares {needed} bytes in a workgroup, of {allowed} that the adapter takes"
                )
            }
            Self::WorkgroupInvocations { needed, allowed } => {
                write!(
                    f,
                    "has workgroups of {needed}, of {allowed} that the adapter takes"
                )
            }
            Self::Grid { needed, allowed } => {
                write!(
                    f,
                    "needs a grid of {needed:?} workgroups, of {allowed} that the adapter takes along each dimension"
                )
            }
            Self::Subgroups { size, exact: true } => write!(f, "needs subgroups of {size}"),
            Self::Subgroups { size, exact: false } => {
                write!(f, "needs subgroups of at least {size}")
            }
            Self::Int64 => f.write_str("needs 64-bit integers"),
            Self::F16 => f.write_str("needs 16-bit floats"),
            Self::MatrixUnits => f.write_str("needs matrix units"),
        }
    }
}
