// Library: activation, nan, index
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
// x, so it is the first largest or smallest x. For GPUs: channels come in fours, a workgroup takes QUAD_LANES fours by
// ROW_LANES rows at a time, and its invocations add up their sums in a fixed order. Sums over rows are cut into CHUNKS.

override BATCH: u32;
override HEIGHT: u32;
override WIDTH: u32;
override CHANNELS: u32;         // a multiple of 4
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
override QUADS = CHANNELS / 4u;
override CHUNK_ROWS = (ROWS + CHUNKS - 1u) / CHUNKS;
override CHUNK_OUTPUTS = (OUTPUTS + CHUNKS - 1u) / CHUNKS;

const WORKGROUP: u32 = 256u;
const QUAD_LANES: u32 = 16u;    // where many workgroups share the rows
const FEW_QUAD_LANES: u32 = 4u; // where one workgroup takes all rows, or all chunks
const WINDOWS: u32 = 4u;        // that an elementwise invocation takes

const ROW_LANES: u32 = WORKGROUP / QUAD_LANES;
const FEW_ROW_LANES: u32 = WORKGROUP / FEW_QUAD_LANES;
const HALVINGS: u32 = 4u;       // until the sums of ROW_LANES are one
const FEW_HALVINGS: u32 = 6u;   // and of FEW_ROW_LANES

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;                   // [BATCH, HEIGHT, WIDTH, QUADS]
@group(0) @binding(1) var<storage, read_write> partial: array<vec4<f32>>;       // [CHUNKS, 2, QUADS]

var<workgroup> firsts: array<vec4<f32>, WORKGROUP>;
var<workgroup> seconds: array<vec4<f32>, WORKGROUP>;

// What an invocation takes when `quad_lanes` neighbours have different channels.
struct Place {
    quad: u32,      // its channels, past the end for some
    loaded: u32,    // the same, but never past the end
    lane: u32,      // among the invocations of the workgroup with the same channels
    lanes: u32,     // how many they are
    tile: u32,      // the number of the workgroup among those with the same channels
}

fn place_of(workgroup: u32, local_index: u32, quad_lanes: u32) -> Place {
    let groups = (QUADS + quad_lanes - 1u) / quad_lanes;
    let quad = workgroup % groups * quad_lanes + local_index % quad_lanes;
    return Place(quad, min(quad, QUADS - 1u), local_index / quad_lanes, WORKGROUP / quad_lanes, workgroup / groups);
}

// First and end of a chunk of `count` rows or outputs.
fn range_of(chunk: u32, count: u32) -> vec2<u32> {
    let size = (count + CHUNKS - 1u) / CHUNKS;
    return min(vec2<u32>(chunk, chunk + 1u) * size, vec2<u32>(count));
}

// A sum of squares whose rounding errors may exceed it.
fn not_negative(squares: vec4<f32>) -> vec4<f32> {
    return vec4<f32>(relu(squares.x), relu(squares.y), relu(squares.z), relu(squares.w));
}

struct Sums {
    first: vec4<f32>,
    second: vec4<f32>,
}

// The sums over the lanes of each quad, for all its invocations.
fn add_up(local_index: u32, quad_lanes: u32, sums: Sums) -> Sums {
    firsts[local_index] = sums.first;
    seconds[local_index] = sums.second;
    workgroupBarrier();
    for (var half = WORKGROUP / 2u; half >= quad_lanes; half /= 2u) {
        if local_index < half {
            firsts[local_index] += firsts[local_index + half];
            seconds[local_index] += seconds[local_index + half];
        }
        workgroupBarrier();
    }
    let total = Sums(firsts[local_index % quad_lanes], seconds[local_index % quad_lanes]);
    workgroupBarrier();
    return total;
}

// Sum and sum of squares of one lane's rows of a range, relative to `shift`.
fn row_moments(place: Place, rows: vec2<u32>, shift: vec4<f32>) -> Sums {
    var sums = Sums();
    for (var row = rows.x + place.lane; row < rows.y; row += place.lanes) {
        let difference = x[row * QUADS + place.loaded] - shift;
        sums.first += difference;
        sums.second += difference * difference;
    }
    return sums;
}

override ITERATIONS_MOMENTS: u32 = (CHUNK_ROWS + ROW_LANES - 1u) / ROW_LANES + HALVINGS;

