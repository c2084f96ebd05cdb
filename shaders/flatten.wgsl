// Library: index
// y[n, c, p] = x[n, p, c]     forward: channels last to PyTorch's C, H, W order, as a flatten before a head needs it
// dx[n, p, c] = dy[n, c, p]   backward

override BATCH: u32;
override PIXELS: u32;           // height times width
override CHANNELS: u32;
override ACCUMULATE: bool;

@group(0) @binding(0) var<storage, read> x: array<f32>;         // [BATCH, PIXELS, CHANNELS]
@group(0) @binding(1) var<storage, read_write> y: array<f32>;   // [BATCH, CHANNELS, PIXELS]

// The place in [BATCH, CHANNELS, PIXELS] of element `index` of [BATCH, PIXELS, CHANNELS].
fn transposed(index: u32) -> u32 {
    let row = index / (PIXELS * CHANNELS);
    let pixel = index / CHANNELS % PIXELS;
    let channel = index % CHANNELS;
    return (row * CHANNELS + channel) * PIXELS + pixel;
}

@compute @workgroup_size(64)
fn forward(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let index = flat_index(workgroup_id, workgroups, local_index, 64u);
    if index < BATCH * PIXELS * CHANNELS {
        y[transposed(index)] = x[index];
    }
}

@group(0) @binding(0) var<storage, read> dy: array<f32>;        // [BATCH, CHANNELS, PIXELS]
@group(0) @binding(1) var<storage, read_write> dx: array<f32>;  // [BATCH, PIXELS, CHANNELS]

@compute @workgroup_size(64)
fn backward(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let index = flat_index(workgroup_id, workgroups, local_index, 64u);
    if index < BATCH * PIXELS * CHANNELS {
        dx[index] = select(0.0, dx[index], ACCUMULATE) + dy[transposed(index)];
    }
}
