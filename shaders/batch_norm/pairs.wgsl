// Library: pairs, activation, nan, index
// mean, var over the rows of each channel;  rstd = 1 / sqrt(var + EPS)
// z = (x - mean) * rstd * weight + bias,   y = phi(largest z of a window)
//                 forward with the statistics of the batch: moments, finish_moments, forward
//                 evaluate with the running statistics
// dz = phi'(z) * dy where z was the first largest of its window, else 0;  xhat = (x - mean) * rstd
// dbias = sum dz,  dweight = sum dz * xhat                                     backward_sums, finish_sums
// dx = weight * rstd * (dz - dbias / ROWS - xhat * dweight / ROWS)             backward_input
//      or weight * rstd * dz where the statistics are constants: FROZEN
// The same in one dispatch each, for few rows:                                 forward_whole, backward_whole
//
// Batch normalisation, activation and max pooling over windows side by side (1 x 1 for none), in one pass over the data. Rows
// are pixels, or samples (HEIGHT and WIDTH 1). The winner of a window is found again on the way back: z grows or falls with
// x, so it is the first largest or smallest x. For adapters that run shaders on the CPU, where a load costs the same whether
// it brings 4 bytes or 8: channels are loaded in pairs, and no invocation waits for another. Sums over rows are cut into
// CHUNKS.

override BATCH: u32;
override HEIGHT: u32;
override WIDTH: u32;
override CHANNELS: u32;         // a multiple of 2
override WINDOW_H: u32;
override WINDOW_W: u32;
override CHUNKS: u32;
override EPS: f32;
override MOMENTUM: f32;
override FROZEN: bool;                  // mean and var do not depend on x
override ACTIVATION: u32;
override ACCUMULATE: bool;              // dx
override ACCUMULATE_PARAMETERS: bool;   // dweight and dbias

override ROWS = BATCH * HEIGHT * WIDTH;
override OUT_HEIGHT = HEIGHT / WINDOW_H;
override OUT_WIDTH = WIDTH / WINDOW_W;
override OUTPUTS = BATCH * OUT_HEIGHT * OUT_WIDTH;
override LINES = (HEIGHT + WINDOW_H - 1u) / WINDOW_H;       // of windows, with those that are cut off by the edge
override COLUMNS = (WIDTH + WINDOW_W - 1u) / WINDOW_W;
override PIXELS = WINDOW_H * WINDOW_W;
override PAIRS = CHANNELS / 2u;
override CHUNK_ROWS = (ROWS + CHUNKS - 1u) / CHUNKS;
override CHUNK_OUTPUTS = (OUTPUTS + CHUNKS - 1u) / CHUNKS;

const LANES: u32 = 64u;         // neighbours take whole rows, so that a core reads memory in order
const FEW_LANES: u32 = 8u;      // where an invocation takes all rows, or all chunks
const WINDOWS: u32 = 8u;        // that an elementwise invocation takes

@group(0) @binding(0) var<storage, read> x: array<u64>;                         // [BATCH, HEIGHT, WIDTH, PAIRS]
@group(0) @binding(1) var<storage, read_write> partial: array<u64>;             // [CHUNKS, 2, PAIRS]

// What an invocation takes: two channels, and a tile of the rows. Neighbours have neighbouring channels.
struct Place {
    pair: u32,
    tile: u32,
}

fn place_of(index: u32) -> Place {
    return Place(index % PAIRS, index / PAIRS);
}

// First and end of a chunk of `count` rows or outputs.
fn range_of(chunk: u32, count: u32) -> vec2<u32> {
    let size = (count + CHUNKS - 1u) / CHUNKS;
    return min(vec2<u32>(chunk, chunk + 1u) * size, vec2<u32>(count));
}

// A sum of squares whose rounding errors may exceed it.
fn not_negative(squares: vec2<f32>) -> vec2<f32> {
    return vec2<f32>(relu(squares.x), relu(squares.y));
}

struct Sums {
    first: vec2<f32>,
    second: vec2<f32>,
}