// Mean and sum of squared differences from it, over one chunk of rows. Values are taken relative to the first one, which
// differs from the mean by no more than sqrt(rows of the chunk) standard deviations: a variance that is small beside the
// mean does not cancel.
@compute @workgroup_size(WORKGROUP)
fn moments(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let place = place_of(flat_index(workgroup_id, workgroups, 0u, 1u), local_index, QUAD_LANES);
    let rows = range_of(place.tile, ROWS);
    let shift = x[min(rows.x, ROWS - 1u) * QUADS + place.loaded];
    let sums = add_up(local_index, QUAD_LANES, row_moments(place, rows, shift));
    if place.tile < CHUNKS && place.lane == 0u && place.quad < QUADS {
        let offset = sums.first / f32(rows.y - rows.x);
        partial[2u * place.tile * QUADS + place.quad] = shift + offset;
        partial[(2u * place.tile + 1u) * QUADS + place.quad] = not_negative(sums.second - sums.first * offset);
    }
}

@group(0) @binding(0) var<storage, read> partials: array<vec4<f32>>;            // of moments, or of backward_sums
@group(0) @binding(2) var<storage, read_write> batch: array<vec4<f32>>;         // [2, QUADS]: mean, rstd
@group(0) @binding(3) var<storage, read_write> running_mean: array<vec4<f32>>;  // [QUADS]
@group(0) @binding(4) var<storage, read_write> running_var: array<vec4<f32>>;   // [QUADS]

// Stores what is known of the batch: mean, and the sum of the squared differences from it.
fn store_moments(quad: u32, center: vec4<f32>, squares: vec4<f32>) {
    batch[quad] = center;
    batch[QUADS + quad] = rstd_of(squares / f32(ROWS));
    let unbiased = squares / f32(ROWS - 1u);
    running_mean[quad] = (1.0 - MOMENTUM) * running_mean[quad] + MOMENTUM * center;
    running_var[quad] = (1.0 - MOMENTUM) * running_var[quad] + MOMENTUM * unbiased;
}

fn rstd_of(variance: vec4<f32>) -> vec4<f32> {
    return 1.0 / sqrt(variance + EPS);
}

override CHUNKS_OF_LANE = (CHUNKS + FEW_ROW_LANES - 1u) / FEW_ROW_LANES;
override ITERATIONS_FINISH_MOMENTS: u32 = 2u * (CHUNKS_OF_LANE + FEW_HALVINGS);

// The mean of the chunks' means, and how far each of them lies from it. Again relative to the first one.
@compute @workgroup_size(WORKGROUP)
fn finish_moments(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let place = place_of(flat_index(workgroup_id, workgroups, 0u, 1u), local_index, FEW_QUAD_LANES);
    let shift = partials[place.loaded];
    var sum = vec4<f32>();
    for (var chunk = place.lane; chunk < CHUNKS; chunk += place.lanes) {
        let rows = range_of(chunk, ROWS);
        sum += f32(rows.y - rows.x) * (partials[2u * chunk * QUADS + place.loaded] - shift);
    }
    let offset = add_up(local_index, FEW_QUAD_LANES, Sums(sum, vec4<f32>())).first / f32(ROWS);
    var squares = vec4<f32>();
    for (var chunk = place.lane; chunk < CHUNKS; chunk += place.lanes) {
        let rows = range_of(chunk, ROWS);
        let difference = (partials[2u * chunk * QUADS + place.loaded] - shift) - offset;
        squares += partials[(2u * chunk + 1u) * QUADS + place.loaded]
            + f32(rows.y - rows.x) * difference * difference;
    }
    let total = add_up(local_index, FEW_QUAD_LANES, Sums(squares, vec4<f32>())).first;
    if place.tile == 0u && place.lane == 0u && place.quad < QUADS {
        store_moments(place.quad, shift + offset, total);
    }
}

@group(0) @binding(1) var<storage, read> batch_moments: array<vec4<f32>>;       // the batch of finish_moments
@group(0) @binding(5) var<storage, read> weight: array<vec4<f32>>;              // [QUADS]
@group(0) @binding(6) var<storage, read> bias: array<vec4<f32>>;                // [QUADS]
@group(0) @binding(7) var<storage, read_write> y: array<vec4<f32>>;             // [BATCH, OUT_HEIGHT, OUT_WIDTH, QUADS]

