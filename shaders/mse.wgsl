// Library: step
// loss = mean (y - target)^2               train and evaluate
// dy = 2 (y - target) / ELEMENTS           train
//
// One workgroup walks over the batch, so the sum has a fixed order. The loss goes to the place of this step.

override ELEMENTS: u32;

const WORKGROUP: u32 = 64u;

@group(0) @binding(0) var<storage, read> y: array<f32>;               // [ELEMENTS]
@group(0) @binding(1) var<storage, read> targets: array<f32>;         // [ELEMENTS]
@group(0) @binding(2) var<storage, read> step: array<Step>;           // [1]
@group(0) @binding(3) var<storage, read_write> losses: array<f32>;    // [steps of an epoch]
@group(0) @binding(4) var<storage, read_write> dy: array<f32>;        // [ELEMENTS]

var<workgroup> sums: array<f32, WORKGROUP>;

// Adds up the sums of the workgroup in a fixed order and stores the mean.
fn store_sum(local_index: u32) {
    for (var width = WORKGROUP / 2u; width > 0u; width /= 2u) {
        workgroupBarrier();
        if local_index < width {
            sums[local_index] += sums[local_index + width];
        }
    }
    if local_index == 0u {
        losses[step[0].in_epoch] = sums[0] / f32(ELEMENTS);
    }
}

@compute @workgroup_size(WORKGROUP)
fn train(@builtin(local_invocation_index) local_index: u32) {
    sums[local_index] = 0.0;
    for (var index = local_index; index < ELEMENTS; index += WORKGROUP) {
        let difference = y[index] - targets[index];
        sums[local_index] += difference * difference;
        dy[index] = 2.0 * difference / f32(ELEMENTS);
    }
    store_sum(local_index);
}

@compute @workgroup_size(WORKGROUP)
fn evaluate(@builtin(local_invocation_index) local_index: u32) {
    sums[local_index] = 0.0;
    for (var index = local_index; index < ELEMENTS; index += WORKGROUP) {
        let difference = y[index] - targets[index];
        sums[local_index] += difference * difference;
    }
    store_sum(local_index);
}
