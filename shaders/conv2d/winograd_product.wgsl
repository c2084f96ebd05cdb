// M[p] = V[p] * U[p]              forward
// dU[p] = V[p]^T * dM[p]          backward_weight
//
// The products between the transforms of `conv2d/winograd.wgsl`: V the transformed tiles of the image, U the transformed
// weight, M the products of each tile. For adapters that run shaders on the CPU, where a load costs as much as some 50
// multiplications: see `conv2d/implicit_gemm.wgsl`. Rows and columns past the end repeat the last one and are not stored.

override TILES: u32;
override IN_CHANNELS: u32;      // a multiple of 4
override OUT_CHANNELS: u32;     // a multiple of 4
override ACCUMULATE: bool;

override IN_PAIRS = IN_CHANNELS / 2u;
override OUT_PAIRS = OUT_CHANNELS / 2u;
override OUT_QUADS = OUT_CHANNELS / 4u;

const LANES: u32 = 8u;
const ROWS: u32 = 16u;          // of the product that a workgroup makes
const COLUMNS: u32 = 32u;

@group(0) @binding(0) var<storage, read> inputs: array<u64>;            // [points, TILES, IN_PAIRS]: V
@group(0) @binding(1) var<storage, read> factors: array<vec2<u64>>;     // [points, IN_CHANNELS, OUT_QUADS]: U
@group(0) @binding(2) var<storage, read_write> products: array<u64>;    // [points, TILES, OUT_PAIRS]: M

alias Sums = array<vec4<f32>, ROWS>;

fn unpack_pair(bits: u64) -> vec2<f32> {
    return vec2<f32>(bitcast<f32>(u32(bits)), bitcast<f32>(u32(bits >> 32u)));
}

fn pack_pair(pair: vec2<f32>) -> u64 {
    return u64(bitcast<u32>(pair.x)) | (u64(bitcast<u32>(pair.y)) << 32u);
}

fn unpack_quad(bits: vec2<u64>) -> vec4<f32> {
    return vec4<f32>(unpack_pair(bits.x), unpack_pair(bits.y));
}

// sums[first + step * i] += (a of invocation i) * b
fn add_products(sums: ptr<function, Sums>, first: u32, step: u32, a: f32, b: vec4<f32>) {
    (*sums)[first] += subgroupBroadcast(a, 0u) * b;
    (*sums)[first + step] += subgroupBroadcast(a, 1u) * b;
    (*sums)[first + 2u * step] += subgroupBroadcast(a, 2u) * b;
    (*sums)[first + 3u * step] += subgroupBroadcast(a, 3u) * b;
    (*sums)[first + 4u * step] += subgroupBroadcast(a, 4u) * b;
    (*sums)[first + 5u * step] += subgroupBroadcast(a, 5u) * b;
    (*sums)[first + 6u * step] += subgroupBroadcast(a, 6u) * b;
    (*sums)[first + 7u * step] += subgroupBroadcast(a, 7u) * b;
}

