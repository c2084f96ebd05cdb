// Library: spinal, activation, index
// z_l = U_l s_l + V_l h_{l-1} + b_l,   h_l = phi(z_l),   s_l[j] = x[(l*SPLIT + j) mod IN]            forward
// dz_l = phi'(z_l) * (dL/dh_l + V_{l+1}^T dz_{l+1}),   dx = sum_l U_l^T dz_l at the places of s_l    backward
//                                                                     (without dx: backward_states)
// dU_l = sum_batch dz_l s_l^T,   dV_l = sum_batch dz_l h_{l-1}^T,   db_l = sum_batch dz_l            backward_weight
//
// The whole chain in one dispatch: a workgroup takes one row of the batch. Its invocations share the units of a sub-layer, and
// the products of a unit, and meet at a barrier before the next.

override UNIT_LANES: u32;     // units that a workgroup takes at a time: a power of 2

const WORKGROUP: u32 = 256u;

override LANES_OF_UNIT = WORKGROUP / UNIT_LANES;
override SHARES = WIDTH * LANES_OF_UNIT;

@group(0) @binding(0) var<storage, read> x: array<f32>;              // [BATCH, IN]
@group(0) @binding(1) var<storage, read> parameters: array<f32>;     // all Linears one after another
@group(0) @binding(2) var<storage, read_write> h: array<f32>;        // [BATCH, DEPTH * WIDTH]

var<workgroup> hidden: array<f32, WIDTH>;     // h_{l-1} in forward, dz_{l+1} in backward
var<workgroup> shares: array<f32, SHARES>;     // what each lane has added up of each unit

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
