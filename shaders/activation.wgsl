// Library: activation, index
// y = phi(x)            forward
// dx = phi'(x) * dy     backward, with phi' expressed by y
//
// phi is one of lib/activation.wgsl.

override ELEMENTS: u32;
override ACTIVATION: u32;
override ACCUMULATE: bool;

@group(0) @binding(0) var<storage, read> x: array<f32>;         // [ELEMENTS]
@group(0) @binding(1) var<storage, read_write> y: array<f32>;   // [ELEMENTS]

@compute @workgroup_size(64)
fn forward(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let index = flat_index(workgroup_id, workgroups, local_index, 64u);
    if index < ELEMENTS {
        y[index] = activate(ACTIVATION, x[index]);
    }
}

@group(0) @binding(0) var<storage, read> output: array<f32>;    // [ELEMENTS], the y of forward
@group(0) @binding(1) var<storage, read> dy: array<f32>;        // [ELEMENTS]
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;  // [ELEMENTS]

@compute @workgroup_size(64)
fn backward(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let index = flat_index(workgroup_id, workgroups, local_index, 64u);
    if index < ELEMENTS {
        let gradient = activation_slope(ACTIVATION, output[index]) * dy[index];
        dx[index] = select(0.0, dx[index], ACCUMULATE) + gradient;
    }
}