override ITERATIONS_FORWARD: u32 = ROWS + IN_PAIRS / 2u;

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
    let first = ROWS * id.x;
    let quad = LANES * id.y + lane;
    let tile = min(vec2<u32>(first + lane) + vec2<u32>(0u, LANES), vec2<u32>(TILES - 1u));
    let place = (id.z * TILES + tile) * IN_PAIRS;
    var row = id.z * IN_CHANNELS * OUT_QUADS + min(quad, OUT_QUADS - 1u);
    var sums: Sums;
    for (var pair = 0u; pair < IN_PAIRS; pair += 2u) {
        let a = unpack_pair(inputs[place.x + pair]);
        let b = unpack_pair(inputs[place.y + pair]);
        let c = unpack_pair(inputs[place.x + pair + 1u]);
        let d = unpack_pair(inputs[place.y + pair + 1u]);
        let w0 = unpack_quad(factors[row]);
        let w1 = unpack_quad(factors[row + OUT_QUADS]);
        let w2 = unpack_quad(factors[row + 2u * OUT_QUADS]);
        let w3 = unpack_quad(factors[row + 3u * OUT_QUADS]);
        add_products(&sums, 0u, 1u, a.x, w0);
        add_products(&sums, 8u, 1u, b.x, w0);
        add_products(&sums, 0u, 1u, a.y, w1);
        add_products(&sums, 8u, 1u, b.y, w1);
        add_products(&sums, 0u, 1u, c.x, w2);
        add_products(&sums, 8u, 1u, d.x, w2);
        add_products(&sums, 0u, 1u, c.y, w3);
        add_products(&sums, 8u, 1u, d.y, w3);
        row += 4u * OUT_QUADS;
    }
    for (var r = 0u; r < ROWS; r++) {
        if first + r < TILES && quad < OUT_QUADS {
            let place = (id.z * TILES + first + r) * OUT_PAIRS + 2u * quad;
            products[place] = pack_pair(sums[r].xy);
            products[place + 1u] = pack_pair(sums[r].zw);
        }
    }
}

@group(0) @binding(1) var<storage, read> gradients: array<vec2<u64>>;   // [points, TILES, OUT_QUADS]: dM
@group(0) @binding(2) var<storage, read_write> dfactors: array<u64>;    // [points, IN_CHANNELS, OUT_PAIRS]: dU

// sums += the products at one tile: of two input channels of each invocation and four output channels
fn add_outer(sums: ptr<function, Sums>, a: vec2<f32>, b: vec4<f32>) {
    add_products(sums, 0u, 2u, a.x, b);
    add_products(sums, 1u, 2u, a.y, b);
}

override ITERATIONS_BACKWARD_WEIGHT: u32 = ROWS + 3u + TILES / 4u;

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
    let first = ROWS * id.x;
    let quad = LANES * id.y + lane;
    let start = id.z * TILES * IN_PAIRS + min(first / 2u + lane, IN_PAIRS - 1u);
    let quad_start = id.z * TILES * OUT_QUADS + min(quad, OUT_QUADS - 1u);
    var sums: Sums;
    var tile = 0u;
    for (; tile + 4u <= TILES; tile += 4u) {
        let place = start + tile * IN_PAIRS;
        let quad_place = quad_start + tile * OUT_QUADS;
        let a0 = unpack_pair(inputs[place]);
        let a1 = unpack_pair(inputs[place + IN_PAIRS]);
        let a2 = unpack_pair(inputs[place + 2u * IN_PAIRS]);
        let a3 = unpack_pair(inputs[place + 3u * IN_PAIRS]);
        let b0 = unpack_quad(gradients[quad_place]);
        let b1 = unpack_quad(gradients[quad_place + OUT_QUADS]);
        let b2 = unpack_quad(gradients[quad_place + 2u * OUT_QUADS]);
        let b3 = unpack_quad(gradients[quad_place + 3u * OUT_QUADS]);
        add_outer(&sums, a0, b0);
        add_outer(&sums, a1, b1);
        add_outer(&sums, a2, b2);
        add_outer(&sums, a3, b3);
    }
    for (; tile < TILES; tile++) {
        let a = unpack_pair(inputs[start + tile * IN_PAIRS]);
        add_outer(&sums, a, unpack_quad(gradients[quad_start + tile * OUT_QUADS]));
    }
    for (var r = 0u; r < ROWS; r++) {
        if first + r < IN_CHANNELS && quad < OUT_QUADS {
            let place = (id.z * IN_CHANNELS + first + r) * OUT_PAIRS + 2u * quad;
            var total = sums[r];
            if ACCUMULATE {
                total += vec4<f32>(unpack_pair(dfactors[place]), unpack_pair(dfactors[place + 1u]));
            }
            dfactors[place] = pack_pair(total.xy);
            dfactors[place + 1u] = pack_pair(total.zw);
        }
    }
}
