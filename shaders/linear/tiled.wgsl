// y = x * weight^T + bias                          forward
// dx = dy * weight                                 backward_input
// dweight = dy^T * x,   dbias = sum_batch dy       backward_weight
// The first two in CHUNKS partial sums.
//
// Matrix products in tiles, `lib/tile.wgsl`. Where four rows or columns belong together they are a quarter of a tile apart,
// so that neighbouring invocations load and store neighbouring elements. Rows and columns past the end repeat the last one
// and are not stored; summands past the end are zero.

override BATCH: u32;
override IN: u32;
override OUT: u32;
override CHUNKS: u32;
override ACCUMULATE: bool;

@group(0) @binding(0) var<storage, read> x: array<f32>;              // [BATCH, IN]
@group(0) @binding(1) var<storage, read> weight: array<f32>;         // [OUT, IN]
@group(0) @binding(2) var<storage, read> bias: array<f32>;           // [OUT]
@group(0) @binding(3) var<storage, read_write> y: array<f32>;        // [CHUNKS, BATCH, OUT]

const FOUR = vec4<u32>(0u, 1u, 2u, 3u);

// The four rows and the four columns of a quad of each, for tile `id`.
fn rows_of(id: vec3<u32>, quad: u32) -> vec4<u32> {
    return vec4<u32>(TILE_ROWS * id.x + quad) + ROW_QUADS * FOUR;
}

fn columns_of(id: vec3<u32>, quad: u32) -> vec4<u32> {
    return vec4<u32>(TILE_COLUMNS * id.y + quad) + COLUMN_QUADS * FOUR;
}

// The four rows or columns of the product that an invocation brings, none past the last one.
fn brought(share: Share, id: vec3<u32>, rows: u32, columns: u32) -> vec4<u32> {
    if share.is_left {
        return min(rows_of(id, share.quad), vec4<u32>(rows - 1u));
    }
    return min(columns_of(id, share.quad - ROW_QUADS), vec4<u32>(columns - 1u));
}

// The four summands that it brings. Neighbours bring every fourth.
fn summands_of(share: Share, step: u32) -> vec4<u32> {
    return vec4<u32>(step * TILE_DEPTH + share.depth / 4u) + 4u * FOUR;
}

fn x_of(rows: vec4<u32>, i: u32) -> vec4<f32> {
    let places = rows * IN + i;
    return vec4<f32>(x[places.x], x[places.y], x[places.z], x[places.w]);
}

// The weights from input i to four outputs.
fn weights_to(outs: vec4<u32>, i: u32) -> vec4<f32> {
    let places = outs * IN + i;
    return vec4<f32>(weight[places.x], weight[places.y], weight[places.z], weight[places.w]);
}

fn forward_summand(share: Share, lines: vec4<u32>, k: u32) -> vec4<f32> {
    let i = min(k, IN - 1u);
    if share.is_left {
        return select(vec4<f32>(), x_of(lines, i), k < IN);
    }
    return weights_to(lines, i);
}

fn load_forward(share: Share, lines: vec4<u32>, step: u32) -> mat4x4<f32> {
    let k = summands_of(share, step);
    return mat4x4<f32>(
        forward_summand(share, lines, k.x),
        forward_summand(share, lines, k.y),
        forward_summand(share, lines, k.z),
        forward_summand(share, lines, k.w),
    );
}

override FORWARD_STEPS = (IN + TILE_DEPTH - 1u) / TILE_DEPTH;
override FORWARD_CHUNK = (FORWARD_STEPS + CHUNKS - 1u) / CHUNKS;

fn bias_of(columns: vec4<u32>, chunk: u32) -> vec4<f32> {
    let outs = min(columns, vec4<u32>(OUT - 1u));
    return select(vec4<f32>(), vec4<f32>(bias[outs.x], bias[outs.y], bias[outs.z], bias[outs.w]), chunk == 0u);
}

override ITERATIONS_FORWARD: u32 = FORWARD_CHUNK * STEP_ITERATIONS + END_ITERATIONS + BLOCK_ITERATIONS;