fn load_x(place: u32) -> vec2<f32> {
    return unpack_pair(x[place]);
}

// Sum and sum of squares of a range of rows, relative to `shift`.
fn row_moments(pair: u32, rows: vec2<u32>, shift: vec2<f32>) -> Sums {
    var sums = Sums();
    for (var row = rows.x; row < rows.y; row++) {
        let difference = load_x(row * PAIRS + pair) - shift;
        sums.first += difference;
        sums.second += difference * difference;
    }
    return sums;
}

override ITERATIONS_MOMENTS: u32 = CHUNK_ROWS;

// Mean and sum of squared differences from it, over one chunk of rows. Values are taken relative to the first one, which
// differs from the mean by no more than sqrt(rows of the chunk) standard deviations: a variance that is small beside the
// mean does not cancel.
@compute @workgroup_size(LANES)
fn moments(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let place = place_of(flat_index(workgroup_id, workgroups, local_index, LANES));
    if place.tile >= CHUNKS {
        return;
    }
    let rows = range_of(place.tile, ROWS);
    let shift = load_x(rows.x * PAIRS + place.pair);
    let sums = row_moments(place.pair, rows, shift);
    let offset = sums.first / f32(rows.y - rows.x);
    partial[2u * place.tile * PAIRS + place.pair] = pack_pair(shift + offset);
    partial[(2u * place.tile + 1u) * PAIRS + place.pair] =
        pack_pair(not_negative(sums.second - sums.first * offset));
}

@group(0) @binding(0) var<storage, read> partials: array<u64>;                  // of moments, or of backward_sums
@group(0) @binding(2) var<storage, read_write> batch: array<u64>;               // [2, PAIRS]: mean, rstd
@group(0) @binding(3) var<storage, read_write> running_mean: array<u64>;        // [PAIRS]
@group(0) @binding(4) var<storage, read_write> running_var: array<u64>;         // [PAIRS]

// Stores what is known of the batch: mean, and the sum of the squared differences from it.
fn store_moments(pair: u32, center: vec2<f32>, squares: vec2<f32>) {
    batch[pair] = pack_pair(center);
    batch[PAIRS + pair] = pack_pair(rstd_of(squares / f32(ROWS)));
    let unbiased = squares / f32(ROWS - 1u);
    running_mean[pair] = pack_pair((1.0 - MOMENTUM) * unpack_pair(running_mean[pair]) + MOMENTUM * center);
    running_var[pair] = pack_pair((1.0 - MOMENTUM) * unpack_pair(running_var[pair]) + MOMENTUM * unbiased);
}

fn rstd_of(variance: vec2<f32>) -> vec2<f32> {
    return 1.0 / sqrt(variance + EPS);
}

override ITERATIONS_FINISH_MOMENTS: u32 = 2u * CHUNKS;

// The mean of the chunks' means, and how far each of them lies from it. Again relative to the first one.
@compute @workgroup_size(FEW_LANES)
fn finish_moments(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let place = place_of(flat_index(workgroup_id, workgroups, local_index, FEW_LANES));
    if place.tile > 0u {
        return;
    }
    let shift = unpack_pair(partials[place.pair]);
    var sum = vec2<f32>();
    for (var chunk = 0u; chunk < CHUNKS; chunk++) {
        let rows = range_of(chunk, ROWS);
        sum += f32(rows.y - rows.x) * (unpack_pair(partials[2u * chunk * PAIRS + place.pair]) - shift);
    }
    let offset = sum / f32(ROWS);
    var squares = vec2<f32>();
    for (var chunk = 0u; chunk < CHUNKS; chunk++) {
        let rows = range_of(chunk, ROWS);
        let difference = (unpack_pair(partials[2u * chunk * PAIRS + place.pair]) - shift) - offset;
        squares += unpack_pair(partials[(2u * chunk + 1u) * PAIRS + place.pair])
            + f32(rows.y - rows.x) * difference * difference;
    }
    store_moments(place.pair, shift + offset, squares);
}

