// Library: linear_tiles
// dweight = dy^T * x,   dbias = sum_batch dy       backward_weight
//
// A matrix product in tiles, `lib/pipeline.wgsl`. Rows are outputs, columns inputs.

@group(0) @binding(0) var<storage, read> dy: array<f32>;             // [BATCH, OUT]
@group(0) @binding(1) var<storage, read> input: array<f32>;          // [BATCH, IN], the x of forward
@group(0) @binding(2) var<storage, read_write> dweight: array<f32>;  // [OUT, IN]
@group(0) @binding(3) var<storage, read_write> dbias: array<f32>;    // [OUT]

const SUMS_SHARES = true;

struct Source {
    share: Share,
    lines: vec4<u32>,   // four rows or columns of the product
}

fn source_of(id: vec3<u32>, share: Share) -> Source {
    return Source(share, lines_of(share, id, OUT, IN));
}

// One row of the batch: four outputs of dy, or four inputs.
fn summand(source: Source, k: u32) -> vec4<f32> {
    let n = min(k, BATCH - 1u);
    if source.share.is_left {
        let places = n * OUT + source.lines;
        return select(vec4<f32>(), vec4<f32>(dy[places.x], dy[places.y], dy[places.z], dy[places.w]), k < BATCH);
    }
    let places = n * IN + source.lines;
    return vec4<f32>(input[places.x], input[places.y], input[places.z], input[places.w]);
}

fn load_share(source: Source, step: u32) -> mat4x4<f32> {
    let k = summands_of(source.share, step);
    return mat4x4<f32>(
        summand(source, k.x),
        summand(source, k.y),
        summand(source, k.z),
        summand(source, k.w),
    );
}

override STEPS = (BATCH + TILE_DEPTH - 1u) / TILE_DEPTH;

fn store(id: vec3<u32>, row: u32, column: u32, value: f32) {
    if row < OUT && column < IN {
        let place = row * IN + column;
        dweight[place] = select(0.0, dweight[place], ACCUMULATE) + value;
    }
}

// A share of dy that begins a quad stores its sums.
fn store_bias(id: vec3<u32>, share: Share) {
    if share.depth == 0u && share.is_used && share.is_left {
        let outs = rows_of(id, share.quad);
        let sums = staged_sum(share.quad);
        for (var r = 0u; r < 4u; r++) {
            if outs[r] < OUT {
                dbias[outs[r]] = select(0.0, dbias[outs[r]], ACCUMULATE) + sums[r];
            }
        }
    }
}

override ITERATIONS_BACKWARD_WEIGHT: u32 = STEPS * STEP_ITERATIONS + END_ITERATIONS + BLOCK_ITERATIONS + 8u;

// The workgroups of the first columns also add up dy as it passes: that is the gradient of the bias.
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
    var sums: Block;
    add_steps(&sums, id, invocation, 0u, STEPS);
    store_block(&sums, id, invocation);
    if id.y == 0u {
        stage_share_sums(invocation);
        store_bias(id, share_of(invocation.index));
        if TWO_SHARES {
            store_bias(id, share_of(invocation.index + TILE_INVOCATIONS));
        }
    }
}
