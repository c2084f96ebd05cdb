// Library: index
// batch = (running_mean, 1 / sqrt(running_var + EPS))      running
//
// What the other files of this folder take as the statistics of a batch, where these are constants.

override CHANNELS: u32;
override EPS: f32;

@group(0) @binding(0) var<storage, read_write> batch: array<f32>;       // [2, CHANNELS]: mean, rstd
@group(0) @binding(1) var<storage, read> running_mean: array<f32>;      // [CHANNELS]
@group(0) @binding(2) var<storage, read> running_var: array<f32>;       // [CHANNELS]

@compute @workgroup_size(64)
fn running(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let channel = flat_index(workgroup_id, workgroups, local_index, 64u);
    if channel < CHANNELS {
        batch[channel] = running_mean[channel];
        batch[CHANNELS + channel] = 1.0 / sqrt(running_var[channel] + EPS);
    }
}
