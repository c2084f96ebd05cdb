// Library: index
// y = VALUE

override ELEMENTS: u32;
override VALUE: f32;

@group(0) @binding(0) var<storage, read_write> y: array<f32>;  // [ELEMENTS]

@compute @workgroup_size(64)
fn forward(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let index = flat_index(workgroup_id, workgroups, local_index, 64u);
    if index < ELEMENTS {
        y[index] = VALUE;
    }
}