@group(0) @binding(1) var<storage, read> batch_moments: array<u64>;             // the batch of finish_moments
@group(0) @binding(5) var<storage, read> weight: array<u64>;                    // [PAIRS]
@group(0) @binding(6) var<storage, read> bias: array<u64>;                      // [PAIRS]
@group(0) @binding(7) var<storage, read_write> y: array<u64>;                   // [BATCH, OUT_HEIGHT, OUT_WIDTH, PAIRS]

// z of two channels as a function of x. The way back finds the same bits: there is only one rounding to choose.
struct Linear {
    mean: vec2<f32>,
    rstd: vec2<f32>,
    scale: vec2<f32>,
    shift: vec2<f32>,
}

fn linear_of(pair: u32, mean: vec2<f32>, rstd: vec2<f32>) -> Linear {
    return Linear(mean, rstd, unpack_pair(weight[pair]) * rstd, unpack_pair(bias[pair]));
}

// That of the batch.
fn batch_linear_of(pair: u32) -> Linear {
    return linear_of(pair, unpack_pair(batch_moments[pair]), unpack_pair(batch_moments[PAIRS + pair]));
}

// phi(z) where x is `value`.
fn output_of(linear: Linear, value: vec2<f32>) -> vec2<f32> {
    let z = fma(value - linear.mean, linear.scale, linear.shift);
    return vec2<f32>(activate(ACTIVATION, z.x), activate(ACTIVATION, z.y));
}

// dz where x is `value`: phi' is expressed by y, which is made again.
fn gradient_of(linear: Linear, value: vec2<f32>, gradient: vec2<f32>) -> vec2<f32> {
    let output = output_of(linear, value);
    return vec2<f32>(activation_slope(ACTIVATION, output.x), activation_slope(ACTIVATION, output.y)) * gradient;
}

// The first pixel of a window, of `lines` by `columns` in every image.
fn corner_of(window: u32, lines: u32, columns: u32) -> u32 {
    let column = window % columns;
    let line = window / columns % lines;
    let image = window / (columns * lines);
    return (image * HEIGHT + line * WINDOW_H) * WIDTH + column * WINDOW_W;
}

fn exceeding(value: vec2<f32>, largest: vec2<f32>) -> vec2<bool> {
    return vec2<bool>(exceeds(value.x, largest.x), exceeds(value.y, largest.y));
}

struct Winner {
    value: vec2<f32>,
    pixel: vec2<u32>,   // of the window, row by row
}

// The x of the first largest z of the window that begins at `corner`.
fn winner_of(corner: u32, pair: u32, linear: Linear) -> Winner {
    let direction = sign(linear.scale);
    var winner = Winner(load_x(corner * PAIRS + pair), vec2<u32>());
    for (var pixel = 1u; pixel < PIXELS; pixel++) {
        let value = load_x((corner + pixel / WINDOW_W * WIDTH + pixel % WINDOW_W) * PAIRS + pair);
        let better = exceeding(value * direction, winner.value * direction);
        winner.value = select(winner.value, value, better);
        winner.pixel = select(winner.pixel, vec2<u32>(pixel), better);
    }
    return winner;
}

// y of a range of outputs.
fn store_outputs(outputs: vec2<u32>, pair: u32, linear: Linear) {
    for (var output = outputs.x; output < outputs.y; output++) {
        let winner = winner_of(corner_of(output, OUT_HEIGHT, OUT_WIDTH), pair, linear);
        y[output * PAIRS + pair] = pack_pair(output_of(linear, winner.value));
    }
}

// The range of a tile of WINDOWS among `count`.
fn tile_of(tile: u32, count: u32) -> vec2<u32> {
    return min(vec2<u32>(tile, tile + 1u) * WINDOWS, vec2<u32>(count));
}

override ITERATIONS_FORWARD: u32 = WINDOWS * PIXELS;

@compute @workgroup_size(LANES)
fn forward(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let place = place_of(flat_index(workgroup_id, workgroups, local_index, LANES));
    store_outputs(tile_of(place.tile, OUTPUTS), place.pair, batch_linear_of(place.pair));
}

