// Library: nan, index
// squares[c] = sum of gradient^2 over chunk c                          square_sums
// coefficient = min(1, MAX_NORM / (sqrt(sum of squares) + 1e-6))       norm
// gradient *= coefficient                                              scale (PyTorch's clip_grad_norm_)
//
// The norm is that of all gradients together. Sums have a fixed order: within an invocation, within a workgroup, over the
// chunks.

override ELEMENTS: u32;
override CHUNKS: u32;
override MAX_NORM: f32;

const WORKGROUP: u32 = 64u;
const HALVINGS: u32 = 6u;   // of a sum over a workgroup
const CHUNK: u32 = 4096u;  // elements that one workgroup adds up

@group(0) @binding(0) var<storage, read> gradients: array<f32>;            // [ELEMENTS]
@group(0) @binding(1) var<storage, read_write> squares: array<f32>;        // [CHUNKS]
@group(0) @binding(2) var<storage, read_write> coefficient: array<f32>;    // [1]
@group(0) @binding(3) var<storage, read_write> clipped: array<f32>;        // [ELEMENTS], the gradients

var<workgroup> sums: array<f32, WORKGROUP>;

// The sum over the workgroup, in invocation 0.
fn workgroup_sum(local_index: u32, sum: f32) -> f32 {
    sums[local_index] = sum;
    for (var width = WORKGROUP / 2u; width > 0u; width /= 2u) {
        workgroupBarrier();
        if local_index < width {
            sums[local_index] += sums[local_index + width];
        }
    }
    return sums[local_index];
}

override ITERATIONS_SQUARE_SUMS: u32 = CHUNK / WORKGROUP + HALVINGS;

@compute @workgroup_size(WORKGROUP)
fn square_sums(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let chunk = flat_index(workgroup_id, workgroups, 0u, 1u);
    if chunk >= CHUNKS {
        return;
    }
    let end = min((chunk + 1u) * CHUNK, ELEMENTS);
    var sum = 0.0;
    for (var index = chunk * CHUNK + local_index; index < end; index += WORKGROUP) {
        sum += gradients[index] * gradients[index];
    }
    sum = workgroup_sum(local_index, sum);
    if local_index == 0u {
        squares[chunk] = sum;
    }
}

override ITERATIONS_NORM: u32 = (CHUNKS + WORKGROUP - 1u) / WORKGROUP + HALVINGS;

@compute @workgroup_size(WORKGROUP)
fn norm(@builtin(local_invocation_index) local_index: u32) {
    var sum = 0.0;
    for (var chunk = local_index; chunk < CHUNKS; chunk += WORKGROUP) {
        sum += squares[chunk];
    }
    sum = workgroup_sum(local_index, sum);
    if local_index == 0u {
        let ratio = MAX_NORM / (sqrt(sum) + 1e-6);
        coefficient[0] = select(min(1.0, ratio), ratio, is_nan(ratio));
    }
}

@compute @workgroup_size(64)
fn scale(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let index = flat_index(workgroup_id, workgroups, local_index, 64u);
    if index < ELEMENTS {
        clipped[index] *= coefficient[0];
    }
}
