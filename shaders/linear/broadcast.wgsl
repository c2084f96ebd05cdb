// Library: block, index
// y = x * weight^T + bias                          forward
// dx = dy * weight                                 backward_input
// dweight = dy^T * x,   dbias = sum_batch dy       backward_weight
//
// A matrix product by broadcasts, in blocks of `lib/block.wgsl` of one tile. A sum that is longer than the adapter takes is
// made in pieces.

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

// The columns of an invocation: every eighth from `first + lane`, none past `end - 1`.
fn columns_of(first: u32, lane: u32, end: u32) -> vec4<u32> {
    return min(vec4<u32>(first + lane) + LANES * vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(end - 1u));
}

override ITERATIONS_FORWARD: u32 = COUNT + 96u;
const TILE_FORWARD = vec3<u32>(4u, 16u, 1u);

@compute @workgroup_size(LANES)
fn forward(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let id = unfold(workgroup_id, workgroups);
    if is_behind_grid(id) {
        return;
    }
    let columns = columns_of(COLUMNS * id.x, lane, OUT);
    let rows = block_rows_of(ROWS * id.y, lane, BATCH) * IN;
    let weights = columns * IN;
    let biases = vec4<f32>(bias[columns.x], bias[columns.y], bias[columns.z], bias[columns.w]);
    let start = select(biases, vec4<f32>(), ACCUMULATE);
    var sums: Block;
    for (var r = 0u; r < ROWS; r++) {
        sums[r] = start;
    }
    for (var i = FIRST; i < FIRST + COUNT; i++) {
        let w = vec4<f32>(weight[weights.x + i], weight[weights.y + i], weight[weights.z + i], weight[weights.w + i]);
        add_summand(&sums, vec4<f32>(x[rows.x + i], x[rows.y + i], 0.0, 0.0), w, vec4<f32>());
    }
    for (var r = 0u; r < ROWS; r++) {
        for (var c = 0u; c < 4u; c++) {
            let column = COLUMNS * id.x + LANES * c + lane;
            if ROWS * id.y + r < BATCH && column < OUT {
                let place = (ROWS * id.y + r) * OUT + column;
                y[place] = select(0.0, y[place], ACCUMULATE) + sums[r][c];
            }
        }
    }
}

@group(0) @binding(0) var<storage, read> dy: array<f32>;             // [BATCH, OUT]
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;       // [BATCH, IN]

override ITERATIONS_BACKWARD_INPUT: u32 = COUNT + 80u;
const TILE_BACKWARD_INPUT = vec3<u32>(4u, 16u, 1u);

@compute @workgroup_size(LANES)
fn backward_input(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let id = unfold(workgroup_id, workgroups);
    if is_behind_grid(id) {
        return;
    }
    let columns = columns_of(COLUMNS * id.x, lane, IN);
    let rows = block_rows_of(ROWS * id.y, lane, BATCH) * OUT;
    var sums: Block;
    for (var o = FIRST; o < FIRST + COUNT; o++) {
        let places = o * IN + columns;
        let w = vec4<f32>(weight[places.x], weight[places.y], weight[places.z], weight[places.w]);
        add_summand(&sums, vec4<f32>(dy[rows.x + o], dy[rows.y + o], 0.0, 0.0), w, vec4<f32>());
    }
    for (var r = 0u; r < ROWS; r++) {
        for (var c = 0u; c < 4u; c++) {
            let column = COLUMNS * id.x + LANES * c + lane;
            if ROWS * id.y + r < BATCH && column < IN {
                let place = (ROWS * id.y + r) * IN + column;
                dx[place] = select(0.0, dx[place], ACCUMULATE) + sums[r][c];
            }
        }
    }
}

@group(0) @binding(1) var<storage, read> input: array<f32>;          // [BATCH, IN], the x of forward
@group(0) @binding(2) var<storage, read_write> dweight: array<f32>;  // [OUT, IN]
@group(0) @binding(3) var<storage, read_write> dbias: array<f32>;    // [OUT]

override ITERATIONS_BACKWARD_WEIGHT: u32 = COUNT + 80u;
const TILE_BACKWARD_WEIGHT = vec3<u32>(4u, 16u, 1u);

// Columns run over IN + 1: the last one stands for the bias, whose input is 1.
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
    let columns = columns_of(COLUMNS * id.x, lane, IN);
    let is_bias = vec4<u32>(COLUMNS * id.x + lane) + LANES * vec4<u32>(0u, 1u, 2u, 3u) == vec4<u32>(IN);
    let rows = block_rows_of(ROWS * id.y, lane, OUT);
    var sums: Block;
    for (var n = FIRST; n < FIRST + COUNT; n++) {
        let places = n * IN + columns;
        let values = vec4<f32>(input[places.x], input[places.y], input[places.z], input[places.w]);
        let b = select(values, vec4<f32>(1.0), is_bias);
        add_summand(&sums, vec4<f32>(dy[n * OUT + rows.x], dy[n * OUT + rows.y], 0.0, 0.0), b, vec4<f32>());
    }
    for (var r = 0u; r < ROWS; r++) {
        for (var c = 0u; c < 4u; c++) {
            let out = ROWS * id.y + r;
            let column = COLUMNS * id.x + LANES * c + lane;
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
