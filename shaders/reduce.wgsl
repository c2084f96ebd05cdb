// y[i] = sum over c of x[c, i]      reduce_rows: the last stage of a reduction cut into chunks, in fixed order

override ROWS: u32;
override ELEMENTS: u32;   // of y
override X_COLUMNS: u32;  // from one row of x to the next
override X_START: u32;    // first column read
override ACCUMULATE: bool;

@group(0) @binding(0) var<storage, read> x: array<f32>;         // [ROWS, X_COLUMNS]
@group(0) @binding(1) var<storage, read_write> y: array<f32>;   // [ELEMENTS]

@compute @workgroup_size(64)
fn reduce_rows(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let index = flat_index(workgroup_id, workgroups, local_index, 64u);
    if index >= ELEMENTS {
        return;
    }
    var sum = select(0.0, y[index], ACCUMULATE);
    for (var row = 0u; row < ROWS; row++) {
        sum += x[row * X_COLUMNS + X_START + index];
    }
    y[index] = sum;
}
