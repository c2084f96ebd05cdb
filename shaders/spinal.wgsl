// z_l = U_l s_l + V_l h_{l-1} + b_l,   h_l = phi(z_l),   s_l[j] = x[(l*SPLIT + j) mod IN]            forward
// dz_l = phi'(z_l) * (dL/dh_l + V_{l+1}^T dz_{l+1}),   dx = sum_l U_l^T dz_l at the places of s_l    backward
//                                                                     (without dx: backward_states)
// dU_l = sum_batch dz_l s_l^T,   dV_l = sum_batch dz_l h_{l-1}^T,   db_l = sum_batch dz_l            backward_weight
//
// The whole chain of sub-layers in one dispatch (paper, section II). Two families of kernels do it:
// - `forward`, `backward`, ..: a workgroup takes one row of the batch; its invocations share the units of a sub-layer, and
//   the products of a unit, and meet at a barrier before the next.
// - `rows_forward`, `rows_backward`, ..: an invocation takes one row through the whole chain, 8 units at a time, and reads
//   the weights from a uniform buffer, eight invocations one for one another. For adapters that run shaders on the CPU:
//   barriers and storage loads are dear there.
// Each Linear holds [U_l, V_l] as one weight [WIDTH, SPLIT + WIDTH], the first one [WIDTH, SPLIT] (there is no h before
// it), followed by its bias.
// Tied sub-layers use the parameters of an earlier one: see `linear_of`.

override BATCH: u32;
override IN: u32;
override SPLIT: u32;
override WIDTH: u32;
override DEPTH: u32;
override LINEARS: u32;        // distinct Linears; the later sub-layers repeat the last PERIOD of them in turn
override PERIOD: u32;
override FIRST_BIAS: u32;     // where the bias of Linear 0 starts in `parameters`
override SECOND: u32;         // where Linear 1 starts
override BIAS: u32;           // from the start of Linear 1 to its bias
override STRIDE: u32;         // from Linear 1 to Linear 2, and so on
override ACTIVATION: u32;
override ACCUMULATE: bool;
override UNIT_LANES: u32;     // units that a workgroup takes at a time: a power of 2

const WORKGROUP: u32 = 256u;

override LANES_OF_UNIT = WORKGROUP / UNIT_LANES;

// The Linear that sub-layer l applies.
fn linear_of(l: u32) -> u32 {
    if l < LINEARS {
        return l;
    }
    return LINEARS - PERIOD + (l - LINEARS) % PERIOD;
}

struct Linear {
    weight: u32,   // first element of [U, V]
    bias: u32,     // first element of b
    columns: u32,  // SPLIT, or SPLIT + WIDTH
}

fn linear_at(index: u32) -> Linear {
    if index == 0u {
        return Linear(0u, FIRST_BIAS, SPLIT);
    }
    let start = SECOND + (index - 1u) * STRIDE;
    return Linear(start, start + BIAS, SPLIT + WIDTH);
}

@group(0) @binding(0) var<storage, read> x: array<f32>;              // [BATCH, IN]
@group(0) @binding(1) var<storage, read> parameters: array<f32>;     // all Linears one after another
@group(0) @binding(2) var<storage, read_write> h: array<f32>;        // [BATCH, DEPTH * WIDTH]

var<workgroup> hidden: array<f32, WIDTH>;     // h_{l-1} in forward, dz_{l+1} in backward
var<workgroup> shares: array<f32, WIDTH * LANES_OF_UNIT>;   // what each lane has added up of each unit

override UNITS_OF_LANE = (WIDTH + UNIT_LANES - 1u) / UNIT_LANES;
override STATES_OF_LANE = (WIDTH + LANES_OF_UNIT - 1u) / LANES_OF_UNIT;
override INPUTS_OF_LANE = (SPLIT + LANES_OF_UNIT - 1u) / LANES_OF_UNIT;
override SUM_ITERATIONS = (WIDTH + WORKGROUP - 1u) / WORKGROUP * (1u + LANES_OF_UNIT);

override ITERATIONS_FORWARD: u32 = DEPTH * (1u + UNITS_OF_LANE * (1u + INPUTS_OF_LANE + STATES_OF_LANE) + SUM_ITERATIONS);

