// Library: step
// loss = sum (y - target)^2 / MEAN_OVER    train and evaluate
// dy = 2 (y - target) / MEAN_OVER          train
//
// One workgroup walks over a piece of the elements, so the sum has a fixed order. The loss goes to the place of this step.

override MEAN_OVER: u32;    // elements of the whole step, of which these may be a part
override FIRST: u32;        // element of a piece
override COUNT: u32;        // elements of a piece
override ACCUMULATE: bool;  // add the piece to those before; micro-batches of a step add up in any case

const WORKGROUP: u32 = 64u;
const HALVINGS: u32 = 6u;   // of a sum over a workgroup

@group(0) @binding(0) var<storage, read> y: array<f32>;               // [elements]
@group(0) @binding(1) var<storage, read> targets: array<f32>;         // [elements]
@group(0) @binding(2) var<storage, read> step: array<Step>;           // [1]
@group(0) @binding(3) var<storage, read_write> losses: array<f32>;    // [steps of an epoch]
@group(0) @binding(4) var<storage, read_write> dy: array<f32>;        // [elements]

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
        let place = step[0].in_epoch;
        let accumulate = ACCUMULATE || step[0].first > 0u;
        losses[place] = select(0.0, losses[place], accumulate) + sums[0] / f32(MEAN_OVER);
    }
}

override ITERATIONS_TRAIN: u32 = (COUNT - 1u) / WORKGROUP + 1u + HALVINGS;

@compute @workgroup_size(WORKGROUP)
fn train(@builtin(local_invocation_index) local_index: u32) {
    sums[local_index] = 0.0;
    for (var index = FIRST + local_index; index < FIRST + COUNT; index += WORKGROUP) {
        let difference = y[index] - targets[index];
        sums[local_index] += difference * difference;
        dy[index] = 2.0 * difference / f32(MEAN_OVER);
    }
    store_sum(local_index);
}

override ITERATIONS_EVALUATE: u32 = (COUNT - 1u) / WORKGROUP + 1u + HALVINGS;

@compute @workgroup_size(WORKGROUP)
fn evaluate(@builtin(local_invocation_index) local_index: u32) {
    sums[local_index] = 0.0;
    for (var index = FIRST + local_index; index < FIRST + COUNT; index += WORKGROUP) {
        let difference = y[index] - targets[index];
        sums[local_index] += difference * difference;
    }
    store_sum(local_index);
}
