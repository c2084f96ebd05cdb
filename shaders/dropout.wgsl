// Library: index, random, step
// y = x * mask / (1 - p)      forward
// dx = dy * mask / (1 - p)    backward
//
// The mask is drawn from (seed, step, layer, place in the step) and never stored. Dropout draws one number an element, Dropout2d one
// an image and channel (WHOLE_CHANNELS).

override ELEMENTS: u32;
override CHANNELS: u32;         // size of the last dimension
override ROW: u32;              // elements of one image or row
override WHOLE_CHANNELS: bool;
override THRESHOLD: u32;        // p * 2^32: an element is kept if its bits are not below
override SCALE: f32;            // 1 / (1 - p)
override LAYER: u32;
override ACCUMULATE: bool;

@group(0) @binding(0) var<storage, read> x: array<f32>;         // [ELEMENTS]
@group(0) @binding(1) var<storage, read> step: array<Step>;     // [1]
@group(0) @binding(2) var<storage, read_write> y: array<f32>;   // [ELEMENTS]

fn mask(state: Step, index: u32) -> f32 {
    let place = state.first * ROW + index;
    let unit = select(place, (place / ROW) * CHANNELS + place % CHANNELS, WHOLE_CHANNELS);
    let bits = random_bits(state.seed, state.in_training, LAYER, unit);
    return select(0.0, SCALE, bits >= THRESHOLD);
}

@compute @workgroup_size(64)
fn forward(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let index = flat_index(workgroup_id, workgroups, local_index, 64u);
    if index < ELEMENTS {
        y[index] = x[index] * mask(step[0], index);
    }
}

@group(0) @binding(0) var<storage, read> dy: array<f32>;        // [ELEMENTS]
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;  // [ELEMENTS]

@compute @workgroup_size(64)
fn backward(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let index = flat_index(workgroup_id, workgroups, local_index, 64u);
    if index < ELEMENTS {
        dx[index] = select(0.0, dx[index], ACCUMULATE) + dy[index] * mask(step[0], index);
    }
}
