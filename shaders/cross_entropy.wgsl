// Library: step
// loss = mean_n -log softmax(logits[n])[labels[n]]                         train and evaluate
// dlogits[n, k] = (softmax(logits[n])[k] - [k == labels[n]]) / BATCH       train
//
// One workgroup walks over the batch, so the sum has a fixed order. The loss and the number of rows whose first maximum
// is the label go to the place of this step.

override BATCH: u32;
override CLASSES: u32;

const WORKGROUP: u32 = 64u;

@group(0) @binding(0) var<storage, read> logits: array<f32>;          // [BATCH, CLASSES]
@group(0) @binding(1) var<storage, read> labels: array<u32>;          // [BATCH]
@group(0) @binding(2) var<storage, read> step: array<Step>;           // [1]
@group(0) @binding(3) var<storage, read_write> losses: array<f32>;    // [steps of an epoch]
@group(0) @binding(4) var<storage, read_write> correct: array<u32>;   // [steps of an epoch]
@group(0) @binding(5) var<storage, read_write> dlogits: array<f32>;   // [BATCH, CLASSES]

var<workgroup> loss_sums: array<f32, WORKGROUP>;
var<workgroup> correct_sums: array<u32, WORKGROUP>;

struct Row {
    largest: f32,
    first_largest: u32,
    log_sum: f32,  // log sum_k exp(logits[k] - largest)
}

fn read_row(row: u32) -> Row {
    var largest = logits[row * CLASSES];
    var first_largest = 0u;
    for (var k = 1u; k < CLASSES; k++) {
        let value = logits[row * CLASSES + k];
        if value > largest {
            largest = value;
            first_largest = k;
        }
    }
    var sum = 0.0;
    for (var k = 0u; k < CLASSES; k++) {
        sum += exp(logits[row * CLASSES + k] - largest);
    }
    return Row(largest, first_largest, log(sum));
}

// Adds the row to this invocation's sums.
fn count_row(row: u32, state: Row, local_index: u32) {
    let label = labels[row];
    loss_sums[local_index] += state.log_sum - (logits[row * CLASSES + label] - state.largest);
    correct_sums[local_index] += select(0u, 1u, state.first_largest == label);
}

// Adds up the sums of the workgroup in a fixed order and stores them.
fn store_sums(local_index: u32) {
    for (var width = WORKGROUP / 2u; width > 0u; width /= 2u) {
        workgroupBarrier();
        if local_index < width {
            loss_sums[local_index] += loss_sums[local_index + width];
            correct_sums[local_index] += correct_sums[local_index + width];
        }
    }
    if local_index == 0u {
        losses[step[0].in_epoch] = loss_sums[0] / f32(BATCH);
        correct[step[0].in_epoch] = correct_sums[0];
    }
}

@compute @workgroup_size(WORKGROUP)
fn train(@builtin(local_invocation_index) local_index: u32) {
    loss_sums[local_index] = 0.0;
    correct_sums[local_index] = 0u;
    for (var row = local_index; row < BATCH; row += WORKGROUP) {
        let state = read_row(row);
        count_row(row, state, local_index);
        let label = labels[row];
        for (var k = 0u; k < CLASSES; k++) {
            let probability = exp(logits[row * CLASSES + k] - state.largest - state.log_sum);
            dlogits[row * CLASSES + k] = (probability - select(0.0, 1.0, k == label)) / f32(BATCH);
        }
    }
    store_sums(local_index);
}

@compute @workgroup_size(WORKGROUP)
fn evaluate(@builtin(local_invocation_index) local_index: u32) {
    loss_sums[local_index] = 0.0;
    correct_sums[local_index] = 0u;
    for (var row = local_index; row < BATCH; row += WORKGROUP) {
        count_row(row, read_row(row), local_index);
    }
    store_sums(local_index);
}
