// A matrix product of which a workgroup, a subgroup of eight invocations, makes 16 rows by 32 columns. For adapters that run
// shaders on the CPU, where a load costs as much as some 50 multiplications: the invocations load the factor of the rows
// together and pass it round by broadcasts, and each keeps 16 rows by 4 columns of the product in registers. Rows and
// columns past the end repeat the last one and are not stored.

const LANES: u32 = 8u;
const ROWS: u32 = 16u;
const COLUMNS: u32 = 32u;

alias Sums = array<vec4<f32>, ROWS>;

// The two rows that an invocation loads of the 16 from `first` on, none past `end - 1`.
fn rows_of(first: u32, lane: u32, end: u32) -> vec2<u32> {
    return min(vec2<u32>(first + lane) + vec2<u32>(0u, LANES), vec2<u32>(end - 1u));
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
