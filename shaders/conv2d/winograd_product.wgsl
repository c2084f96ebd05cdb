// Library: broadcast, pairs, index
// M[p] = V[p] * U[p]              forward
// dU[p] = V[p]^T * dM[p]          backward_weight
//
// The products between the transforms of `conv2d/winograd.wgsl`: V the transformed tiles of the image, U the transformed
// weight, M the products of each tile. By broadcasts, `lib/broadcast.wgsl`.

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
    let tile = rows_of(first, lane, TILES);
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
