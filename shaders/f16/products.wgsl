// The products of lib/products.wgsl on matrix units: factors are rounded to f16 as they are brought into workgroup memory,
// and a subgroup makes products of 16 x 16 x 16 at once, whose sums stay f32.
//
// A factor is multiplied by its scale before it is rounded, and the sums are divided by both, so that small gradients do
// not vanish: f16 has no normal number below 6e-5. What is beyond its largest number becomes infinite, and is seen in the
// loss.
override LEFT_SCALE: f32;     // powers of two
override RIGHT_SCALE: f32;

const F16_LARGEST: f32 = 65504.0;
const SUBGROUP_SIZE: u32 = 32u;     // exactly: the layout of the regions below

const STEP_ITERATIONS: u32 = 1u;    // of the loops of a step, and of what follows the last one
const END_ITERATIONS: u32 = 24u;

override TILE_PITCH = 4u * TILE_QUADS + 8u;     // from one summand to the next, free of bank conflicts
override TILE_LENGTH = TILE_DEPTH * TILE_PITCH;

// A subgroup makes a region of the tile, in up to 4 x 2 matrices.
override REGION_ROWS = 8u * BLOCK_ROWS;
override REGION_COLUMNS = 4u * BLOCK_COLUMNS;
override REGIONS_ACROSS = TILE_COLUMNS / REGION_COLUMNS;
override EXCHANGE_LENGTH = TILE_INVOCATIONS / SUBGROUP_SIZE * 256u;

var<workgroup> tile: array<f16, TILE_LENGTH>;           // [TILE_DEPTH, rows and then columns]
var<workgroup> exchange: array<f32, EXCHANGE_LENGTH>;   // a matrix of sums for each subgroup

// What an invocation is told of itself.
struct Invocation {
    @builtin(local_invocation_index) index: u32,
    @builtin(subgroup_id) subgroup: u32,
    @builtin(subgroup_invocation_id) lane: u32,
}

alias Left = coop_mat16x16<f16, A>;
alias Right = coop_mat16x16<f16, B>;
alias Products = coop_mat16x16<f32, C>;

// Sums of a region: matrix (row, column) of it.
var<private> products_00: Products;
var<private> products_10: Products;
var<private> products_20: Products;
var<private> products_30: Products;
var<private> products_01: Products;
var<private> products_11: Products;
var<private> products_21: Products;
var<private> products_31: Products;

// A block has two vectors of every matrix of its region: of those in the first column, then of those in the second.

// The nearest f16, infinite beyond the largest one: by its bits, whatever way the device rounds.
fn rounded_to_f16(values: vec4<f32>) -> vec4<f16> {
    let infinite = (bitcast<vec4<u32>>(values) & vec4<u32>(0x80000000u)) | vec4<u32>(0x7f800000u);
    return vec4<f16>(select(values, bitcast<vec4<f32>>(infinite), abs(values) > vec4<f32>(F16_LARGEST)));
}

fn stage_quad(place: u32, values: vec4<f32>) {
    let rounded = rounded_to_f16(values);
    tile[place] = rounded.x;
    tile[place + 1u] = rounded.y;
    tile[place + 2u] = rounded.z;
    tile[place + 3u] = rounded.w;
}

// Writes a share, whose columns are summands, into the tile.
fn stage_share(share: Share, values: mat4x4<f32>) {
    if share.is_used {
        let scale = select(RIGHT_SCALE, LEFT_SCALE, share.is_left);
        let place = share.depth * TILE_PITCH + 4u * share.quad;
        stage_quad(place, scale * values[0]);
        stage_quad(place + TILE_PITCH, scale * values[1]);
        stage_quad(place + 2u * TILE_PITCH, scale * values[2]);
        stage_quad(place + 3u * TILE_PITCH, scale * values[3]);
    }
}

// First row and column, in the tile, of the region of an invocation's subgroup.
fn region_of(invocation: Invocation) -> vec2<u32> {
    let region = vec2<u32>(invocation.subgroup / REGIONS_ACROSS, invocation.subgroup % REGIONS_ACROSS);
    return region * vec2<u32>(REGION_ROWS, REGION_COLUMNS);
}

fn begin_tile() {
    products_00 = Products();
    products_10 = Products();
    products_20 = Products();
    products_30 = Products();
    products_01 = Products();
    products_11 = Products();
    products_21 = Products();
    products_31 = Products();
}