@group(0) @binding(3) var<storage, read> mean: array<u64>;                      // [PAIRS], running
@group(0) @binding(4) var<storage, read> variance: array<u64>;                  // [PAIRS], running

override ITERATIONS_EVALUATE: u32 = WINDOWS * PIXELS;

@compute @workgroup_size(LANES)
fn evaluate(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let place = place_of(flat_index(workgroup_id, workgroups, local_index, LANES));
    let rstd = rstd_of(unpack_pair(variance[place.pair]));
    let linear = linear_of(place.pair, unpack_pair(mean[place.pair]), rstd);
    store_outputs(tile_of(place.tile, OUTPUTS), place.pair, linear);
}

override ITERATIONS_FORWARD_WHOLE: u32 = 2u * ROWS + OUTPUTS * PIXELS;

// The mean first, then the squared differences from it, then y.
@compute @workgroup_size(FEW_LANES)
fn forward_whole(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let place = place_of(flat_index(workgroup_id, workgroups, local_index, FEW_LANES));
    if place.tile > 0u {
        return;
    }
    let all = vec2<u32>(0u, ROWS);
    let shift = load_x(place.pair);
    let center = shift + row_moments(place.pair, all, shift).first / f32(ROWS);
    let squares = row_moments(place.pair, all, center).second;
    let linear = linear_of(place.pair, center, rstd_of(squares / f32(ROWS)));
    store_outputs(vec2<u32>(0u, OUTPUTS), place.pair, linear);
    store_moments(place.pair, center, squares);
}

@group(0) @binding(2) var<storage, read> dy: array<u64>;                        // like y
@group(0) @binding(3) var<storage, read_write> partial_sums: array<u64>;        // [CHUNKS, 2, PAIRS]: dz, dz * xhat

// Sums of dz and dz * xhat over a range of outputs.
fn gradient_sums(pair: u32, outputs: vec2<u32>, linear: Linear) -> Sums {
    var sums = Sums();
    for (var output = outputs.x; output < outputs.y; output++) {
        let winner = winner_of(corner_of(output, OUT_HEIGHT, OUT_WIDTH), pair, linear);
        let dz = gradient_of(linear, winner.value, unpack_pair(dy[output * PAIRS + pair]));
        sums.first += dz;
        sums.second += dz * ((winner.value - linear.mean) * linear.rstd);
    }
    return sums;
}

override ITERATIONS_BACKWARD_SUMS: u32 = CHUNK_OUTPUTS * PIXELS;

@compute @workgroup_size(LANES)
fn backward_sums(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let place = place_of(flat_index(workgroup_id, workgroups, local_index, LANES));
    if place.tile >= CHUNKS {
        return;
    }
    let total = gradient_sums(place.pair, range_of(place.tile, OUTPUTS), batch_linear_of(place.pair));
    partial_sums[2u * place.tile * PAIRS + place.pair] = pack_pair(total.first);
    partial_sums[(2u * place.tile + 1u) * PAIRS + place.pair] = pack_pair(total.second);
}

@group(0) @binding(1) var<storage, read_write> sums: array<u64>;                // [2, PAIRS]: dz, dz * xhat
@group(0) @binding(8) var<storage, read_write> dbias: array<u64>;               // [PAIRS]
@group(0) @binding(9) var<storage, read_write> dweight: array<u64>;             // [PAIRS]

fn store_parameter_gradients(pair: u32, total: Sums) {
    let before = Sums(unpack_pair(dbias[pair]), unpack_pair(dweight[pair]));
    dbias[pair] = pack_pair(select(vec2<f32>(), before.first, ACCUMULATE_PARAMETERS) + total.first);
    dweight[pair] = pack_pair(select(vec2<f32>(), before.second, ACCUMULATE_PARAMETERS) + total.second);
}

override ITERATIONS_FINISH_SUMS: u32 = CHUNKS;

