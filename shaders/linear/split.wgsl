// Library: index
// y = x * weight^T + bias                          forward
// dx = dy * weight                                 backward_input
// dweight = dy^T * x,   dbias = sum_batch dy       backward_weight
//
// For products of few rows or columns: a workgroup makes four rows by four columns. Its invocations take every 64th summand
// each, and a tree adds up what they have. Rows and columns past the end repeat the last one and are not stored. A sum that
// is longer than the adapter takes is made in pieces.

override BATCH: u32;
override IN: u32;
override OUT: u32;
override FIRST: u32;            // summands FIRST to FIRST + COUNT, as a piece of a long sum;
override COUNT: u32;            // later pieces accumulate
override ACCUMULATE: bool;

const LANES: u32 = 64u;
const HALVINGS: u32 = 6u;       // of the tree
const FOUR = vec4<u32>(0u, 1u, 2u, 3u);

@group(0) @binding(0) var<storage, read> x: array<f32>;              // [BATCH, IN]
@group(0) @binding(1) var<storage, read> weight: array<f32>;         // [OUT, IN]
@group(0) @binding(2) var<storage, read> bias: array<f32>;           // [OUT]
@group(0) @binding(3) var<storage, read_write> y: array<f32>;        // [BATCH, OUT]

var<workgroup> parts: array<vec4<f32>, 4 * LANES>;                   // [4 rows, LANES]

// The four rows or columns from 4 * `group` on, none past `end - 1`.
fn four(group: u32, end: u32) -> vec4<u32> {
    return min(vec4<u32>(4u * group) + FOUR, vec4<u32>(end - 1u));
}

// Adds up the rows of all invocations: parts[LANES * r] is the sum of row r. Every invocation must call this.
fn add_up(lane: u32, a: vec4<f32>, b: vec4<f32>, c: vec4<f32>, d: vec4<f32>) {
    parts[lane] = a;
    parts[lane + LANES] = b;
    parts[lane + 2u * LANES] = c;
    parts[lane + 3u * LANES] = d;
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if lane < half {
            parts[lane] += parts[lane + half];
            parts[lane + LANES] += parts[lane + LANES + half];
            parts[lane + 2u * LANES] += parts[lane + 2u * LANES + half];
            parts[lane + 3u * LANES] += parts[lane + 3u * LANES + half];
        }
    }
    workgroupBarrier();
}

// The element of the sixteen that invocation `lane` stores: row lane / 4, column lane % 4.
fn sum_of(lane: u32) -> f32 {
    return parts[lane / 4u * LANES][lane % 4u];
}

override ITERATIONS_FORWARD: u32 = (COUNT + LANES - 1u) / LANES + HALVINGS;

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
    let rows = four(id.x, BATCH) * IN;
    let columns = four(id.y, OUT) * IN;
    var a = vec4<f32>();
    var b = vec4<f32>();
    var c = vec4<f32>();
    var d = vec4<f32>();
    for (var i = FIRST + lane; i < FIRST + COUNT; i += LANES) {
        let w = vec4<f32>(weight[columns.x + i], weight[columns.y + i], weight[columns.z + i], weight[columns.w + i]);
        a += x[rows.x + i] * w;
        b += x[rows.y + i] * w;
        c += x[rows.z + i] * w;
        d += x[rows.w + i] * w;
    }
    add_up(lane, a, b, c, d);
    let row = 4u * id.x + lane / 4u;
    let column = 4u * id.y + lane % 4u;
    if lane < 16u && row < BATCH && column < OUT {
        let place = row * OUT + column;
        y[place] = sum_of(lane) + select(bias[column], y[place], ACCUMULATE);
    }
}

@group(0) @binding(0) var<storage, read> dy: array<f32>;             // [BATCH, OUT]
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;       // [BATCH, IN]

override ITERATIONS_BACKWARD_INPUT: u32 = (COUNT + LANES - 1u) / LANES + HALVINGS;

@compute @workgroup_size(LANES)
fn backward_input(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let id = unfold(workgroup_id, workgroups);
    if is_behind_grid(id) {
        return;
    }
    let rows = four(id.x, BATCH) * OUT;
    let columns = four(id.y, IN);
    var a = vec4<f32>();
    var b = vec4<f32>();
    var c = vec4<f32>();
    var d = vec4<f32>();
    for (var o = FIRST + lane; o < FIRST + COUNT; o += LANES) {
        let places = o * IN + columns;
        let w = vec4<f32>(weight[places.x], weight[places.y], weight[places.z], weight[places.w]);
        a += dy[rows.x + o] * w;
        b += dy[rows.y + o] * w;
        c += dy[rows.z + o] * w;
        d += dy[rows.w + o] * w;
    }
    add_up(lane, a, b, c, d);
    let row = 4u * id.x + lane / 4u;
    let column = 4u * id.y + lane % 4u;
    if lane < 16u && row < BATCH && column < IN {
        let place = row * IN + column;
        dx[place] = select(0.0, dx[place], ACCUMULATE) + sum_of(lane);
    }
}

@group(0) @binding(1) var<storage, read> input: array<f32>;          // [BATCH, IN], the x of forward
@group(0) @binding(2) var<storage, read_write> dweight: array<f32>;  // [OUT, IN]
@group(0) @binding(3) var<storage, read_write> dbias: array<f32>;    // [OUT]

override ITERATIONS_BACKWARD_WEIGHT: u32 = (COUNT + LANES - 1u) / LANES + HALVINGS;

// Columns run over IN + 1: the last one stands for the bias, whose input is 1.
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
    let rows = four(id.x, OUT);
    let columns = four(id.y, IN);
    let is_bias = vec4<u32>(4u * id.y) + FOUR == vec4<u32>(IN);
    var a = vec4<f32>();
    var b = vec4<f32>();
    var c = vec4<f32>();
    var d = vec4<f32>();
    for (var n = FIRST + lane; n < FIRST + COUNT; n += LANES) {
        let places = n * IN + columns;
        let values = vec4<f32>(input[places.x], input[places.y], input[places.z], input[places.w]);
        let w = select(values, vec4<f32>(1.0), is_bias);
        let gradients = n * OUT + rows;
        a += dy[gradients.x] * w;
        b += dy[gradients.y] * w;
        c += dy[gradients.z] * w;
        d += dy[gradients.w] * w;
    }
    add_up(lane, a, b, c, d);
    let row = 4u * id.x + lane / 4u;
    let column = 4u * id.y + lane % 4u;
    if lane < 16u && row < OUT && column < IN {
        let place = row * IN + column;
        dweight[place] = select(0.0, dweight[place], ACCUMULATE) + sum_of(lane);
    }
    if lane < 16u && row < OUT && column == IN {
        dbias[row] = select(0.0, dbias[row], ACCUMULATE) + sum_of(lane);
    }
}
