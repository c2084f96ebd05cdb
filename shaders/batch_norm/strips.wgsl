// Library: activation, index
// mean, var over the rows of each channel;  rstd = 1 / sqrt(var + EPS)
// y = phi((x - mean) * rstd * weight + bias)
//                 forward with the statistics of the batch: moments, finish_moments, forward
//                 evaluate with the running statistics
// dz = phi'(x) * dy,  xhat = (x - mean) * rstd
// dbias = sum dz,  dweight = sum dz * xhat                                     backward_sums, finish_sums
// dx = weight * rstd * (dz - dbias / ROWS - xhat * dweight / ROWS)             backward_input
//      or weight * rstd * dz where the statistics are constants: FROZEN
//
// PyTorch's BatchNorm1d and BatchNorm2d: the biased variance normalises, the unbiased one enters the running statistics as
// running = (1 - MOMENTUM) * running + MOMENTUM * new. Rows are samples, or the pixels of all images. Sums over rows are
// taken in CHUNKS that are added up in a fixed order. Any number of channels, any adapter.

override ROWS: u32;
override CHANNELS: u32;
override CHUNKS: u32;
override EPS: f32;
override MOMENTUM: f32;
override FROZEN: bool;                  // mean and var do not depend on x
override ACTIVATION: u32;
override ACCUMULATE: bool;              // dx
override ACCUMULATE_PARAMETERS: bool;   // dweight and dbias

override CHUNK_ROWS = (ROWS + CHUNKS - 1u) / CHUNKS;

const STRIP: u32 = 16u;  // rows of one channel that an elementwise invocation takes

@group(0) @binding(0) var<storage, read> x: array<f32>;                     // [ROWS, CHANNELS]
@group(0) @binding(1) var<storage, read_write> partial: array<f32>;         // [CHUNKS, 2, CHANNELS]

// First row and end of a chunk.
fn rows_of(chunk: u32) -> vec2<u32> {
    return vec2<u32>(chunk * CHUNK_ROWS, min((chunk + 1u) * CHUNK_ROWS, ROWS));
}

override ITERATIONS_MOMENTS: u32 = CHUNK_ROWS;

// Mean and sum of squared differences from it, over one chunk of rows of one channel. Values are taken relative to the
// first one, which differs from the mean by no more than sqrt(rows of the chunk) standard deviations: a variance that is
// small beside the mean does not cancel.
@compute @workgroup_size(64)
fn moments(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let index = flat_index(workgroup_id, workgroups, local_index, 64u);
    if index >= CHUNKS * CHANNELS {
        return;
    }
    let channel = index % CHANNELS;
    let chunk = index / CHANNELS;
    let rows = rows_of(chunk);
    let shift = x[rows.x * CHANNELS + channel];
    var sum = 0.0;
    var squares = 0.0;
    for (var row = rows.x; row < rows.y; row++) {
        let difference = x[row * CHANNELS + channel] - shift;
        sum += difference;
        squares += difference * difference;
    }
    let offset = sum / f32(rows.y - rows.x);
    partial[2u * chunk * CHANNELS + channel] = shift + offset;
    partial[(2u * chunk + 1u) * CHANNELS + channel] = relu(squares - sum * offset);
}

@group(0) @binding(0) var<storage, read> partials: array<f32>;              // the partial of moments, or of backward_sums
@group(0) @binding(2) var<storage, read_write> batch: array<f32>;           // [2, CHANNELS]: mean, rstd
@group(0) @binding(3) var<storage, read_write> running_mean: array<f32>;    // [CHANNELS]
@group(0) @binding(4) var<storage, read_write> running_var: array<f32>;     // [CHANNELS]

override ITERATIONS_FINISH_MOMENTS: u32 = 2u * CHUNKS;

// The mean of the chunks' means, and how far each of them lies from it. Again relative to the first one.
@compute @workgroup_size(64)
fn finish_moments(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let channel = flat_index(workgroup_id, workgroups, local_index, 64u);
    if channel >= CHANNELS {
        return;
    }
    let shift = partials[channel];
    var sum = 0.0;
    for (var chunk = 0u; chunk < CHUNKS; chunk++) {
        let rows = rows_of(chunk);
        sum += f32(rows.y - rows.x) * (partials[2u * chunk * CHANNELS + channel] - shift);
    }
    let offset = sum / f32(ROWS);
    var squares = 0.0;
    for (var chunk = 0u; chunk < CHUNKS; chunk++) {
        let rows = rows_of(chunk);
        let difference = (partials[2u * chunk * CHANNELS + channel] - shift) - offset;
        squares += partials[(2u * chunk + 1u) * CHANNELS + channel]
            + f32(rows.y - rows.x) * difference * difference;
    }
    batch[channel] = shift + offset;
    batch[CHANNELS + channel] = 1.0 / sqrt(squares / f32(ROWS) + EPS);
    let unbiased = squares / f32(ROWS - 1u);
    running_mean[channel] = (1.0 - MOMENTUM) * running_mean[channel] + MOMENTUM * (shift + offset);
    running_var[channel] = (1.0 - MOMENTUM) * running_var[channel] + MOMENTUM * unbiased;
}

@group(0) @binding(1) var<storage, read> batch_moments: array<f32>;         // the batch of finish_moments
@group(0) @binding(2) var<storage, read> weight: array<f32>;                // [CHANNELS]
@group(0) @binding(3) var<storage, read> bias: array<f32>;                  // [CHANNELS]
@group(0) @binding(4) var<storage, read_write> y: array<f32>;               // like x

