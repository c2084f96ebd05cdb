//! What kernels cost: models of a large graphics processor and of a driver that runs shaders on the CPU.
//!
//! A cost orders the candidates of one operation, and need not be right beyond that. On a graphics processor its unit is a clock
//! cycle, on a CPU adapter a multiplication of the best product there.

use crate::plan::Limits;

/// A graphics processor, as far as products feel it.
pub(super) struct GraphicsProcessor {
    /// Processors that take workgroups.
    pub(super) processors: u32,
    /// Multiplications of a processor in a cycle.
    pub(super) multiplications: f64,
    /// Cycles from one step of a tile to the next where too few workgroups hide the memory's latency.
    pub(super) step_latency: f64,
    /// Invocations that a processor keeps at a time when each has many registers.
    pub(super) resident_invocations: u32,
    /// Cycles of one more dispatch.
    pub(super) dispatch: f64,
    /// Bytes of all memory in a cycle, written and read again.
    pub(super) bytes: f64,
}

/// NVIDIA's H100, fitted to what `spinal tune` measured there (`assets/results/speed/h100`): for the convolutions of VGG-5 and
/// ResNet-18 the tile with the fewest cycles takes 4 % longer than the fastest one. WebGPU does not tell how many processors
/// another adapter has.
pub(super) const H100: GraphicsProcessor = GraphicsProcessor {
    processors: 132,
    multiplications: 128.0,
    step_latency: 1_500.0,
    resident_invocations: 256,
    dispatch: 6_000.0,
    bytes: 1_500.0,
};

/// How many times longer than the best product there a kernel's multiplications take on a CPU adapter: llvmpipe of Mesa 22.3.6,
/// 2 cores, 512 x 512 x 512.
pub(super) mod on_cpu {
    /// Pairs of channels as 64-bit loads, passed round the subgroup.
    pub(crate) const PAIRS: f64 = 1.0;
    /// One factor passed round the subgroup.
    pub(crate) const BROADCAST: f64 = 3.0;
    /// Blocks in registers alone.
    pub(crate) const REGISTERS: f64 = 7.0;
    /// Tiles in workgroup memory: barriers run a workgroup as coroutines.
    pub(crate) const WORKGROUP_TILES: f64 = 10.0;
    /// A dispatch that depends on the one before.
    pub(crate) const DISPATCH: f64 = 600_000.0;
}

/// Cycles of a kernel whose invocations keep small blocks in registers and wait for each of `summands` loads.
pub(super) fn register_cycles(multiplications: u64, summands: u32) -> f64 {
    const EFFICIENCY: f64 = 0.05;
    const LOAD_LATENCY: f64 = 600.0;
    let all = f64::from(H100.processors) * H100.multiplications * EFFICIENCY;
    (multiplications as f64 / all).max(f64::from(summands) * LOAD_LATENCY)
}

/// What a kernel costs that was made for CPU adapters: `multiplications` there, and on a graphics processor, where its workgroups
/// of 8 leave most lanes idle, more than any other.
pub(super) fn of_cpu_kernel(limits: &Limits, multiplications: f64, plain_cycles: f64) -> f64 {
    const IDLE_LANES: f64 = 20.0;
    if limits.is_cpu {
        multiplications
    } else {
        IDLE_LANES * plain_cycles
    }
}
