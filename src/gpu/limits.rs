//! The limits of an opened device, as plans are recorded for them.

use super::adapter::AdapterReport;
use crate::plan::{CPU_LOOP_ITERATIONS, Limits};

/// What a device takes that was opened with these features.
pub(super) fn of(
    adapter: &AdapterReport,
    limits: &wgpu::Limits,
    features: wgpu::Features,
) -> Limits {
    let is_cpu = adapter.device_type == "CPU";
    let has = |feature| features.contains(feature);
    Limits {
        loop_iterations: if is_cpu {
            CPU_LOOP_ITERATIONS
        } else {
            u64::MAX
        },
        binding_bytes: limits.max_storage_buffer_binding_size,
        buffer_bytes: limits.max_buffer_size,
        storage_buffers: limits.max_storage_buffers_per_shader_stage,
        workgroup_bytes: limits.max_compute_workgroup_storage_size.into(),
        workgroup_invocations: limits.max_compute_invocations_per_workgroup.into(),
        grid: limits.max_compute_workgroups_per_dimension,
        subgroup_sizes: has(wgpu::Features::SUBGROUP).then_some(adapter.subgroup_size),
        int64: has(wgpu::Features::SHADER_INT64),
        f16: has(wgpu::Features::SHADER_F16),
        matrix_units: has(wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX),
        is_cpu,
    }
}
