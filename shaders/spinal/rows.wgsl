// Library: spinal, activation, index
// z_l = U_l s_l + V_l h_{l-1} + b_l,   h_l = phi(z_l),   s_l[j] = x[(l*SPLIT + j) mod IN]            forward
// dz_l = phi'(z_l) * (dL/dh_l + V_{l+1}^T dz_{l+1}),   dx = sum_l U_l^T dz_l at the places of s_l    backward
//                                                                     (without dx: backward_states)
// dU_l = sum_batch dz_l s_l^T,   dV_l = sum_batch dz_l h_{l-1}^T,   db_l = sum_batch dz_l            backward_weight
//
// The whole chain in one dispatch: an invocation takes one row of the batch through it, 8 units at a time, and reads the
// weights from a uniform buffer, eight invocations one for one another. For adapters that run shaders on the CPU: barriers and
// storage loads are dear there.

const UNITS: u32 = 8u;
const LANES: u32 = 8u;

@group(0) @binding(0) var<storage, read> x: array<f32>;              // [BATCH, IN]
@group(0) @binding(1) var<uniform> parameters: array<vec4<f32>, 4096>;     // all Linears one after another
@group(0) @binding(2) var<storage, read_write> h: array<f32>;        // [BATCH, DEPTH * WIDTH]

fn parameter(index: u32) -> f32 {
    return parameters[index / 4u][index % 4u];
}

// What each of the eight invocations holds, for all of them.
fn shared_units(own: f32) -> array<f32, UNITS> {
    return array<f32, UNITS>(
        subgroupBroadcast(own, 0u),
        subgroupBroadcast(own, 1u),
        subgroupBroadcast(own, 2u),
        subgroupBroadcast(own, 3u),
        subgroupBroadcast(own, 4u),
        subgroupBroadcast(own, 5u),
        subgroupBroadcast(own, 6u),
        subgroupBroadcast(own, 7u),
    );
}

// sums[u] += value * weights[u]
fn add_units(sums: ptr<function, array<f32, UNITS>>, value: f32, weights: array<f32, UNITS>) {
    for (var u = 0u; u < UNITS; u++) {
        (*sums)[u] += value * weights[u];
    }
}

override GROUPS = (WIDTH + UNITS - 1u) / UNITS;     // of units that an invocation takes together

override ITERATIONS_FORWARD: u32 = DEPTH * (1u + GROUPS * (1u + UNITS + (SPLIT + WIDTH) * (1u + UNITS)));

// Rows past the end repeat the last one and are not stored: all eight invocations load parameters for one another.
@compute @workgroup_size(LANES)
fn forward(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let index = flat_index(workgroup_id, workgroups, lane, LANES);
    let row = min(index, BATCH - 1u);
    for (var l = 0u; l < DEPTH; l++) {
        let linear = linear_at(linear_of(l));
        for (var first = 0u; first < WIDTH; first += UNITS) {
            let unit = min(first + lane, WIDTH - 1u);
            let weight = linear.weight + unit * linear.columns;
            var sums = shared_units(parameter(linear.bias + unit));
            for (var j = 0u; j < SPLIT; j++) {
                add_units(&sums, x[row * IN + (l * SPLIT + j) % IN], shared_units(parameter(weight + j)));
            }
            if l > 0u {
                for (var k = 0u; k < WIDTH; k++) {
                    let value = h[(row * DEPTH + l - 1u) * WIDTH + k];
                    add_units(&sums, value, shared_units(parameter(weight + SPLIT + k)));
                }
            }
            for (var u = 0u; u < UNITS; u++) {
                if index < BATCH && first + u < WIDTH {
                    h[(row * DEPTH + l) * WIDTH + first + u] = activate(ACTIVATION, sums[u]);
                }
            }
        }
    }
}

@group(0) @binding(0) var<storage, read> outputs: array<f32>;        // the h of forward
@group(0) @binding(2) var<storage, read> dh: array<f32>;             // [BATCH, DEPTH * WIDTH], dL/dh from the output layer
@group(0) @binding(3) var<storage, read_write> dz: array<f32>;       // [BATCH, DEPTH * WIDTH]
@group(0) @binding(4) var<storage, read_write> dx: array<f32>;       // [BATCH, IN]

override UNITS_ITERATIONS = 2u * UNITS + WIDTH * (1u + UNITS);     // of units_backward

