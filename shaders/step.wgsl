// Library: step
// Counts the step that has just been done.     advance

@group(0) @binding(0) var<storage, read_write> step: array<Step>;  // [1]

@compute @workgroup_size(1)
fn advance() {
    step[0].in_epoch += 1u;
    step[0].in_training += 1u;
}
