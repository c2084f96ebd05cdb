// A matrix product in tiles, for graphics processors: what `lib/products.wgsl` and, on matrix units, `f16/products.wgsl` have in
// common. A workgroup makes a tile of the product, an invocation a block of it: 4 x 4, 8 x 4 or 8 x 8.
override TILE_ROWS: u32;
override TILE_COLUMNS: u32;
override BLOCK_ROWS: u32;     // 4 or 8
override BLOCK_COLUMNS: u32;  // 4, or 8 with 8 rows

const TILE_DEPTH: u32 = 16u;  // summands of a step

override ROW_QUADS = TILE_ROWS / 4u;
override COLUMN_QUADS = TILE_COLUMNS / 4u;
override TILE_QUADS = ROW_QUADS + COLUMN_QUADS;
override TILE_INVOCATIONS = TILE_ROWS * TILE_COLUMNS / (BLOCK_ROWS * BLOCK_COLUMNS);
override TWO_SHARES = 4u * TILE_QUADS > TILE_INVOCATIONS;  // an invocation brings another one, of a later quad

// Iterations of the loops that write a block, element by element.
override BLOCK_ITERATIONS = BLOCK_COLUMNS / 4u * (1u + 5u * BLOCK_ROWS);

// The rows of a block in the first quad of columns, then those in the second.
alias Block = array<vec4<f32>, 16>;

// What an invocation brings of a step: its quad among those of rows and then columns, and its first summand. Eight neighbours
// bring neighbouring quads, which is free of bank conflicts; 32 bring eight quads of all 16 summands.
struct Share {
    quad: u32,
    depth: u32,
    is_left: bool,   // of rows
    is_used: bool,   // there may be fewer than invocations bring
}

fn share_of(invocation: u32) -> Share {
    let quad = invocation / 32u * 8u + invocation % 8u;
    return Share(quad, invocation / 8u % 4u * 4u, quad < ROW_QUADS, quad < TILE_QUADS);
}

// Row `row` of a block in its quad of columns number `half`: a register, whatever the compiler makes of the loop around it.
fn block_row(sums: ptr<function, Block>, row: u32, half: u32) -> vec4<f32> {
    switch row + 8u * half {
        case 0u: { return (*sums)[0]; }
        case 1u: { return (*sums)[1]; }
        case 2u: { return (*sums)[2]; }
        case 3u: { return (*sums)[3]; }
        case 4u: { return (*sums)[4]; }
        case 5u: { return (*sums)[5]; }
        case 6u: { return (*sums)[6]; }
        case 7u: { return (*sums)[7]; }
        case 8u: { return (*sums)[8]; }
        case 9u: { return (*sums)[9]; }
        case 10u: { return (*sums)[10]; }
        case 11u: { return (*sums)[11]; }
        case 12u: { return (*sums)[12]; }
        case 13u: { return (*sums)[13]; }
        case 14u: { return (*sums)[14]; }
        default: { return (*sums)[15]; }
    }
}

// A block whose rows all begin as `a` in the first quad of columns and `b` in the second.
fn block_of_rows(a: vec4<f32>, b: vec4<f32>) -> Block {
    return Block(a, a, a, a, a, a, a, a, b, b, b, b, b, b, b, b);
}