// What goes into the activation: one product and sum, so that the way back finds the same bits.
fn linear(value: f32, mean: f32, scale: f32, shift: f32) -> f32 {
    return fma(value - mean, scale, shift);
}

// y of the strip of rows that begins at `first`.
fn normalise(first: u32, channel: u32, mean: f32, rstd: f32) {
    let scale = weight[channel] * rstd;
    let shift = bias[channel];
    for (var row = first; row < min(first + STRIP, ROWS); row++) {
        let index = row * CHANNELS + channel;
        y[index] = activate(ACTIVATION, linear(x[index], mean, scale, shift));
    }
}

override ITERATIONS_FORWARD: u32 = STRIP;

@compute @workgroup_size(64)
fn forward(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let index = flat_index(workgroup_id, workgroups, local_index, 64u);
    let channel = index % CHANNELS;
    normalise(index / CHANNELS * STRIP, channel, batch_moments[channel], batch_moments[CHANNELS + channel]);
}

@group(0) @binding(5) var<storage, read> mean: array<f32>;                  // [CHANNELS], running
@group(0) @binding(6) var<storage, read> variance: array<f32>;              // [CHANNELS], running

override ITERATIONS_EVALUATE: u32 = STRIP;

@compute @workgroup_size(64)
fn evaluate(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let index = flat_index(workgroup_id, workgroups, local_index, 64u);
    let channel = index % CHANNELS;
    normalise(index / CHANNELS * STRIP, channel, mean[channel], 1.0 / sqrt(variance[channel] + EPS));
}

@group(0) @binding(4) var<storage, read> dy: array<f32>;                    // like y
@group(0) @binding(5) var<storage, read_write> partial_sums: array<f32>;    // [CHUNKS, 2, CHANNELS]: dz, dz * xhat

// dz where x is `value`: phi' is expressed by y, which is made again.
fn gradient_of_linear(value: f32, mean: f32, scale: f32, shift: f32, gradient: f32) -> f32 {
    return activation_slope(ACTIVATION, activate(ACTIVATION, linear(value, mean, scale, shift))) * gradient;
}

override ITERATIONS_BACKWARD_SUMS: u32 = CHUNK_ROWS;

@compute @workgroup_size(64)
fn backward_sums(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let index = flat_index(workgroup_id, workgroups, local_index, 64u);
    if index >= CHUNKS * CHANNELS {
        return;
    }
    let channel = index % CHANNELS;
    let chunk = index / CHANNELS;
    let rows = rows_of(chunk);
    let center = batch_moments[channel];
    let rstd = batch_moments[CHANNELS + channel];
    let scale = weight[channel] * rstd;
    let shift = bias[channel];
    var sum = 0.0;
    var products = 0.0;
    for (var row = rows.x; row < rows.y; row++) {
        let place = row * CHANNELS + channel;
        let dz = gradient_of_linear(x[place], center, scale, shift, dy[place]);
        sum += dz;
        products += dz * ((x[place] - center) * rstd);
    }
    partial_sums[2u * chunk * CHANNELS + channel] = sum;
    partial_sums[(2u * chunk + 1u) * CHANNELS + channel] = products;
}

@group(0) @binding(1) var<storage, read_write> sums: array<f32>;            // [2, CHANNELS]: dz, dz * xhat
@group(0) @binding(2) var<storage, read_write> dbias: array<f32>;           // [CHANNELS]
@group(0) @binding(3) var<storage, read_write> dweight: array<f32>;         // [CHANNELS]

override ITERATIONS_FINISH_SUMS: u32 = CHUNKS;

@compute @workgroup_size(64)
fn finish_sums(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let channel = flat_index(workgroup_id, workgroups, local_index, 64u);
    if channel >= CHANNELS {
        return;
    }
    var sum = 0.0;
    var products = 0.0;
    for (var chunk = 0u; chunk < CHUNKS; chunk++) {
        sum += partials[2u * chunk * CHANNELS + channel];
        products += partials[(2u * chunk + 1u) * CHANNELS + channel];
    }
    sums[channel] = sum;
    sums[CHANNELS + channel] = products;
    dbias[channel] = select(0.0, dbias[channel], ACCUMULATE_PARAMETERS) + sum;
    dweight[channel] = select(0.0, dweight[channel], ACCUMULATE_PARAMETERS) + products;
}

@group(0) @binding(5) var<storage, read> channel_sums: array<f32>;          // the sums of finish_sums
@group(0) @binding(6) var<storage, read_write> dx: array<f32>;              // like x

override ITERATIONS_BACKWARD_INPUT: u32 = STRIP;

@compute @workgroup_size(64)
fn backward_input(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let index = flat_index(workgroup_id, workgroups, local_index, 64u);
    let channel = index % CHANNELS;
    let first = index / CHANNELS * STRIP;
    let center = batch_moments[channel];
    let rstd = batch_moments[CHANNELS + channel];
    let scale = weight[channel] * rstd;
    let shift = bias[channel];
    let mean_dz = channel_sums[channel] / f32(ROWS);
    let mean_product = channel_sums[CHANNELS + channel] / f32(ROWS);
    for (var row = first; row < min(first + STRIP, ROWS); row++) {
        let place = row * CHANNELS + channel;
        let dz = gradient_of_linear(x[place], center, scale, shift, dy[place]);
        let xhat = (x[place] - center) * rstd;
        let gradient = scale * select(dz - mean_dz - xhat * mean_product, dz, FROZEN);
        dx[place] = select(0.0, dx[place], ACCUMULATE) + gradient;
    }
}