// dz of units `first..first + UNITS` of sub-layer l of one row, stored and returned; 0 past the last unit.
fn units_backward(row: u32, l: u32, first: u32, lane: u32, stores: bool) -> array<f32, UNITS> {
    var sums = array<f32, UNITS>();
    for (var u = 0u; u < UNITS; u++) {
        sums[u] = dh[(row * DEPTH + l) * WIDTH + min(first + u, WIDTH - 1u)];
    }
    if l + 1u < DEPTH {
        let next = linear_at(linear_of(l + 1u));
        let weight = next.weight + SPLIT + min(first + lane, WIDTH - 1u);
        for (var k = 0u; k < WIDTH; k++) {
            let value = dz[(row * DEPTH + l + 1u) * WIDTH + k];
            add_units(&sums, value, shared_units(parameter(weight + k * next.columns)));
        }
    }
    for (var u = 0u; u < UNITS; u++) {
        let place = (row * DEPTH + l) * WIDTH + min(first + u, WIDTH - 1u);
        let gradient = activation_slope(ACTIVATION, outputs[place]) * sums[u];
        sums[u] = select(0.0, gradient, first + u < WIDTH);
        if stores && first + u < WIDTH {
            dz[place] = gradient;
        }
    }
    return sums;
}

override ITERATIONS_BACKWARD: u32 = IN + DEPTH * (1u + GROUPS * (1u + UNITS_ITERATIONS + SPLIT * (1u + UNITS)));

@compute @workgroup_size(LANES)
fn backward(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let index = flat_index(workgroup_id, workgroups, lane, LANES);
    let row = min(index, BATCH - 1u);
    let stores = index < BATCH;
    if !ACCUMULATE && stores {
        for (var i = 0u; i < IN; i++) {
            dx[row * IN + i] = 0.0;
        }
    }
    for (var step = 0u; step < DEPTH; step++) {
        let l = DEPTH - 1u - step;
        let linear = linear_at(linear_of(l));
        for (var first = 0u; first < WIDTH; first += UNITS) {
            let gradients = units_backward(row, l, first, lane, stores);
            let weight = linear.weight + min(first + lane, WIDTH - 1u) * linear.columns;
            for (var j = 0u; j < SPLIT; j++) {
                let place = row * IN + (l * SPLIT + j) % IN;
                let weights = shared_units(parameter(weight + j));
                var sum = dx[place];
                for (var u = 0u; u < UNITS; u++) {
                    sum += gradients[u] * weights[u];
                }
                if stores {
                    dx[place] = sum;
                }
            }
        }
    }
}

override ITERATIONS_BACKWARD_STATES: u32 = DEPTH * (1u + GROUPS * (1u + UNITS_ITERATIONS));

@compute @workgroup_size(LANES)
fn backward_states(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let index = flat_index(workgroup_id, workgroups, lane, LANES);
    for (var step = 0u; step < DEPTH; step++) {
        for (var first = 0u; first < WIDTH; first += UNITS) {
            _ = units_backward(min(index, BATCH - 1u), DEPTH - 1u - step, first, lane, index < BATCH);
        }
    }
}

@group(0) @binding(0) var<storage, read> input: array<f32>;               // the x of forward
@group(0) @binding(1) var<storage, read> states: array<f32>;              // the h of forward
@group(0) @binding(2) var<uniform> dstates: array<vec4<f32>, 4096>;          // the dz of backward
@group(0) @binding(3) var<storage, read_write> dparameters: array<f32>;   // like parameters

override ITERATIONS_BACKWARD_WEIGHT: u32 = DEPTH + LAYERS_OF_LINEAR * BATCH * (1u + UNITS) + UNITS;

// One invocation for one column of [U, V, b] (x), 8 units (y) and one Linear (z).
@compute @workgroup_size(LANES)
fn backward_weight(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let id = unfold(workgroup_id, workgroups);
    if is_behind_grid(id) {
        return;
    }
    let index = LANES * id.x + lane;
    let column = min(index, SPLIT + WIDTH);
    let first = id.y * UNITS;
    let linear = linear_at(id.z);
    let is_bias = column == SPLIT + WIDTH;
    let is_state = column >= SPLIT && column < SPLIT + WIDTH;
    let unit = min(first + lane, WIDTH - 1u);
    var sums = array<f32, UNITS>();
    for (var l = id.z; l < DEPTH; l++) {
        if linear_of(l) != id.z {
            continue;
        }
        for (var row = 0u; row < BATCH; row++) {
            var value = 1.0;
            if is_state && l > 0u {
                value = states[(row * DEPTH + l - 1u) * WIDTH + column - SPLIT];
            } else if !is_bias {
                value = input[row * IN + (l * SPLIT + column) % IN];
            }
            let place = (row * DEPTH + l) * WIDTH + unit;
            add_units(&sums, value, shared_units(dstates[place / 4u][place % 4u]));
        }
    }
    if index > SPLIT + WIDTH || (id.z == 0u && is_state) {
        return;
    }
    for (var u = 0u; u < UNITS; u++) {
        if first + u < WIDTH {
            let weight = linear.weight + (first + u) * linear.columns + column;
            let place = select(weight, linear.bias + first + u, is_bias);
            dparameters[place] = select(0.0, dparameters[place], ACCUMULATE) + sums[u];
        }
    }
}
