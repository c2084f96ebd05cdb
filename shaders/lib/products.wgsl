// The products of a tile, `lib/tile.wgsl`, in f32. A workgroup makes a tile of the product. It brings both factors of a
// step, TILE_DEPTH summands, into workgroup memory; every invocation adds them to its own block of the tile, which it keeps
// in registers, while the factors of the next step are already on their way.
//
// Both factors lie side by side, [TILE_DEPTH, ROW_QUADS + COLUMN_QUADS] by fours. An invocation brings one share of 4
// summands by 4 rows or columns. Its block is 4 x 4, 8 x 4 or 8 x 8: quads of rows and columns that are half a tile
// apart, so that neighbours read neighbouring quads. All registers have constant indices, so that no compiler moves them.

const STEP_ITERATIONS: u32 = 1u + TILE_DEPTH / 4u;  // of the loops of a step, and of what follows the last one
const END_ITERATIONS: u32 = 0u;

override TILE_LENGTH = TILE_DEPTH * TILE_QUADS;
override BLOCKS_ACROSS = TILE_COLUMNS / BLOCK_COLUMNS;

var<workgroup> tile: array<vec4<f32>, TILE_LENGTH>;

// What an invocation is told of itself.
struct Invocation {
    @builtin(local_invocation_index) index: u32,
}

// Writes a share, whose columns are summands, into the tile.
fn stage_share(share: Share, values: mat4x4<f32>) {
    if share.is_used {
        let place = share.depth * TILE_QUADS + share.quad;
        tile[place] = values[0];
        tile[place + TILE_QUADS] = values[1];
        tile[place + 2u * TILE_QUADS] = values[2];
        tile[place + 3u * TILE_QUADS] = values[3];
    }
}

// Puts one vector of every share aside; `staged_sum` adds up those of a quad after a barrier.
fn stage_sums(share: Share, values: vec4<f32>) {
    if share.is_used {
        tile[share.depth * TILE_QUADS + share.quad] = values;
    }
}

fn staged_sum(quad: u32) -> vec4<f32> {
    return tile[quad] + tile[quad + 4u * TILE_QUADS] + tile[quad + 8u * TILE_QUADS] + tile[quad + 12u * TILE_QUADS];
}

// sums[first ..] += a * b^T
fn add_outer_product(sums: ptr<function, Block>, first: u32, a: vec4<f32>, b: vec4<f32>) {
    (*sums)[first] += a.x * b;
    (*sums)[first + 1u] += a.y * b;
    (*sums)[first + 2u] += a.z * b;
    (*sums)[first + 3u] += a.w * b;
}

// Adds the products of one summand, whose quads of rows and columns begin at `row` and `column`.
fn add_summand(sums: ptr<function, Block>, row: u32, column: u32) {
    let a = tile[row];
    let b = tile[column];
    add_outer_product(sums, 0u, a, b);
    if BLOCK_ROWS > 4u {
        let c = tile[row + ROW_QUADS / 2u];
        add_outer_product(sums, 4u, c, b);
        if BLOCK_COLUMNS > 4u {
            let d = tile[column + COLUMN_QUADS / 2u];
            add_outer_product(sums, 8u, a, d);
            add_outer_product(sums, 12u, c, d);
        }
    }
}

// Adds the products of one step to an invocation's block.
fn add_tile(sums: ptr<function, Block>, invocation: Invocation) {
    var row = invocation.index / BLOCKS_ACROSS;
    var column = ROW_QUADS + invocation.index % BLOCKS_ACROSS;
    for (var k = 0u; k < TILE_DEPTH; k += 4u) {
        add_summand(sums, row, column);
        add_summand(sums, row + TILE_QUADS, column + TILE_QUADS);
        add_summand(sums, row + 2u * TILE_QUADS, column + 2u * TILE_QUADS);
        add_summand(sums, row + 3u * TILE_QUADS, column + 3u * TILE_QUADS);
        row += 4u * TILE_QUADS;
        column += 4u * TILE_QUADS;
    }
}

// The quads of rows and of columns, in the tile, in which row `row` of an invocation's block lies, for its quad of columns
// number `half`.
fn quads_of(invocation: Invocation, row: u32, half: u32) -> vec2<u32> {
    let first = vec2<u32>(invocation.index / BLOCKS_ACROSS, invocation.index % BLOCKS_ACROSS);
    return first + vec2<u32>(row / 4u * (ROW_QUADS / 2u), half * (COLUMN_QUADS / 2u));
}

// Before the first step, and after the last: only the matrix units of f16/products.wgsl keep sums outside of the block.
fn begin_tile() {}

fn end_tile(sums: ptr<function, Block>, invocation: Invocation) {}

// The row and the quad of columns, in the tile, of row `row` of an invocation's block in its quad of columns number `half`.
fn place_in_tile(invocation: Invocation, row: u32, half: u32) -> vec2<u32> {
    let quads = quads_of(invocation, row, half);
    return vec2<u32>(4u * quads.x + row % 4u, quads.y);
}