// Adds the products of one step to a subgroup's region.
fn add_tile(sums: ptr<function, Block>, invocation: Invocation) {
    let first = region_of(invocation);
    let left = first.x;
    let right = TILE_ROWS + first.y;
    let b0 = coopLoadT<Right>(&tile[right], TILE_PITCH);
    let a0 = coopLoad<Left>(&tile[left], TILE_PITCH);
    let a1 = coopLoad<Left>(&tile[left + 16u], TILE_PITCH);
    products_00 = coopMultiplyAdd(a0, b0, products_00);
    products_10 = coopMultiplyAdd(a1, b0, products_10);
    if BLOCK_ROWS > 4u {
        let a2 = coopLoad<Left>(&tile[left + 32u], TILE_PITCH);
        let a3 = coopLoad<Left>(&tile[left + 48u], TILE_PITCH);
        products_20 = coopMultiplyAdd(a2, b0, products_20);
        products_30 = coopMultiplyAdd(a3, b0, products_30);
        if BLOCK_COLUMNS > 4u {
            let b1 = coopLoadT<Right>(&tile[right + 16u], TILE_PITCH);
            products_01 = coopMultiplyAdd(a0, b1, products_01);
            products_11 = coopMultiplyAdd(a1, b1, products_11);
            products_21 = coopMultiplyAdd(a2, b1, products_21);
            products_31 = coopMultiplyAdd(a3, b1, products_31);
        }
    }
}

// The two vectors of an invocation in the matrix that its subgroup has put into the exchange.
fn add_exchanged(sums: ptr<function, Block>, first: u32, invocation: Invocation) {
    workgroupBarrier();
    let start = 256u * invocation.subgroup + 4u * invocation.lane;
    let scale = 1.0 / (LEFT_SCALE * RIGHT_SCALE);
    for (var half = 0u; half < 2u; half++) {
        let place = start + 128u * half;
        (*sums)[first + half] += scale
            * vec4<f32>(exchange[place], exchange[place + 1u], exchange[place + 2u], exchange[place + 3u]);
    }
    workgroupBarrier();
}

// Adds the sums of the region to the invocation's block.
fn end_tile(sums: ptr<function, Block>, invocation: Invocation) {
    let place = 256u * invocation.subgroup;
    coopStoreT(products_00, &exchange[place], 16u);
    add_exchanged(sums, 0u, invocation);
    coopStoreT(products_10, &exchange[place], 16u);
    add_exchanged(sums, 2u, invocation);
    if BLOCK_ROWS > 4u {
        coopStoreT(products_20, &exchange[place], 16u);
        add_exchanged(sums, 4u, invocation);
        coopStoreT(products_30, &exchange[place], 16u);
        add_exchanged(sums, 6u, invocation);
        if BLOCK_COLUMNS > 4u {
            coopStoreT(products_01, &exchange[place], 16u);
            add_exchanged(sums, 8u, invocation);
            coopStoreT(products_11, &exchange[place], 16u);
            add_exchanged(sums, 10u, invocation);
            coopStoreT(products_21, &exchange[place], 16u);
            add_exchanged(sums, 12u, invocation);
            coopStoreT(products_31, &exchange[place], 16u);
            add_exchanged(sums, 14u, invocation);
        }
    }
}

// The row and the quad of columns, in the tile, of row `row` of an invocation's block in its quad of columns number `half`.
fn place_in_tile(invocation: Invocation, row: u32, half: u32) -> vec2<u32> {
    let lane = invocation.lane;
    let first = region_of(invocation);
    let in_region = vec2<u32>(row / 2u * 16u + row % 2u * 8u + lane / 4u, half * 4u + lane % 4u);
    return vec2<u32>(first.x, first.y / 4u) + in_region;
}

// Puts one vector of every share aside, in full precision; `staged_sum` adds up those of a quad after a barrier.
fn stage_sums(share: Share, values: vec4<f32>) {
    if share.is_used {
        let place = share.depth * TILE_QUADS + 4u * share.quad;
        exchange[place] = values.x;
        exchange[place + 1u] = values.y;
        exchange[place + 2u] = values.z;
        exchange[place + 3u] = values.w;
    }
}

fn staged_sum(quad: u32) -> vec4<f32> {
    var sum = vec4<f32>();
    for (var depth = 0u; depth < TILE_DEPTH; depth += 4u) {
        let place = depth * TILE_QUADS + 4u * quad;
        sum += vec4<f32>(exchange[place], exchange[place + 1u], exchange[place + 2u], exchange[place + 3u]);
    }
    return sum;
}
