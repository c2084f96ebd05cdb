// Library: index, step
// x[n] = normalise(images[order[n]]),   y[n] = labels[order[n]]       images
// x[n] = inputs[order[n]],   y[n] = targets[order[n]]                 rows
// x[n] = inputs[order[n]]                                             features
//
// Fetches the batch of this step from the resident data set. Bytes lie four to a word, the first in the lowest bits.

override BATCH: u32;
override FULL_BATCH: u32;    // rows of every step of the epoch but the last
override SIZE: u32;          // values of one image or row
override CHANNELS: u32;      // size of the last dimension
override TARGETS: u32;       // values of one target
override STAGED: bool;       // the images are those of the batch in its order
override STRIDE: u32;        // bytes from one image to the next

@group(0) @binding(0) var<storage, read> step: array<Step>;               // [1]
@group(0) @binding(1) var<storage, read> order: array<u32>;               // [count], a permutation of the data set
@group(0) @binding(2) var<storage, read> images: array<u32>;              // [count, SIZE] bytes
@group(0) @binding(3) var<storage, read> labels: array<u32>;              // [count] bytes
@group(0) @binding(4) var<storage, read> normalisation: array<f32>;       // [2, CHANNELS]: x = byte * scale + shift
@group(0) @binding(5) var<storage, read_write> x: array<f32>;             // [BATCH, SIZE]
@group(0) @binding(6) var<storage, read_write> batch_labels: array<u32>;  // [BATCH]

const TILE_IMAGES_FORWARD = vec3<u32>(4u, 1u, 1u);

override ITERATIONS_IMAGES_FORWARD: u32 = 4u;

// Four neighbouring values an invocation: where the size of an image is a multiple of four, they are one word.
@compute @workgroup_size(64)
fn images_forward(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let first = 4u * flat_index(workgroup_id, workgroups, local_index, 64u);
    var source = 0u;
    var word = 0u;
    for (var i = 0u; i < 4u; i++) {
        let index = first + i;
        if index >= BATCH * SIZE {
            return;
        }
        let row = index / SIZE;
        let value = index % SIZE;
        if i == 0u || SIZE % 4u != 0u {
            source = order[step[0].in_epoch * FULL_BATCH + step[0].first + row];
            word = images[(select(source, row, STAGED) * STRIDE + value) / 4u];
        }
        let byte = select(source, row, STAGED) * STRIDE + value;
        let pixel = (word >> (8u * (byte % 4u))) & 0xffu;
        let channel = value % CHANNELS;
        x[index] = f32(pixel) * normalisation[channel] + normalisation[CHANNELS + channel];
        if value == 0u {
            batch_labels[row] = (labels[source / 4u] >> (8u * (source % 4u))) & 0xffu;
        }
    }
}

// The labels alone, for images that are augmented on their way.
@compute @workgroup_size(64)
fn labels_forward(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let row = flat_index(workgroup_id, workgroups, local_index, 64u);
    if row < BATCH {
        let source = order[step[0].in_epoch * FULL_BATCH + step[0].first + row];
        batch_labels[row] = (labels[source / 4u] >> (8u * (source % 4u))) & 0xffu;
    }
}

@group(0) @binding(2) var<storage, read> inputs: array<f32>;              // [count, SIZE]
@group(0) @binding(3) var<storage, read> targets: array<f32>;             // [count, TARGETS]
@group(0) @binding(6) var<storage, read_write> batch_targets: array<f32>; // [BATCH, TARGETS]

@compute @workgroup_size(64)
fn rows_forward(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let index = flat_index(workgroup_id, workgroups, local_index, 64u);
    if index >= BATCH * (SIZE + TARGETS) {
        return;
    }
    let row = index / (SIZE + TARGETS);
    let value = index % (SIZE + TARGETS);
    let source = order[step[0].in_epoch * FULL_BATCH + step[0].first + row];
    if value < SIZE {
        x[row * SIZE + value] = inputs[source * SIZE + value];
    } else {
        batch_targets[row * TARGETS + value - SIZE] = targets[source * TARGETS + value - SIZE];
    }
}

@compute @workgroup_size(64)
fn features_forward(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let index = flat_index(workgroup_id, workgroups, local_index, 64u);
    if index < BATCH * SIZE {
        let source = order[step[0].in_epoch * FULL_BATCH + step[0].first + index / SIZE];
        x[index] = inputs[source * SIZE + index % SIZE];
    }
}
