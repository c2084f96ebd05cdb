// y[n, Y_START + j] = x[n, (X_START + j) mod X_COLUMNS],   j < COLUMNS       forward
// dx[n, (X_START + j) mod X_COLUMNS] += dy[n, Y_START + j]                   backward
//
// One dispatch copies one operand of a concatenation, or one slice. COLUMNS <= X_COLUMNS, so that no element of dx is
// reached twice.

override BATCH: u32;
override COLUMNS: u32;
override X_COLUMNS: u32;
override X_START: u32;
override Y_COLUMNS: u32;
override Y_START: u32;

@group(0) @binding(0) var<storage, read> x: array<f32>;         // [BATCH, X_COLUMNS]
@group(0) @binding(1) var<storage, read_write> y: array<f32>;   // [BATCH, Y_COLUMNS]

@compute @workgroup_size(64)
fn forward(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let index = flat_index(workgroup_id, workgroups, local_index, 64u);
    if index < BATCH * COLUMNS {
        let row = index / COLUMNS;
        let column = index % COLUMNS;
        y[row * Y_COLUMNS + Y_START + column] = x[row * X_COLUMNS + (X_START + column) % X_COLUMNS];
    }
}

@group(0) @binding(0) var<storage, read> dy: array<f32>;        // [BATCH, Y_COLUMNS]
@group(0) @binding(1) var<storage, read_write> dx: array<f32>;  // [BATCH, X_COLUMNS]

@compute @workgroup_size(64)
fn backward(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let index = flat_index(workgroup_id, workgroups, local_index, 64u);
    if index < BATCH * COLUMNS {
        let row = index / COLUMNS;
        let column = index % COLUMNS;
        dx[row * X_COLUMNS + (X_START + column) % X_COLUMNS] += dy[row * Y_COLUMNS + Y_START + column];
    }
}
