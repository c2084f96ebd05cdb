// Library: index, nan, step
// loss = sum_n -log softmax(logits[n])[labels[n]] / MEAN_OVER              train and evaluate
// dlogits[n, k] = (softmax(logits[n])[k] - [k == labels[n]]) / MEAN_OVER   train
//
// The loss and the number of rows whose first maximum is the label go to the place of this step; their sums have a fixed
// order. In `train` and `evaluate` one workgroup walks over the batch. However large the batch and however many the classes
// are, `train_rows` and `evaluate_rows` take a row in each workgroup, and `sum_rows` adds the rows up, piece by piece.
// NaN among the logits makes the loss NaN.

override BATCH: u32;
override CLASSES: u32;
override MEAN_OVER: u32;    // rows of the whole step, of which this batch may be a part
override FIRST: u32;        // row of a piece
override COUNT: u32;        // rows of a piece
override ACCUMULATE: bool;  // add the piece to those before

const WORKGROUP: u32 = 64u;
const HALVINGS: u32 = 6u;   // of a sum over a workgroup

@group(0) @binding(0) var<storage, read> logits: array<f32>;          // [BATCH, CLASSES]
@group(0) @binding(1) var<storage, read> labels: array<u32>;          // [BATCH]
@group(0) @binding(2) var<storage, read> step: array<Step>;           // [1]
@group(0) @binding(3) var<storage, read_write> losses: array<f32>;    // [steps of an epoch]
@group(0) @binding(4) var<storage, read_write> correct: array<u32>;   // [steps of an epoch]
@group(0) @binding(5) var<storage, read_write> dlogits: array<f32>;   // [BATCH, CLASSES]
@group(0) @binding(6) var<storage, read_write> row_losses: array<f32>;   // [BATCH]
@group(0) @binding(7) var<storage, read_write> row_correct: array<u32>;  // [BATCH]

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
        if exceeds(value, largest) {
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

fn loss_of(row: u32, state: Row) -> f32 {
    return state.log_sum - (logits[row * CLASSES + labels[row]] - state.largest);
}

fn write_gradient(row: u32, k: u32, state: Row) {
    let probability = exp(logits[row * CLASSES + k] - state.largest - state.log_sum);
    dlogits[row * CLASSES + k] = (probability - select(0.0, 1.0, k == labels[row])) / f32(MEAN_OVER);
}

// Adds up the sums of the workgroup in a fixed order.
fn sum_up(local_index: u32) {
    for (var width = WORKGROUP / 2u; width > 0u; width /= 2u) {
        workgroupBarrier();
        if local_index < width {
            loss_sums[local_index] += loss_sums[local_index + width];
            correct_sums[local_index] += correct_sums[local_index + width];
        }
    }
}

// Stores the sums of some rows, or adds them to what is there of the step: earlier micro-batches, or an earlier piece.
fn add_to_step(loss: f32, right: u32, is_later_piece: bool) {
    let place = step[0].in_epoch;
    let accumulate = is_later_piece || step[0].first > 0u;
    losses[place] = select(0.0, losses[place], accumulate) + loss / f32(MEAN_OVER);
    correct[place] = select(0u, correct[place], accumulate) + right;
}

override ROWS_OF_INVOCATION: u32 = (BATCH - 1u) / WORKGROUP + 1u;
override ITERATIONS_TRAIN: u32 = ROWS_OF_INVOCATION * (1u + 3u * CLASSES) + HALVINGS;

@compute @workgroup_size(WORKGROUP)
fn train(@builtin(local_invocation_index) local_index: u32) {
    loss_sums[local_index] = 0.0;
    correct_sums[local_index] = 0u;
    for (var row = local_index; row < BATCH; row += WORKGROUP) {
        let state = read_row(row);
        loss_sums[local_index] += loss_of(row, state);
        correct_sums[local_index] += select(0u, 1u, state.first_largest == labels[row]);
        for (var k = 0u; k < CLASSES; k++) {
            write_gradient(row, k, state);
        }
    }
    sum_up(local_index);
    if local_index == 0u {
        add_to_step(loss_sums[0], correct_sums[0], false);
    }
}

override ITERATIONS_EVALUATE: u32 = ROWS_OF_INVOCATION * (1u + 2u * CLASSES) + HALVINGS;

@compute @workgroup_size(WORKGROUP)
fn evaluate(@builtin(local_invocation_index) local_index: u32) {
    loss_sums[local_index] = 0.0;
    correct_sums[local_index] = 0u;
    for (var row = local_index; row < BATCH; row += WORKGROUP) {
        let state = read_row(row);
        loss_sums[local_index] += loss_of(row, state);
        correct_sums[local_index] += select(0u, 1u, state.first_largest == labels[row]);
    }
    sum_up(local_index);
    if local_index == 0u {
        add_to_step(loss_sums[0], correct_sums[0], false);
    }
}

var<workgroup> largest_values: array<f32, WORKGROUP>;
var<workgroup> largest_places: array<u32, WORKGROUP>;

// The row, by a whole workgroup.
fn read_row_together(row: u32, local_index: u32) -> Row {
    var largest = logits[row * CLASSES];
    var place = 0u;
    for (var k = local_index; k < CLASSES; k += WORKGROUP) {
        let value = logits[row * CLASSES + k];
        if exceeds(value, largest) {
            largest = value;
            place = k;
        }
    }
    largest_values[local_index] = largest;
    largest_places[local_index] = place;
    for (var width = WORKGROUP / 2u; width > 0u; width /= 2u) {
        workgroupBarrier();
        if local_index < width {
            keep_larger(local_index, local_index + width);
        }
    }
    workgroupBarrier();
    largest = largest_values[0];
    place = largest_places[0];
    var sum = 0.0;
    for (var k = local_index; k < CLASSES; k += WORKGROUP) {
        sum += exp(logits[row * CLASSES + k] - largest);
    }
    loss_sums[local_index] = sum;
    sum_up(local_index);
    workgroupBarrier();
    return Row(largest, place, log(loss_sums[0]));
}

// The larger of two values takes the first one's place; of equal ones the first of the row.
fn keep_larger(index: u32, other: u32) {
    let value = largest_values[other];
    let is_earlier = value == largest_values[index] && largest_places[other] < largest_places[index];
    if exceeds(value, largest_values[index]) || is_earlier {
        largest_values[index] = value;
        largest_places[index] = largest_places[other];
    }
}

fn store_row(row: u32, state: Row) {
    row_losses[row] = loss_of(row, state);
    row_correct[row] = select(0u, 1u, state.first_largest == labels[row]);
}

override CLASSES_OF_INVOCATION: u32 = (CLASSES - 1u) / WORKGROUP + 1u;
override ITERATIONS_TRAIN_ROWS: u32 = 3u * CLASSES_OF_INVOCATION + 2u * HALVINGS;

@compute @workgroup_size(WORKGROUP)
fn train_rows(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let row = flat_index(workgroup_id, workgroups, 0u, 1u);
    if row >= BATCH {
        return;
    }
    let state = read_row_together(row, local_index);
    for (var k = local_index; k < CLASSES; k += WORKGROUP) {
        write_gradient(row, k, state);
    }
    if local_index == 0u {
        store_row(row, state);
    }
}

override ITERATIONS_EVALUATE_ROWS: u32 = 2u * CLASSES_OF_INVOCATION + 2u * HALVINGS;

@compute @workgroup_size(WORKGROUP)
fn evaluate_rows(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let row = flat_index(workgroup_id, workgroups, 0u, 1u);
    if row >= BATCH {
        return;
    }
    let state = read_row_together(row, local_index);
    if local_index == 0u {
        store_row(row, state);
    }
}

override ITERATIONS_SUM_ROWS: u32 = (COUNT - 1u) / WORKGROUP + 1u + HALVINGS;

@compute @workgroup_size(WORKGROUP)
fn sum_rows(@builtin(local_invocation_index) local_index: u32) {
    loss_sums[local_index] = 0.0;
    correct_sums[local_index] = 0u;
    for (var row = FIRST + local_index; row < FIRST + COUNT; row += WORKGROUP) {
        loss_sums[local_index] += row_losses[row];
        correct_sums[local_index] += row_correct[row];
    }
    sum_up(local_index);
    if local_index == 0u {
        add_to_step(loss_sums[0], correct_sums[0], ACCUMULATE);
    }
}
