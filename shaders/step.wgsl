// Library: step
// Counts the step that has just been done.                  advance
// Counts the samples of a micro-batch within its step.      advance_within

override BATCH: u32;  // samples of the micro-batch

@group(0) @binding(0) var<storage, read_write> step: array<Step>;  // [1]

@compute @workgroup_size(1)
fn advance() {
    step[0].in_epoch += 1u;
    step[0].in_training += 1u;
    step[0].first = 0u;
}

@compute @workgroup_size(1)
fn advance_within() {
    step[0].first += BATCH;
}
