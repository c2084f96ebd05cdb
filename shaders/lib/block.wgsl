// A matrix product of which a workgroup, a subgroup of eight invocations, makes a block of tiles of 16 rows by 32 columns. For
// adapters that run shaders on the CPU, where a load costs as much as some 50 multiplications: the invocations load the factor
// of the rows together and pass it round by broadcasts, and each keeps 16 rows by 4 columns of every tile. Rows and columns past
// the end repeat the last ones and are not stored.
//
// A block is one tile or two high, and one or two wide: what is loaded of one factor then serves as many more columns or rows of
// the other. Sums beyond the registers lie on the stack, whose loads and stores are whole vectors, and cheap beside those of
// buffers.

const LANES: u32 = 8u;
const ROWS: u32 = 16u;
const COLUMNS: u32 = 32u;

override TALL: bool;    // two tiles high
override WIDE: bool;    // two tiles wide
override BLOCK_ROWS = select(ROWS, 2u * ROWS, TALL);
override BLOCK_QUADS = select(LANES, 2u * LANES, WIDE);

// Tiles in the order upper left, lower left, upper right, lower right; those that are not made cost nothing.
alias Block = array<vec4<f32>, 4u * ROWS>;

// The four rows that an invocation loads of those from `first` on, none past `end - 1`; the last two are a tall block's.
fn block_rows_of(first: u32, lane: u32, end: u32) -> vec4<u32> {
    return min(vec4<u32>(first + lane) + LANES * vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(end - 1u));
}

// The two quads of columns of an invocation, none past `end - 1`; the second is a wide block's.
fn block_quads_of(quad: u32, end: u32) -> vec2<u32> {
    return min(vec2<u32>(quad, quad + LANES), vec2<u32>(end - 1u));
}

fn add_row(block: ptr<function, Block>, row: u32, a: f32, left: vec4<f32>, right: vec4<f32>) {
    (*block)[row] += a * left;
    if WIDE {
        (*block)[2u * ROWS + row] += a * right;
    }
}

// block[first + step * i] += (a of invocation i) * columns
fn add_rows(block: ptr<function, Block>, first: u32, step: u32, a: f32, left: vec4<f32>, right: vec4<f32>) {
    add_row(block, first, subgroupBroadcast(a, 0u), left, right);
    add_row(block, first + step, subgroupBroadcast(a, 1u), left, right);
    add_row(block, first + 2u * step, subgroupBroadcast(a, 2u), left, right);
    add_row(block, first + 3u * step, subgroupBroadcast(a, 3u), left, right);
    add_row(block, first + 4u * step, subgroupBroadcast(a, 4u), left, right);
    add_row(block, first + 5u * step, subgroupBroadcast(a, 5u), left, right);
    add_row(block, first + 6u * step, subgroupBroadcast(a, 6u), left, right);
    add_row(block, first + 7u * step, subgroupBroadcast(a, 7u), left, right);
}

// Pairs of summands of four rows, as one vector a summand.
fn summands_of(a: vec2<f32>, b: vec2<f32>, c: vec2<f32>, d: vec2<f32>) -> array<vec4<f32>, 2> {
    return array<vec4<f32>, 2>(vec4<f32>(a.x, b.x, c.x, d.x), vec4<f32>(a.y, b.y, c.y, d.y));
}

// The products of one summand, in the rows of `block_rows_of`.
fn add_summand(block: ptr<function, Block>, a: vec4<f32>, left: vec4<f32>, right: vec4<f32>) {
    add_rows(block, 0u, 1u, a.x, left, right);
    add_rows(block, LANES, 1u, a.y, left, right);
    if TALL {
        add_rows(block, 2u * LANES, 1u, a.z, left, right);
        add_rows(block, 3u * LANES, 1u, a.w, left, right);
    }
}

// The products of one summand, where an invocation loads pairs of neighbouring rows: `upper` of one tile, `lower` of the other.
fn add_outer(block: ptr<function, Block>, upper: vec2<f32>, lower: vec2<f32>, left: vec4<f32>, right: vec4<f32>) {
    add_rows(block, 0u, 2u, upper.x, left, right);
    add_rows(block, 1u, 2u, upper.y, left, right);
    if TALL {
        add_rows(block, ROWS, 2u, lower.x, left, right);
        add_rows(block, ROWS + 1u, 2u, lower.y, left, right);
    }
}
