// Library: linear_tiles
// y = x * weight^T + bias          forward, in CHUNKS partial sums
//
// A matrix product in tiles, `lib/pipeline.wgsl`.

@group(0) @binding(0) var<storage, read> x: array<f32>;              // [BATCH, IN]
@group(0) @binding(1) var<storage, read> weight: array<f32>;         // [OUT, IN]
@group(0) @binding(2) var<storage, read> bias: array<f32>;           // [OUT]
@group(0) @binding(3) var<storage, read_write> y: array<f32>;        // [CHUNKS, BATCH, OUT]

const SUMS_SHARES = false;

struct Source {
    share: Share,
    lines: vec4<u32>,   // four rows or columns of the product
}

fn source_of(id: vec3<u32>, share: Share) -> Source {
    return Source(share, lines_of(share, id, BATCH, OUT));
}

// One summand of four rows of x, or of four outputs of the weight.
fn summand(source: Source, k: u32) -> vec4<f32> {
    let places = source.lines * IN + min(k, IN - 1u);
    if source.share.is_left {
        return select(vec4<f32>(), vec4<f32>(x[places.x], x[places.y], x[places.z], x[places.w]), k < IN);
    }
    return vec4<f32>(weight[places.x], weight[places.y], weight[places.z], weight[places.w]);
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

override STEPS = (IN + TILE_DEPTH - 1u) / TILE_DEPTH;
override CHUNK = (STEPS + CHUNKS - 1u) / CHUNKS;

fn bias_of(columns: vec4<u32>, chunk: u32) -> vec4<f32> {
    let outs = min(columns, vec4<u32>(OUT - 1u));
    return select(vec4<f32>(), vec4<f32>(bias[outs.x], bias[outs.y], bias[outs.z], bias[outs.w]), chunk == 0u);
}

fn store(id: vec3<u32>, row: u32, column: u32, value: f32) {
    if row < BATCH && column < OUT {
        y[(id.z * BATCH + row) * OUT + column] = value;
    }
}

override ITERATIONS_FORWARD: u32 = CHUNK * STEP_ITERATIONS + END_ITERATIONS + BLOCK_ITERATIONS;

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
    let begin = id.z * CHUNK;
    var sums = block_of_rows(
        bias_of(columns_of(id, quads_of(invocation, 0u, 0u).y), id.z),
        bias_of(columns_of(id, quads_of(invocation, 0u, 1u).y), id.z),
    );
    add_steps(&sums, id, invocation, begin, min(begin + CHUNK, STEPS));
    store_block(&sums, id, invocation);
}