// z of four channels as a function of x. The way back finds the same bits: there is only one rounding to choose.
struct Linear {
    mean: vec4<f32>,
    rstd: vec4<f32>,
    scale: vec4<f32>,
    shift: vec4<f32>,
}

fn linear_of(quad: u32, mean: vec4<f32>, rstd: vec4<f32>) -> Linear {
    return Linear(mean, rstd, weight[quad] * rstd, bias[quad]);
}

// That of the batch.
fn batch_linear_of(quad: u32) -> Linear {
    return linear_of(quad, batch_moments[quad], batch_moments[QUADS + quad]);
}

// phi(z) where x is `value`.
fn output_of(linear: Linear, value: vec4<f32>) -> vec4<f32> {
    let z = fma(value - linear.mean, linear.scale, linear.shift);
    return vec4<f32>(
        activate(ACTIVATION, z.x), activate(ACTIVATION, z.y), activate(ACTIVATION, z.z), activate(ACTIVATION, z.w)
    );
}

// dz where x is `value`: phi' is expressed by y, which is made again.
fn gradient_of(linear: Linear, value: vec4<f32>, gradient: vec4<f32>) -> vec4<f32> {
    let output = output_of(linear, value);
    let slope = vec4<f32>(
        activation_slope(ACTIVATION, output.x), activation_slope(ACTIVATION, output.y),
        activation_slope(ACTIVATION, output.z), activation_slope(ACTIVATION, output.w),
    );
    return slope * gradient;
}

// The first pixel of a window, of `lines` by `columns` in every image.
fn corner_of(window: u32, lines: u32, columns: u32) -> u32 {
    let column = window % columns;
    let line = window / columns % lines;
    let image = window / (columns * lines);
    return (image * HEIGHT + line * WINDOW_H) * WIDTH + column * WINDOW_W;
}

fn exceeding(value: vec4<f32>, largest: vec4<f32>) -> vec4<bool> {
    return vec4<bool>(
        exceeds(value.x, largest.x), exceeds(value.y, largest.y),
        exceeds(value.z, largest.z), exceeds(value.w, largest.w),
    );
}

struct Winner {
    value: vec4<f32>,
    pixel: vec4<u32>,   // of the window, row by row
}

// The x of the first largest z of the window that begins at `corner`.
fn winner_of(corner: u32, quad: u32, linear: Linear) -> Winner {
    let direction = sign(linear.scale);
    var winner = Winner(x[corner * QUADS + quad], vec4<u32>());
    for (var pixel = 1u; pixel < PIXELS; pixel++) {
        let value = x[(corner + pixel / WINDOW_W * WIDTH + pixel % WINDOW_W) * QUADS + quad];
        let better = exceeding(value * direction, winner.value * direction);
        winner.value = select(winner.value, value, better);
        winner.pixel = select(winner.pixel, vec4<u32>(pixel), better);
    }
    return winner;
}

fn store_output(output: u32, quad: u32, linear: Linear) {
    let winner = winner_of(corner_of(output, OUT_HEIGHT, OUT_WIDTH), quad, linear);
    y[output * QUADS + quad] = output_of(linear, winner.value);
}

// y of the WINDOWS outputs of each lane of the workgroup.
fn store_outputs(place: Place, linear: Linear) {
    for (var i = 0u; i < WINDOWS; i++) {
        let output = (place.tile * WINDOWS + i) * place.lanes + place.lane;
        if output < OUTPUTS && place.quad < QUADS {
            store_output(output, place.quad, linear);
        }
    }
}

override ITERATIONS_FORWARD: u32 = WINDOWS * PIXELS;

@compute @workgroup_size(WORKGROUP)
fn forward(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let place = place_of(flat_index(workgroup_id, workgroups, 0u, 1u), local_index, QUAD_LANES);
    store_outputs(place, batch_linear_of(place.loaded));
}

@group(0) @binding(3) var<storage, read> mean: array<vec4<f32>>;                // [QUADS], running
@group(0) @binding(4) var<storage, read> variance: array<vec4<f32>>;            // [QUADS], running

override ITERATIONS_EVALUATE: u32 = WINDOWS * PIXELS;

@compute @workgroup_size(WORKGROUP)
fn evaluate(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let place = place_of(flat_index(workgroup_id, workgroups, 0u, 1u), local_index, QUAD_LANES);
    let quad = place.loaded;
    store_outputs(place, linear_of(quad, mean[quad], rstd_of(variance[quad])));
}