@compute @workgroup_size(TILE_INVOCATIONS)
fn forward(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    invocation: Invocation,
) {
    let id = unfold(workgroup_id, workgroups);
    if is_behind_grid(id) {
        return;
    }
    let share = share_of(invocation.index);
    let lines = brought(share, id, BATCH, OUT);
    let begin = id.z * FORWARD_CHUNK;
    let end = min(begin + FORWARD_CHUNK, FORWARD_STEPS);
    var sums = block_of_rows(
        bias_of(columns_of(id, quads_of(invocation, 0u, 0u).y), id.z),
        bias_of(columns_of(id, quads_of(invocation, 0u, 1u).y), id.z),
    );
    var values = load_forward(share, lines, begin);
    for (var step = begin; step < end; step++) {
        stage_share(share, values);
        workgroupBarrier();
        if step + 1u < end {
            values = load_forward(share, lines, step + 1u);
        }
        add_tile(&sums, invocation);
        workgroupBarrier();
    }
    for (var half = 0u; half < BLOCK_COLUMNS / 4u; half++) {
        for (var r = 0u; r < BLOCK_ROWS; r++) {
            let quads = quads_of(invocation, r, half);
            let row = TILE_ROWS * id.x + quads.x + ROW_QUADS * (r % 4u);
            let values = block_row(&sums, r, half);
            for (var c = 0u; c < 4u; c++) {
                let column = TILE_COLUMNS * id.y + quads.y + COLUMN_QUADS * c;
                if row < BATCH && column < OUT {
                    y[(id.z * BATCH + row) * OUT + column] = values[c];
                }
            }
        }
    }
}

@group(0) @binding(0) var<storage, read> dy: array<f32>;             // [BATCH, OUT]
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;       // [CHUNKS, BATCH, IN]

fn dy_of(rows: vec4<u32>, o: u32) -> vec4<f32> {
    let places = rows * OUT + o;
    return vec4<f32>(dy[places.x], dy[places.y], dy[places.z], dy[places.w]);
}

// The weights from four inputs to output o.
fn weights_from(ins: vec4<u32>, o: u32) -> vec4<f32> {
    let places = o * IN + ins;
    return vec4<f32>(weight[places.x], weight[places.y], weight[places.z], weight[places.w]);
}

fn backward_input_summand(share: Share, lines: vec4<u32>, k: u32) -> vec4<f32> {
    let o = min(k, OUT - 1u);
    if share.is_left {
        return select(vec4<f32>(), dy_of(lines, o), k < OUT);
    }
    return weights_from(lines, o);
}

fn load_backward_input(share: Share, lines: vec4<u32>, step: u32) -> mat4x4<f32> {
    let k = summands_of(share, step);
    return mat4x4<f32>(
        backward_input_summand(share, lines, k.x),
        backward_input_summand(share, lines, k.y),
        backward_input_summand(share, lines, k.z),
        backward_input_summand(share, lines, k.w),
    );
}

override BACKWARD_INPUT_STEPS = (OUT + TILE_DEPTH - 1u) / TILE_DEPTH;
override BACKWARD_INPUT_CHUNK = (BACKWARD_INPUT_STEPS + CHUNKS - 1u) / CHUNKS;

override ITERATIONS_BACKWARD_INPUT: u32 = BACKWARD_INPUT_CHUNK * STEP_ITERATIONS + END_ITERATIONS + BLOCK_ITERATIONS;

@compute @workgroup_size(TILE_INVOCATIONS)
fn backward_input(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    invocation: Invocation,
) {
    let id = unfold(workgroup_id, workgroups);
    if is_behind_grid(id) {
        return;
    }
    let share = share_of(invocation.index);
    let lines = brought(share, id, BATCH, IN);
    let begin = id.z * BACKWARD_INPUT_CHUNK;
    let end = min(begin + BACKWARD_INPUT_CHUNK, BACKWARD_INPUT_STEPS);
    var sums: Block;
    var values = load_backward_input(share, lines, begin);
    for (var step = begin; step < end; step++) {
        stage_share(share, values);
        workgroupBarrier();
        if step + 1u < end {
            values = load_backward_input(share, lines, step + 1u);
        }
        add_tile(&sums, invocation);
        workgroupBarrier();
    }
    for (var half = 0u; half < BLOCK_COLUMNS / 4u; half++) {
        for (var r = 0u; r < BLOCK_ROWS; r++) {
            let quads = quads_of(invocation, r, half);
            let row = TILE_ROWS * id.x + quads.x + ROW_QUADS * (r % 4u);
            let values = block_row(&sums, r, half);
            for (var c = 0u; c < 4u; c++) {
                let column = TILE_COLUMNS * id.y + quads.y + COLUMN_QUADS * c;
                if row < BATCH && column < IN {
                    let place = (id.z * BATCH + row) * IN + column;
                    dx[place] = select(0.0, dx[place], ACCUMULATE) + values[c];
                }
            }
        }
    }
}