@compute @workgroup_size(FEW_LANES)
fn finish_sums(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let place = place_of(flat_index(workgroup_id, workgroups, local_index, FEW_LANES));
    if place.tile > 0u {
        return;
    }
    var total = Sums();
    for (var chunk = 0u; chunk < CHUNKS; chunk++) {
        total.first += unpack_pair(partials[2u * chunk * PAIRS + place.pair]);
        total.second += unpack_pair(partials[(2u * chunk + 1u) * PAIRS + place.pair]);
    }
    sums[place.pair] = pack_pair(total.first);
    sums[PAIRS + place.pair] = pack_pair(total.second);
    store_parameter_gradients(place.pair, total);
}

@group(0) @binding(3) var<storage, read> channel_sums: array<u64>;              // the sums of finish_sums
@group(0) @binding(4) var<storage, read_write> dx: array<u64>;                  // like x

// dx of the pixels of one window, which may be cut off by the edge: then it has no output. `means` are those of dz and
// dz * xhat.
fn store_input_gradients(window: u32, pair: u32, linear: Linear, means: Sums) {
    let column = window % COLUMNS;
    let line = window / COLUMNS % LINES;
    let corner = corner_of(window, LINES, COLUMNS);
    let is_whole = column < OUT_WIDTH && line < OUT_HEIGHT;
    var winner = vec2<u32>();
    var gradient = vec2<f32>();
    if is_whole {
        let image = window / (COLUMNS * LINES);
        gradient = unpack_pair(dy[((image * OUT_HEIGHT + line) * OUT_WIDTH + column) * PAIRS + pair]);
        if PIXELS > 1u {
            winner = winner_of(corner, pair, linear).pixel;
        }
    }
    for (var pixel = 0u; pixel < PIXELS; pixel++) {
        let down = pixel / WINDOW_W;
        let right = pixel % WINDOW_W;
        if is_whole || (line * WINDOW_H + down < HEIGHT && column * WINDOW_W + right < WIDTH) {
            let index = (corner + down * WIDTH + right) * PAIRS + pair;
            let value = load_x(index);
            let dz = select(vec2<f32>(), gradient_of(linear, value, gradient), winner == vec2<u32>(pixel));
            let xhat = (value - linear.mean) * linear.rstd;
            let change = linear.scale * select(dz - means.first - xhat * means.second, dz, FROZEN);
            dx[index] = pack_pair(select(vec2<f32>(), unpack_pair(dx[index]), ACCUMULATE) + change);
        }
    }
}

override ITERATIONS_BACKWARD_INPUT: u32 = WINDOWS * 2u * PIXELS;

@compute @workgroup_size(LANES)
fn backward_input(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let place = place_of(flat_index(workgroup_id, workgroups, local_index, LANES));
    let linear = batch_linear_of(place.pair);
    let total = Sums(unpack_pair(channel_sums[place.pair]), unpack_pair(channel_sums[PAIRS + place.pair]));
    let means = Sums(total.first / f32(ROWS), total.second / f32(ROWS));
    let windows = tile_of(place.tile, BATCH * LINES * COLUMNS);
    for (var window = windows.x; window < windows.y; window++) {
        store_input_gradients(window, place.pair, linear, means);
    }
}

override ITERATIONS_BACKWARD_WHOLE: u32 = OUTPUTS * PIXELS + BATCH * LINES * COLUMNS * 2u * PIXELS;

@compute @workgroup_size(FEW_LANES)
fn backward_whole(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let place = place_of(flat_index(workgroup_id, workgroups, local_index, FEW_LANES));
    if place.tile > 0u {
        return;
    }
    let linear = batch_linear_of(place.pair);
    let total = gradient_sums(place.pair, vec2<u32>(0u, OUTPUTS), linear);
    let means = Sums(total.first / f32(ROWS), total.second / f32(ROWS));
    for (var window = 0u; window < BATCH * LINES * COLUMNS; window++) {
        store_input_gradients(window, place.pair, linear, means);
    }
    store_parameter_gradients(place.pair, total);
}