override ROWS_OF_LANE = (ROWS + FEW_ROW_LANES - 1u) / FEW_ROW_LANES;
override OUTPUTS_OF_LANE = (OUTPUTS + FEW_ROW_LANES - 1u) / FEW_ROW_LANES;
override ITERATIONS_FORWARD_WHOLE: u32 = 2u * (ROWS_OF_LANE + FEW_HALVINGS) + OUTPUTS_OF_LANE * PIXELS;

// The mean first, then the squared differences from it, then y.
@compute @workgroup_size(WORKGROUP)
fn forward_whole(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let place = place_of(flat_index(workgroup_id, workgroups, 0u, 1u), local_index, FEW_QUAD_LANES);
    let all = vec2<u32>(0u, ROWS);
    let shift = x[place.loaded];
    let center = shift + add_up(local_index, FEW_QUAD_LANES, row_moments(place, all, shift)).first / f32(ROWS);
    let squares = add_up(local_index, FEW_QUAD_LANES, row_moments(place, all, center)).second;
    if place.tile > 0u || place.quad >= QUADS {
        return;
    }
    let linear = linear_of(place.quad, center, rstd_of(squares / f32(ROWS)));
    for (var output = place.lane; output < OUTPUTS; output += place.lanes) {
        store_output(output, place.quad, linear);
    }
    if place.lane == 0u {
        store_moments(place.quad, center, squares);
    }
}

@group(0) @binding(2) var<storage, read> dy: array<vec4<f32>>;                  // like y
@group(0) @binding(3) var<storage, read_write> partial_sums: array<vec4<f32>>;  // [CHUNKS, 2, QUADS]: dz, dz * xhat

// Sums of dz and dz * xhat over one lane's outputs of a range.
fn gradient_sums(place: Place, outputs: vec2<u32>, linear: Linear) -> Sums {
    var sums = Sums();
    for (var output = outputs.x + place.lane; output < outputs.y; output += place.lanes) {
        let winner = winner_of(corner_of(output, OUT_HEIGHT, OUT_WIDTH), place.loaded, linear);
        let dz = gradient_of(linear, winner.value, dy[output * QUADS + place.loaded]);
        sums.first += dz;
        sums.second += dz * ((winner.value - linear.mean) * linear.rstd);
    }
    return sums;
}

override ITERATIONS_BACKWARD_SUMS: u32 = (CHUNK_OUTPUTS + ROW_LANES - 1u) / ROW_LANES * PIXELS + HALVINGS;

@compute @workgroup_size(WORKGROUP)
fn backward_sums(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let place = place_of(flat_index(workgroup_id, workgroups, 0u, 1u), local_index, QUAD_LANES);
    let linear = batch_linear_of(place.loaded);
    let outputs = range_of(place.tile, OUTPUTS);
    let sums = add_up(local_index, QUAD_LANES, gradient_sums(place, outputs, linear));
    if place.tile < CHUNKS && place.lane == 0u && place.quad < QUADS {
        partial_sums[2u * place.tile * QUADS + place.quad] = sums.first;
        partial_sums[(2u * place.tile + 1u) * QUADS + place.quad] = sums.second;
    }
}

@group(0) @binding(1) var<storage, read_write> sums: array<vec4<f32>>;          // [2, QUADS]: dz, dz * xhat
@group(0) @binding(8) var<storage, read_write> dbias: array<vec4<f32>>;         // [QUADS]
@group(0) @binding(9) var<storage, read_write> dweight: array<vec4<f32>>;       // [QUADS]

fn store_parameter_gradients(quad: u32, total: Sums) {
    dbias[quad] = select(vec4<f32>(), dbias[quad], ACCUMULATE_PARAMETERS) + total.first;
    dweight[quad] = select(vec4<f32>(), dweight[quad], ACCUMULATE_PARAMETERS) + total.second;
}

override ITERATIONS_FINISH_SUMS: u32 = CHUNKS_OF_LANE + FEW_HALVINGS;

