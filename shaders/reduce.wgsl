// Library: index
// y[i] = sum over r of x[r, i]       the last stage of a reduction that was cut into chunks, in fixed order, for
//                                    rows FIRST <= r < FIRST + COUNT:
//                                    reduce_rows, reduce_rows_shared, reduce_rows_any
//
// The first ELEMENTS columns of x make the first ELEMENTS of y, the TAIL after them those from TAIL_START on: a weight's
// gradient and a bias's in one dispatch. All sizes are multiples of 4, but for reduce_rows_any, which makes no tail.

override FIRST: u32;
override COUNT: u32;
override ELEMENTS: u32;
override TAIL: u32;
override TAIL_START: u32;
override X_COLUMNS: u32;
override ACCUMULATE: bool;

override QUADS = (ELEMENTS + TAIL) / 4u;

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;         // [rows, X_COLUMNS / 4]
@group(0) @binding(1) var<storage, read_write> y: array<vec4<f32>>;   // to the end of the tail

fn store(quad: u32, sum: vec4<f32>) {
    let tail = quad + TAIL_START / 4u - ELEMENTS / 4u;
    let place = select(quad, tail, quad >= ELEMENTS / 4u);
    y[place] = select(vec4<f32>(), y[place], ACCUMULATE) + sum;
}

override ITERATIONS_REDUCE_ROWS: u32 = COUNT;

// An invocation takes a column.
@compute @workgroup_size(64)
fn reduce_rows(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let quad = flat_index(workgroup_id, workgroups, local_index, 64u);
    if quad >= QUADS {
        return;
    }
    var sum = vec4<f32>();
    for (var row = FIRST; row < FIRST + COUNT; row++) {
        sum += x[row * (X_COLUMNS / 4u) + quad];
    }
    store(quad, sum);
}

const COLUMNS: u32 = 16u;   // of fours that a workgroup takes
const LANES: u32 = 16u;     // invocations that share a column
const HALVINGS: u32 = 4u;   // until their sums are one

var<workgroup> sums: array<vec4<f32>, 256>;

override ITERATIONS_REDUCE_ROWS_SHARED: u32 = (COUNT + LANES - 1u) / LANES + HALVINGS;

// For few columns: the rows of one are shared.
@compute @workgroup_size(256)
fn reduce_rows_shared(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let quad = flat_index(workgroup_id, workgroups, local_index % COLUMNS, COLUMNS);
    let lane = local_index / COLUMNS;
    var sum = vec4<f32>();
    for (var row = FIRST + lane; row < FIRST + COUNT; row += LANES) {
        sum += x[row * (X_COLUMNS / 4u) + min(quad, QUADS - 1u)];
    }
    sums[local_index] = sum;
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if lane < half {
            sums[local_index] += sums[local_index + half * COLUMNS];
        }
    }
    if lane == 0u && quad < QUADS {
        store(quad, sums[local_index]);
    }
}

@group(0) @binding(0) var<storage, read> x_any: array<f32>;         // [rows, X_COLUMNS]
@group(0) @binding(1) var<storage, read_write> y_any: array<f32>;   // [ELEMENTS]

override ITERATIONS_REDUCE_ROWS_ANY: u32 = COUNT;

@compute @workgroup_size(64)
fn reduce_rows_any(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let index = flat_index(workgroup_id, workgroups, local_index, 64u);
    if index >= ELEMENTS {
        return;
    }
    var sum = 0.0;
    for (var row = FIRST; row < FIRST + COUNT; row++) {
        sum += x_any[row * X_COLUMNS + index];
    }
    y_any[index] = select(0.0, y_any[index], ACCUMULATE) + sum;
}
