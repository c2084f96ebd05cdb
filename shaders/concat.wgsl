// Library: index, random, step
// y[n, Y_START + j] = mask * a[n, (A_START + j) mod A_SIZE],              j < A_COLUMNS           forward, forward_pair
// y[n, Y_START + A_COLUMNS + j] = mask * b[n, (B_START + j) mod B_SIZE],  j < B_COLUMNS                    forward_pair
// da[n, (A_START + j) mod A_SIZE] += mask * dy[n, Y_START + j], and db likewise                  backward, backward_pair
//
// One dispatch copies one or two operands of a concatenation, or one slice, through the dropout behind it: the mask is that
// of dropout.wgsl for y. A_COLUMNS <= A_SIZE, so that no element of da is reached twice.

override BATCH: u32;
override A_COLUMNS: u32;
override A_SIZE: u32;
override A_START: u32;
override B_COLUMNS: u32;
override B_SIZE: u32;
override B_START: u32;
override Y_COLUMNS: u32;
override Y_START: u32;
override THRESHOLD: u32;        // p * 2^32: an element is kept if its bits are not below
override SCALE: f32;            // 1 / (1 - p)
override LAYER: u32;
override ACCUMULATE_A: bool;
override ACCUMULATE_B: bool;

@group(0) @binding(0) var<storage, read> a: array<f32>;         // [BATCH, A_SIZE]
@group(0) @binding(1) var<storage, read> b: array<f32>;         // [BATCH, B_SIZE]
@group(0) @binding(2) var<storage, read> step: array<Step>;     // [1]
@group(0) @binding(3) var<storage, read_write> y: array<f32>;   // [BATCH, Y_COLUMNS]

// The row, and the column counted from Y_START, of an invocation that covers `columns` of y.
fn place_of(index: u32, columns: u32) -> vec2<u32> {
    return vec2<u32>(index / columns, index % columns);
}

fn a_index(place: vec2<u32>) -> u32 {
    return place.x * A_SIZE + (A_START + place.y) % A_SIZE;
}

fn b_index(place: vec2<u32>) -> u32 {
    return place.x * B_SIZE + (B_START + place.y - A_COLUMNS) % B_SIZE;
}

fn y_index(place: vec2<u32>) -> u32 {
    return place.x * Y_COLUMNS + Y_START + place.y;
}

fn masked(value: f32, index: u32) -> f32 {
    if THRESHOLD == 0u {
        return value;
    }
    let place = step[0].first * Y_COLUMNS + index;
    let bits = random_bits(step[0].seed, step[0].in_training, LAYER, place);
    return value * select(0.0, SCALE, bits >= THRESHOLD);
}

@compute @workgroup_size(64)
fn forward(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let place = place_of(flat_index(workgroup_id, workgroups, local_index, 64u), A_COLUMNS);
    if place.x < BATCH {
        y[y_index(place)] = masked(a[a_index(place)], y_index(place));
    }
}

@compute @workgroup_size(64)
fn forward_pair(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let place = place_of(flat_index(workgroup_id, workgroups, local_index, 64u), A_COLUMNS + B_COLUMNS);
    if place.x >= BATCH {
        return;
    }
    if place.y < A_COLUMNS {
        y[y_index(place)] = masked(a[a_index(place)], y_index(place));
    } else {
        y[y_index(place)] = masked(b[b_index(place)], y_index(place));
    }
}

@group(0) @binding(0) var<storage, read> dy: array<f32>;        // [BATCH, Y_COLUMNS]
@group(0) @binding(1) var<storage, read_write> da: array<f32>;  // [BATCH, A_SIZE]
@group(0) @binding(3) var<storage, read_write> db: array<f32>;  // [BATCH, B_SIZE]

@compute @workgroup_size(64)
fn backward(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let place = place_of(flat_index(workgroup_id, workgroups, local_index, 64u), A_COLUMNS);
    if place.x < BATCH {
        let index = a_index(place);
        da[index] = select(0.0, da[index], ACCUMULATE_A) + masked(dy[y_index(place)], y_index(place));
    }
}

@compute @workgroup_size(64)
fn backward_pair(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let place = place_of(flat_index(workgroup_id, workgroups, local_index, 64u), A_COLUMNS + B_COLUMNS);
    if place.x >= BATCH {
        return;
    }
    let gradient = masked(dy[y_index(place)], y_index(place));
    if place.y < A_COLUMNS {
        let index = a_index(place);
        da[index] = select(0.0, da[index], ACCUMULATE_A) + gradient;
    } else {
        let index = b_index(place);
        db[index] = select(0.0, db[index], ACCUMULATE_B) + gradient;
    }
}