@compute @workgroup_size(WORKGROUP)
fn finish_sums(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let place = place_of(flat_index(workgroup_id, workgroups, 0u, 1u), local_index, FEW_QUAD_LANES);
    var lane = Sums();
    for (var chunk = place.lane; chunk < CHUNKS; chunk += place.lanes) {
        lane.first += partials[2u * chunk * QUADS + place.loaded];
        lane.second += partials[(2u * chunk + 1u) * QUADS + place.loaded];
    }
    let total = add_up(local_index, FEW_QUAD_LANES, lane);
    if place.tile == 0u && place.lane == 0u && place.quad < QUADS {
        sums[place.quad] = total.first;
        sums[QUADS + place.quad] = total.second;
        store_parameter_gradients(place.quad, total);
    }
}

@group(0) @binding(3) var<storage, read> channel_sums: array<vec4<f32>>;        // the sums of finish_sums
@group(0) @binding(4) var<storage, read_write> dx: array<vec4<f32>>;            // like x

// dx of the pixels of one window, which may be cut off by the edge: then it has no output. `means` are those of dz and
// dz * xhat.
fn store_input_gradients(window: u32, quad: u32, linear: Linear, means: Sums) {
    let column = window % COLUMNS;
    let line = window / COLUMNS % LINES;
    let corner = corner_of(window, LINES, COLUMNS);
    let is_whole = column < OUT_WIDTH && line < OUT_HEIGHT;
    var winner = vec4<u32>();
    var gradient = vec4<f32>();
    if is_whole {
        let image = window / (COLUMNS * LINES);
        gradient = dy[((image * OUT_HEIGHT + line) * OUT_WIDTH + column) * QUADS + quad];
        if PIXELS > 1u {
            winner = winner_of(corner, quad, linear).pixel;
        }
    }
    for (var pixel = 0u; pixel < PIXELS; pixel++) {
        let down = pixel / WINDOW_W;
        let right = pixel % WINDOW_W;
        if is_whole || (line * WINDOW_H + down < HEIGHT && column * WINDOW_W + right < WIDTH) {
            let index = (corner + down * WIDTH + right) * QUADS + quad;
            let value = x[index];
            let dz = select(vec4<f32>(), gradient_of(linear, value, gradient), winner == vec4<u32>(pixel));
            let xhat = (value - linear.mean) * linear.rstd;
            let change = linear.scale * select(dz - means.first - xhat * means.second, dz, FROZEN);
            dx[index] = select(vec4<f32>(), dx[index], ACCUMULATE) + change;
        }
    }
}

override ITERATIONS_BACKWARD_INPUT: u32 = WINDOWS * 2u * PIXELS;

@compute @workgroup_size(WORKGROUP)
fn backward_input(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let place = place_of(flat_index(workgroup_id, workgroups, 0u, 1u), local_index, QUAD_LANES);
    let linear = batch_linear_of(place.loaded);
    let total = Sums(channel_sums[place.loaded], channel_sums[QUADS + place.loaded]);
    let means = Sums(total.first / f32(ROWS), total.second / f32(ROWS));
    for (var i = 0u; i < WINDOWS; i++) {
        let window = (place.tile * WINDOWS + i) * place.lanes + place.lane;
        if window < BATCH * LINES * COLUMNS && place.quad < QUADS {
            store_input_gradients(window, place.quad, linear, means);
        }
    }
}

override WINDOWS_OF_LANE = (BATCH * LINES * COLUMNS + FEW_ROW_LANES - 1u) / FEW_ROW_LANES;
override ITERATIONS_BACKWARD_WHOLE: u32 = OUTPUTS_OF_LANE * PIXELS + FEW_HALVINGS + WINDOWS_OF_LANE * 2u * PIXELS;

@compute @workgroup_size(WORKGROUP)
fn backward_whole(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let place = place_of(flat_index(workgroup_id, workgroups, 0u, 1u), local_index, FEW_QUAD_LANES);
    let linear = batch_linear_of(place.loaded);
    let total = add_up(local_index, FEW_QUAD_LANES, gradient_sums(place, vec2<u32>(0u, OUTPUTS), linear));
    if place.tile > 0u || place.quad >= QUADS {
        return;
    }
    let means = Sums(total.first / f32(ROWS), total.second / f32(ROWS));
    for (var window = place.lane; window < BATCH * LINES * COLUMNS; window += place.lanes) {
        store_input_gradients(window, place.quad, linear, means);
    }
    if place.lane == 0u {
        store_parameter_gradients(place.quad, total);
    }
}
