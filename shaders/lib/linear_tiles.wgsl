// Library: index, tile, products, pipeline
// What the products of a fully connected layer in tiles have in common. Where four rows or columns belong together they are a
// quarter of a tile apart, so that neighbouring invocations load and store neighbouring elements. Rows and columns past the
// end repeat the last one and are not stored; summands past the end are zero.
//
// The module says how an element of the product is stored, if there is one:
//
//     fn store(id: vec3<u32>, row: u32, column: u32, value: f32)

override BATCH: u32;
override IN: u32;
override OUT: u32;
override CHUNKS: u32;        // of a sum that is written in parts, to be added up
override ACCUMULATE: bool;

const FOUR = vec4<u32>(0u, 1u, 2u, 3u);

// The four rows and the four columns of a quad of each, for tile `id`.
fn rows_of(id: vec3<u32>, quad: u32) -> vec4<u32> {
    return vec4<u32>(TILE_ROWS * id.x + quad) + ROW_QUADS * FOUR;
}

fn columns_of(id: vec3<u32>, quad: u32) -> vec4<u32> {
    return vec4<u32>(TILE_COLUMNS * id.y + quad) + COLUMN_QUADS * FOUR;
}

// The four rows or columns of the product that a share has, none past the last one.
fn lines_of(share: Share, id: vec3<u32>, rows: u32, columns: u32) -> vec4<u32> {
    if share.is_left {
        return min(rows_of(id, share.quad), vec4<u32>(rows - 1u));
    }
    return min(columns_of(id, share.quad - ROW_QUADS), vec4<u32>(columns - 1u));
}

// The four summands of a share. Neighbours bring every fourth.
fn summands_of(share: Share, step: u32) -> vec4<u32> {
    return vec4<u32>(step * TILE_DEPTH + share.depth / 4u) + 4u * FOUR;
}

fn store_block(sums: ptr<function, Block>, id: vec3<u32>, invocation: Invocation) {
    for (var half = 0u; half < BLOCK_COLUMNS / 4u; half++) {
        for (var r = 0u; r < BLOCK_ROWS; r++) {
            let quads = quads_of(invocation, r, half);
            let row = TILE_ROWS * id.x + quads.x + ROW_QUADS * (r % 4u);
            let values = block_row(sums, r, half);
            for (var c = 0u; c < 4u; c++) {
                store(id, row, TILE_COLUMNS * id.y + quads.y + COLUMN_QUADS * c, values[c]);
            }
        }
    }
}
