// Library: block, pairs, index
// M[p] = V[p] * U[p]              forward
// dU[p] = V[p]^T * dM[p]          backward_weight
//
// The products between the transforms of `conv2d/winograd.wgsl`: V the transformed tiles of the image, U the transformed
// weight, M the products of each tile. By broadcasts, in blocks of `lib/block.wgsl`; columns go first, so that the rows that were
// loaded stay in the cache while all columns are made.

override TILES: u32;
override IN_CHANNELS: u32;      // a multiple of 4
override OUT_CHANNELS: u32;     // a multiple of 4
override ACCUMULATE: bool;

override IN_PAIRS = IN_CHANNELS / 2u;
override OUT_PAIRS = OUT_CHANNELS / 2u;
override OUT_QUADS = OUT_CHANNELS / 4u;

@group(0) @binding(0) var<storage, read> inputs: array<u64>;            // [points, TILES, IN_PAIRS]: V
@group(0) @binding(1) var<storage, read> factors: array<vec2<u64>>;     // [points, IN_CHANNELS, OUT_QUADS]: U
@group(0) @binding(2) var<storage, read_write> products: array<u64>;    // [points, TILES, OUT_PAIRS]: M

fn load_pair(place: u32) -> vec2<f32> {
    return unpack_pair(inputs[place]);
}

// A pair of the four rows of `block_rows_of`, one vector a summand.
fn load_inputs(place: vec4<u32>) -> array<vec4<f32>, 2> {
    if TALL {
        return summands_of(load_pair(place.x), load_pair(place.y), load_pair(place.z), load_pair(place.w));
    }
    return summands_of(load_pair(place.x), load_pair(place.y), vec2<f32>(), vec2<f32>());
}

fn add_channel(block: ptr<function, Block>, a: vec4<f32>, row: vec2<u32>) {
    var right: vec4<f32>;
    if WIDE {
        right = unpack_quad(factors[row.y]);
    }
    add_summand(block, a, unpack_quad(factors[row.x]), right);
}

// What of a block belongs to its tile number `part`, which begins at the tile `first` of the image.
fn store_products(block: ptr<function, Block>, part: u32, point: u32, first: u32, quad: u32) {
    for (var r = 0u; r < ROWS; r++) {
        if first + r < TILES && quad < OUT_QUADS {
            let sum = (*block)[part * ROWS + r];
            let place = (point * TILES + first + r) * OUT_PAIRS + 2u * quad;
            products[place] = pack_pair(sum.xy);
            products[place + 1u] = pack_pair(sum.zw);
        }
    }
}

override ITERATIONS_FORWARD: u32 = 4u * ROWS + IN_PAIRS / 2u;

// Rows are tiles, columns output channels; workgroup z is the point.
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
    let quad = BLOCK_QUADS * id.x + lane;
    let first = BLOCK_ROWS * id.y;
    let place = (id.z * TILES + block_rows_of(first, lane, TILES)) * IN_PAIRS;
    var row = id.z * IN_CHANNELS * OUT_QUADS + block_quads_of(quad, OUT_QUADS);
    var block: Block;
    for (var pair = 0u; pair < IN_PAIRS; pair += 2u) {
        let a = load_inputs(place + pair);
        let b = load_inputs(place + pair + 1u);
        add_channel(&block, a[0], row);
        add_channel(&block, a[1], row + OUT_QUADS);
        add_channel(&block, b[0], row + 2u * OUT_QUADS);
        add_channel(&block, b[1], row + 3u * OUT_QUADS);
        row += 4u * OUT_QUADS;
    }
    store_products(&block, 0u, id.z, first, quad);
    if TALL {
        store_products(&block, 1u, id.z, first + ROWS, quad);
    }
    if WIDE {
        store_products(&block, 2u, id.z, first, quad + LANES);
    }
    if TALL && WIDE {
        store_products(&block, 3u, id.z, first + ROWS, quad + LANES);
    }
}

@group(0) @binding(1) var<storage, read> gradients: array<vec2<u64>>;   // [points, TILES, OUT_QUADS]: dM
@group(0) @binding(2) var<storage, read_write> dfactors: array<u64>;    // [points, IN_CHANNELS, OUT_PAIRS]: dU

// The products of one tile, whose pairs of input channels and quads of output channels lie at `pairs` and `quads`.
fn add_tile(block: ptr<function, Block>, pairs: vec2<u32>, quads: vec2<u32>) {
    var lower: vec2<f32>;
    if TALL {
        lower = load_pair(pairs.y);
    }
    var right: vec4<f32>;
    if WIDE {
        right = unpack_quad(gradients[quads.y]);
    }
    add_outer(block, load_pair(pairs.x), lower, unpack_quad(gradients[quads.x]), right);
}

// What of a block belongs to its tile number `part`, which begins at the input channel `first`.
fn store_dfactors(block: ptr<function, Block>, part: u32, point: u32, first: u32, quad: u32) {
    for (var r = 0u; r < ROWS; r++) {
        if first + r < IN_CHANNELS && quad < OUT_QUADS {
            var total = (*block)[part * ROWS + r];
            let place = (point * IN_CHANNELS + first + r) * OUT_PAIRS + 2u * quad;
            if ACCUMULATE {
                total += vec4<f32>(unpack_pair(dfactors[place]), unpack_pair(dfactors[place + 1u]));
            }
            dfactors[place] = pack_pair(total.xy);
            dfactors[place + 1u] = pack_pair(total.zw);
        }
    }
}

override ITERATIONS_BACKWARD_WEIGHT: u32 = 4u * ROWS + 3u + TILES / 4u;

// Rows are input channels, columns output channels; workgroup z is the point.
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
    let quad = BLOCK_QUADS * id.x + lane;
    let first = BLOCK_ROWS * id.y;
    let channels = min(vec2<u32>(first / 2u + lane) + vec2<u32>(0u, LANES), vec2<u32>(IN_PAIRS - 1u));
    let pairs = id.z * TILES * IN_PAIRS + channels;
    let quads = id.z * TILES * OUT_QUADS + block_quads_of(quad, OUT_QUADS);
    var block: Block;
    var tile = 0u;
    for (; tile + 4u <= TILES; tile += 4u) {
        add_tile(&block, pairs + tile * IN_PAIRS, quads + tile * OUT_QUADS);
        add_tile(&block, pairs + (tile + 1u) * IN_PAIRS, quads + (tile + 1u) * OUT_QUADS);
        add_tile(&block, pairs + (tile + 2u) * IN_PAIRS, quads + (tile + 2u) * OUT_QUADS);
        add_tile(&block, pairs + (tile + 3u) * IN_PAIRS, quads + (tile + 3u) * OUT_QUADS);
    }
    for (; tile < TILES; tile++) {
        add_tile(&block, pairs + tile * IN_PAIRS, quads + tile * OUT_QUADS);
    }
    store_dfactors(&block, 0u, id.z, first, quad);
    if TALL {
        store_dfactors(&block, 1u, id.z, first + ROWS, quad);
    }
    if WIDE {
        store_dfactors(&block, 2u, id.z, first, quad + LANES);
    }
    if TALL && WIDE {
        store_dfactors(&block, 3u, id.z, first + ROWS, quad + LANES);
    }
}
