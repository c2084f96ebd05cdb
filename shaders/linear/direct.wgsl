// Library: index
// y = x * weight^T + bias                          forward
// dx = dy * weight                                 backward_input
// dweight = dy^T * x,   dbias = sum_batch dy       backward_weight
//
// Every invocation keeps a tile of 4 rows and 4 columns in registers. Rows and columns past the end repeat the last one
// and are not stored. A sum that is longer than the adapter takes is made in pieces.

override BATCH: u32;
override IN: u32;
override OUT: u32;
override FIRST: u32;            // summands FIRST to FIRST + COUNT, as a piece of a long sum;
override COUNT: u32;            // later pieces accumulate
override ACCUMULATE: bool;

@group(0) @binding(0) var<storage, read> x: array<f32>;              // [BATCH, IN]
@group(0) @binding(1) var<storage, read> weight: array<f32>;         // [OUT, IN]
@group(0) @binding(2) var<storage, read> bias: array<f32>;           // [OUT]
@group(0) @binding(3) var<storage, read_write> y: array<f32>;        // [BATCH, OUT]

override ITERATIONS_FORWARD: u32 = COUNT + 20u;
const TILE_FORWARD = vec3<u32>(4u, 4u, 1u);

// The four indices from `start`, none past `end - 1`.
fn four(start: u32, end: u32) -> vec4<u32> {
    return min(vec4<u32>(start) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(end - 1u));
}

@compute @workgroup_size(8, 8)
fn forward(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_id) local: vec3<u32>,
) {
    let place = unfold(workgroup_id, workgroups);
    if is_behind_grid(place) {
        return;
    }
    let id = 8u * place.xy + local.xy;
    let rows = four(4u * id.y, BATCH) * IN;
    let columns = four(4u * id.x, OUT);
    let weights = columns * IN;
    let biases = vec4<f32>(bias[columns.x], bias[columns.y], bias[columns.z], bias[columns.w]);
    let offset = select(biases, vec4<f32>(), ACCUMULATE);
    var sums = array<vec4<f32>, 4>(offset, offset, offset, offset);
    for (var i = FIRST; i < FIRST + COUNT; i++) {
        let w = vec4<f32>(weight[weights.x + i], weight[weights.y + i], weight[weights.z + i], weight[weights.w + i]);
        sums[0] += x[rows.x + i] * w;
        sums[1] += x[rows.y + i] * w;
        sums[2] += x[rows.z + i] * w;
        sums[3] += x[rows.w + i] * w;
    }
    for (var r = 0u; r < 4u; r++) {
        for (var c = 0u; c < 4u; c++) {
            if 4u * id.y + r < BATCH && 4u * id.x + c < OUT {
                let place = (4u * id.y + r) * OUT + 4u * id.x + c;
                y[place] = select(0.0, y[place], ACCUMULATE) + sums[r][c];
            }
        }
    }
}

@group(0) @binding(0) var<storage, read> dy: array<f32>;             // [BATCH, OUT]
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;       // [BATCH, IN]

override ITERATIONS_BACKWARD_INPUT: u32 = COUNT + 20u;
const TILE_BACKWARD_INPUT = vec3<u32>(4u, 4u, 1u);

@compute @workgroup_size(8, 8)
fn backward_input(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_id) local: vec3<u32>,
) {
    let place = unfold(workgroup_id, workgroups);
    if is_behind_grid(place) {
        return;
    }
    let id = 8u * place.xy + local.xy;
    let rows = four(4u * id.y, BATCH) * OUT;
    let columns = four(4u * id.x, IN);
    var sums = array<vec4<f32>, 4>();
    for (var o = FIRST; o < FIRST + COUNT; o++) {
        let w = vec4<f32>(
            weight[o * IN + columns.x],
            weight[o * IN + columns.y],
            weight[o * IN + columns.z],
            weight[o * IN + columns.w],
        );
        sums[0] += dy[rows.x + o] * w;
        sums[1] += dy[rows.y + o] * w;
        sums[2] += dy[rows.z + o] * w;
        sums[3] += dy[rows.w + o] * w;
    }
    for (var r = 0u; r < 4u; r++) {
        for (var c = 0u; c < 4u; c++) {
            if 4u * id.y + r < BATCH && 4u * id.x + c < IN {
                let place = (4u * id.y + r) * IN + 4u * id.x + c;
                dx[place] = select(0.0, dx[place], ACCUMULATE) + sums[r][c];
            }
        }
    }
}

@group(0) @binding(1) var<storage, read> input: array<f32>;          // [BATCH, IN], the x of forward
@group(0) @binding(2) var<storage, read_write> dweight: array<f32>;  // [OUT, IN]
@group(0) @binding(3) var<storage, read_write> dbias: array<f32>;    // [OUT]

override ITERATIONS_BACKWARD_WEIGHT: u32 = COUNT + 20u;
const TILE_BACKWARD_WEIGHT = vec3<u32>(4u, 4u, 1u);

// Columns run over IN + 1: the last one stands for the bias, whose input is 1.
@compute @workgroup_size(8, 8)
fn backward_weight(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_id) local: vec3<u32>,
) {
    let place = unfold(workgroup_id, workgroups);
    if is_behind_grid(place) {
        return;
    }
    let id = 8u * place.xy + local.xy;
    let rows = four(4u * id.y, OUT);
    let columns = four(4u * id.x, IN);
    let is_bias = vec4<u32>(4u * id.x) + vec4<u32>(0u, 1u, 2u, 3u) == vec4<u32>(IN);
    var sums = array<vec4<f32>, 4>();
    for (var n = FIRST; n < FIRST + COUNT; n++) {
        let values = vec4<f32>(
            input[n * IN + columns.x],
            input[n * IN + columns.y],
            input[n * IN + columns.z],
            input[n * IN + columns.w],
        );
        let row = select(values, vec4<f32>(1.0), is_bias);
        sums[0] += dy[n * OUT + rows.x] * row;
        sums[1] += dy[n * OUT + rows.y] * row;
        sums[2] += dy[n * OUT + rows.z] * row;
        sums[3] += dy[n * OUT + rows.w] * row;
    }
    for (var r = 0u; r < 4u; r++) {
        for (var c = 0u; c < 4u; c++) {
            let out = 4u * id.y + r;
            let column = 4u * id.x + c;
            if out < OUT && column < IN {
                let place = out * IN + column;
                dweight[place] = select(0.0, dweight[place], ACCUMULATE) + sums[r][c];
            }
            if out < OUT && column == IN {
                dbias[out] = select(0.0, dbias[out], ACCUMULATE) + sums[r][c];
            }
        }
    }
}