@group(0) @binding(1) var<storage, read> input: array<f32>;          // [BATCH, IN], the x of forward
@group(0) @binding(2) var<storage, read_write> dweight: array<f32>;  // [OUT, IN]
@group(0) @binding(3) var<storage, read_write> dbias: array<f32>;    // [OUT]

fn backward_weight_summand(share: Share, lines: vec4<u32>, k: u32) -> vec4<f32> {
    let n = min(k, BATCH - 1u);
    if share.is_left {
        let places = n * OUT + lines;
        return select(vec4<f32>(), vec4<f32>(dy[places.x], dy[places.y], dy[places.z], dy[places.w]), k < BATCH);
    }
    let places = n * IN + lines;
    return vec4<f32>(input[places.x], input[places.y], input[places.z], input[places.w]);
}

fn load_backward_weight(share: Share, lines: vec4<u32>, step: u32) -> mat4x4<f32> {
    let k = summands_of(share, step);
    return mat4x4<f32>(
        backward_weight_summand(share, lines, k.x),
        backward_weight_summand(share, lines, k.y),
        backward_weight_summand(share, lines, k.z),
        backward_weight_summand(share, lines, k.w),
    );
}

override BACKWARD_WEIGHT_STEPS = (BATCH + TILE_DEPTH - 1u) / TILE_DEPTH;

override ITERATIONS_BACKWARD_WEIGHT: u32 = BACKWARD_WEIGHT_STEPS * STEP_ITERATIONS + END_ITERATIONS + BLOCK_ITERATIONS + 4u;

// Rows are outputs, columns inputs. The workgroups of the first columns also add up dy as it passes: that is the bias.
@compute @workgroup_size(TILE_INVOCATIONS)
fn backward_weight(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    invocation: Invocation,
) {
    let id = unfold(workgroup_id, workgroups);
    if is_behind_grid(id) {
        return;
    }
    let share = share_of(invocation.index);
    let lines = brought(share, id, OUT, IN);
    var sums: Block;
    var bias_sums = vec4<f32>();
    var values = load_backward_weight(share, lines, 0u);
    for (var step = 0u; step < BACKWARD_WEIGHT_STEPS; step++) {
        stage_share(share, values);
        bias_sums += values[0] + values[1] + values[2] + values[3];
        workgroupBarrier();
        if step + 1u < BACKWARD_WEIGHT_STEPS {
            values = load_backward_weight(share, lines, step + 1u);
        }
        add_tile(&sums, invocation);
        workgroupBarrier();
    }
    for (var half = 0u; half < BLOCK_COLUMNS / 4u; half++) {
        for (var r = 0u; r < BLOCK_ROWS; r++) {
            let quads = quads_of(invocation, r, half);
            let row = TILE_ROWS * id.x + quads.x + ROW_QUADS * (r % 4u);
            let values = block_row(&sums, r, half);
            for (var c = 0u; c < 4u; c++) {
                let column = TILE_COLUMNS * id.y + quads.y + COLUMN_QUADS * c;
                if row < OUT && column < IN {
                    let place = row * IN + column;
                    dweight[place] = select(0.0, dweight[place], ACCUMULATE) + values[c];
                }
            }
        }
    }
    if id.y == 0u {
        stage_sums(share, bias_sums);
        workgroupBarrier();
        if share.depth == 0u && share.is_left {
            store_bias(rows_of(id, share.quad), staged_sum(share.quad));
        }
    }
}

fn store_bias(outs: vec4<u32>, sums: vec4<f32>) {
    for (var r = 0u; r < 4u; r++) {
        if outs[r] < OUT {
            dbias[outs[r]] = select(0.0, dbias[outs[r]], ACCUMULATE) + sums[r];
        }
    }
}