// Neighbours take neighbouring inputs of a unit, which lie side by side in its row of the weight.
@compute @workgroup_size(WORKGROUP)
fn forward(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let row = flat_index(workgroup_id, workgroups, 0u, 1u);
    let lane = local_index % LANES_OF_UNIT;
    for (var l = 0u; l < DEPTH; l++) {
        let linear = linear_at(linear_of(l));
        for (var unit = local_index / LANES_OF_UNIT; unit < WIDTH; unit += UNIT_LANES) {
            let weight = linear.weight + unit * linear.columns;
            var sum = 0.0;
            if row < BATCH {
                for (var j = lane; j < SPLIT; j += LANES_OF_UNIT) {
                    sum += parameters[weight + j] * x[row * IN + (l * SPLIT + j) % IN];
                }
            }
            if l > 0u {
                for (var k = lane; k < WIDTH; k += LANES_OF_UNIT) {
                    sum += parameters[weight + SPLIT + k] * hidden[k];
                }
            }
            shares[unit * LANES_OF_UNIT + lane] = sum;
        }
        workgroupBarrier();
        for (var unit = local_index; unit < WIDTH; unit += WORKGROUP) {
            var sum = parameters[linear.bias + unit];
            for (var i = 0u; i < LANES_OF_UNIT; i++) {
                sum += shares[unit * LANES_OF_UNIT + i];
            }
            hidden[unit] = activate(ACTIVATION, sum);
            if row < BATCH {
                h[(row * DEPTH + l) * WIDTH + unit] = hidden[unit];
            }
        }
        workgroupBarrier();
    }
}

@group(0) @binding(0) var<storage, read> outputs: array<f32>;        // the h of forward
@group(0) @binding(2) var<storage, read> dh: array<f32>;             // [BATCH, DEPTH * WIDTH], dL/dh from the output layer
@group(0) @binding(3) var<storage, read_write> dz: array<f32>;       // [BATCH, DEPTH * WIDTH]
@group(0) @binding(4) var<storage, read_write> dx: array<f32>;       // [BATCH, IN]

override CHAIN_ITERATIONS = DEPTH * (1u + UNITS_OF_LANE * (1u + STATES_OF_LANE) + SUM_ITERATIONS);

// dz of every sub-layer of one row, last to first. Neighbours take neighbouring units, which lie side by side in every row
// of the next weight.
fn chain_backward(row: u32, local_index: u32) {
    let lane = local_index / UNIT_LANES;
    for (var step = 0u; step < DEPTH; step++) {
        let l = DEPTH - 1u - step;
        for (var unit = local_index % UNIT_LANES; unit < WIDTH; unit += UNIT_LANES) {
            var sum = 0.0;
            if step > 0u {
                let next = linear_at(linear_of(l + 1u));
                for (var k = lane; k < WIDTH; k += LANES_OF_UNIT) {
                    sum += parameters[next.weight + k * next.columns + SPLIT + unit] * hidden[k];
                }
            }
            shares[lane * WIDTH + unit] = sum;
        }
        workgroupBarrier();
        for (var unit = local_index; unit < WIDTH; unit += WORKGROUP) {
            if row < BATCH {
                let place = (row * DEPTH + l) * WIDTH + unit;
                var sum = dh[place];
                for (var i = 0u; i < LANES_OF_UNIT; i++) {
                    sum += shares[i * WIDTH + unit];
                }
                hidden[unit] = activation_slope(ACTIVATION, outputs[place]) * sum;
                dz[place] = hidden[unit];
            }
        }
        workgroupBarrier();
    }
}

override ITERATIONS_BACKWARD: u32 = CHAIN_ITERATIONS + (IN + WORKGROUP - 1u) / WORKGROUP * (1u + DEPTH * (1u + WIDTH));

@compute @workgroup_size(WORKGROUP)
fn backward(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let row = flat_index(workgroup_id, workgroups, 0u, 1u);
    chain_backward(row, local_index);
    storageBarrier();
    if row >= BATCH {
        return;
    }
    for (var i = local_index; i < IN; i += WORKGROUP) {
        var sum = select(0.0, dx[row * IN + i], ACCUMULATE);
        for (var l = 0u; l < DEPTH; l++) {
            let j = (i + IN - (l * SPLIT) % IN) % IN;
            if j < SPLIT {
                let linear = linear_at(linear_of(l));
                for (var unit = 0u; unit < WIDTH; unit++) {
                    let weight = parameters[linear.weight + unit * linear.columns + j];
                    sum += weight * dz[(row * DEPTH + l) * WIDTH + unit];
                }
            }
        }
        dx[row * IN + i] = sum;
    }
}

