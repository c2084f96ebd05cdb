// Library: linear_tiles
// dx = dy * weight                 backward_input, in CHUNKS partial sums
//
// A matrix product in tiles, `lib/pipeline.wgsl`.

@group(0) @binding(0) var<storage, read> dy: array<f32>;             // [BATCH, OUT]
@group(0) @binding(1) var<storage, read> weight: array<f32>;         // [OUT, IN]
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;       // [CHUNKS, BATCH, IN]

const SUMS_SHARES = false;

struct Source {
    share: Share,
    lines: vec4<u32>,   // four rows or columns of the product
}

fn source_of(id: vec3<u32>, share: Share) -> Source {
    return Source(share, lines_of(share, id, BATCH, IN));
}

// One output of four rows of dy, or of the weight from four inputs.
fn summand(source: Source, k: u32) -> vec4<f32> {
    let o = min(k, OUT - 1u);
    if source.share.is_left {
        let places = source.lines * OUT + o;
        return select(vec4<f32>(), vec4<f32>(dy[places.x], dy[places.y], dy[places.z], dy[places.w]), k < OUT);
    }
    let places = o * IN + source.lines;
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

override STEPS = (OUT + TILE_DEPTH - 1u) / TILE_DEPTH;
override CHUNK = (STEPS + CHUNKS - 1u) / CHUNKS;

fn store(id: vec3<u32>, row: u32, column: u32, value: f32) {
    if row < BATCH && column < IN {
        let place = (id.z * BATCH + row) * IN + column;
        dx[place] = select(0.0, dx[place], ACCUMULATE) + value;
    }
}

override ITERATIONS_BACKWARD_INPUT: u32 = CHUNK * STEP_ITERATIONS + END_ITERATIONS + BLOCK_ITERATIONS;

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
    let begin = id.z * CHUNK;
    var sums: Block;
    add_steps(&sums, id, invocation, begin, min(begin + CHUNK, STEPS));
    store_block(&sums, id, invocation);
}