override ITERATIONS_BACKWARD_STATES: u32 = CHAIN_ITERATIONS;

@compute @workgroup_size(WORKGROUP)
fn backward_states(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    chain_backward(flat_index(workgroup_id, workgroups, 0u, 1u), local_index);
}

@group(0) @binding(0) var<storage, read> input: array<f32>;               // the x of forward
@group(0) @binding(1) var<storage, read> states: array<f32>;              // the h of forward
@group(0) @binding(2) var<storage, read> dstates: array<f32>;             // the dz of backward
@group(0) @binding(3) var<storage, read_write> dparameters: array<f32>;   // like parameters

override LAYERS_OF_LINEAR = 1u + (DEPTH - LINEARS + PERIOD - 1u) / PERIOD;   // at most

override ITERATIONS_BACKWARD_WEIGHT: u32 = DEPTH + LAYERS_OF_LINEAR * BATCH;

// One invocation for one column of [U, V, b] (x), one unit (y) and one Linear (z).
@compute @workgroup_size(64)
fn backward_weight(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let id = unfold(workgroup_id, workgroups);
    if is_behind_grid(id) {
        return;
    }
    let column = 64u * id.x + local_index;
    let unit = id.y;
    let linear = linear_at(id.z);
    if column > SPLIT + WIDTH || (id.z == 0u && column >= SPLIT && column < SPLIT + WIDTH) {
        return;
    }
    var sum = 0.0;
    for (var l = id.z; l < DEPTH; l++) {
        if linear_of(l) != id.z {
            continue;
        }
        for (var row = 0u; row < BATCH; row++) {
            var value = 1.0;
            if column < SPLIT {
                value = input[row * IN + (l * SPLIT + column) % IN];
            } else if column < SPLIT + WIDTH {
                value = states[(row * DEPTH + l - 1u) * WIDTH + column - SPLIT];
            }
            sum += value * dstates[(row * DEPTH + l) * WIDTH + unit];
        }
    }
    let place = select(linear.weight + unit * linear.columns + column, linear.bias + unit, column == SPLIT + WIDTH);
    dparameters[place] = select(0.0, dparameters[place], ACCUMULATE) + sum;
}

const UNITS: u32 = 8u;
const LANES: u32 = 8u;

@group(0) @binding(1) var<uniform> uniform_parameters: array<vec4<f32>, 4096>;  // like parameters

fn parameter(index: u32) -> f32 {
    return uniform_parameters[index / 4u][index % 4u];
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

override ITERATIONS_ROWS_FORWARD: u32 = DEPTH * (1u + GROUPS * (1u + UNITS + (SPLIT + WIDTH) * (1u + UNITS)));

// Rows past the end repeat the last one and are not stored: all eight invocations load parameters for one another.
@compute @workgroup_size(LANES)
fn rows_forward(
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

override ITERATIONS_ROWS_BACKWARD: u32 = IN + DEPTH * (1u + GROUPS * (1u + UNITS_ITERATIONS + SPLIT * (1u + UNITS)));

@compute @workgroup_size(LANES)
fn rows_backward(
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

override ITERATIONS_ROWS_BACKWARD_STATES: u32 = DEPTH * (1u + GROUPS * (1u + UNITS_ITERATIONS));

@compute @workgroup_size(LANES)
fn rows_backward_states(
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

@group(0) @binding(2) var<uniform> uniform_dstates: array<vec4<f32>, 4096>;     // like dstates

override ITERATIONS_ROWS_BACKWARD_WEIGHT: u32 = DEPTH + LAYERS_OF_LINEAR * BATCH * (1u + UNITS) + UNITS;

// One invocation for one column of [U, V, b] (x), 8 units (y) and one Linear (z).
@compute @workgroup_size(LANES)
fn rows_backward_weight(
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
            add_units(&sums, value, shared_units(uniform_dstates[place / 4u][place % 4u]));
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
