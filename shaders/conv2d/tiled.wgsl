// y[n, oy, ox, co] = bias[co] + sum_{ky, kx, ci} x[n, oy*S + ky - P, ox*S + kx - P, ci] * weight[ky, kx, ci, co]
//                                                                     forward (without bias), forward_bias
// dx = the transposed sum over dy                                     backward_input
// dweight[ky, kx, ci, co] = sum_{n, oy, ox} x[..] * dy[n, oy, ox, co],   dbias[co] = sum dy
//                                                                     backward_weight
// All in CHUNKS partial sums. `_any` writes any number of channels, the others a multiple of 4.
//
// Convolution as a matrix product whose left factor, the windows of x, is never written down; in tiles, `lib/tile.wgsl`.
// Channels are loaded by fours where they come in fours, and one by one otherwise. What lies outside of an image, past the
// last pixel or past the last channel is zero.

override BATCH: u32;
override HEIGHT: u32;
override WIDTH: u32;
override IN_CHANNELS: u32;
override OUT_HEIGHT: u32;
override OUT_WIDTH: u32;
override OUT_CHANNELS: u32;
override KERNEL_H: u32;
override KERNEL_W: u32;
override STRIDE_H: u32;
override STRIDE_W: u32;
override PADDING_H: u32;
override PADDING_W: u32;
override CHUNKS: u32;
override ACCUMULATE: bool;

override IN_QUADS = (IN_CHANNELS + 3u) / 4u;
override OUT_QUADS = (OUT_CHANNELS + 3u) / 4u;   // weights hold output channels by fours, padded by zeros
override IN_FOURS = IN_CHANNELS % 4u == 0u;
override OUT_FOURS = OUT_CHANNELS % 4u == 0u;
override TAP_ROWS = KERNEL_H * KERNEL_W * IN_CHANNELS;
override OUT_PIXELS = BATCH * OUT_HEIGHT * OUT_WIDTH;

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;              // [BATCH, HEIGHT, WIDTH, IN_CHANNELS]
@group(0) @binding(1) var<storage, read> weight: array<vec4<f32>>;         // [KERNEL_H, KERNEL_W, IN_CHANNELS, OUT_QUADS]
@group(0) @binding(2) var<storage, read> bias: array<vec4<f32>>;           // [OUT_QUADS]
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;        // [CHUNKS, OUT_PIXELS, OUT_QUADS]
@group(0) @binding(3) var<storage, read_write> y_any: array<f32>;          // [CHUNKS, OUT_PIXELS, OUT_CHANNELS]

fn x_element(index: u32, inside: bool) -> f32 {
    let place = select(0u, index, inside);
    return select(0.0, x[place / 4u][place % 4u], inside);
}

fn x_elements(index: vec4<u32>, inside: vec4<bool>) -> vec4<f32> {
    return vec4<f32>(
        x_element(index.x, inside.x),
        x_element(index.y, inside.y),
        x_element(index.z, inside.z),
        x_element(index.w, inside.w),
    );
}

fn x_quad(index: u32, inside: bool) -> vec4<f32> {
    return select(vec4<f32>(), x[select(0u, index, inside)], inside);
}

fn weight_quad(row: u32, quad: u32, inside: bool) -> vec4<f32> {
    return select(vec4<f32>(), weight[select(0u, row * OUT_QUADS + quad, inside)], inside);
}

// The upper left corners in x of four windows.
struct Windows {
    iy: vec4<u32>,      // wraps to a huge one above the image
    ix: vec4<u32>,
    pixel: vec4<u32>,   // (n * HEIGHT + iy) * WIDTH + ix, wrapping
}

// Those of four pixels of y; past the last one they lie outside of every image.
fn windows_of(pixel: vec4<u32>) -> Windows {
    let ox = pixel % OUT_WIDTH;
    let oy = pixel / OUT_WIDTH % OUT_HEIGHT;
    let image = pixel / (OUT_WIDTH * OUT_HEIGHT);
    let iy = oy * STRIDE_H - PADDING_H;
    let ix = ox * STRIDE_W - PADDING_W;
    let outside = vec4<u32>(0x40000000u);
    let place = (image * HEIGHT + iy) * WIDTH + ix;
    return Windows(select(outside, iy, pixel < vec4<u32>(OUT_PIXELS)), ix, place);
}

// The sum runs over the taps and in each over its channels, padded to whole steps, where these come in fours; otherwise over
// the rows (ky, kx, ci) of the weight.
override IN_STEPS = (IN_CHANNELS + TILE_DEPTH - 1u) / TILE_DEPTH;
override FORWARD_STEPS = select((TAP_ROWS + TILE_DEPTH - 1u) / TILE_DEPTH, KERNEL_H * KERNEL_W * IN_STEPS, IN_FOURS);
override FORWARD_CHUNK = (FORWARD_STEPS + CHUNKS - 1u) / CHUNKS;

// Four summands, (ky, kx, ci), of four windows.
fn load_windows(windows: Windows, step: u32, depth: u32) -> mat4x4<f32> {
    if IN_FOURS {
        let tap = step / IN_STEPS;
        let ky = tap / KERNEL_W;
        let kx = tap % KERNEL_W;
        let quad = (step % IN_STEPS * TILE_DEPTH + depth) / 4u;
        let inside = (windows.iy + ky < vec4<u32>(HEIGHT)) & (windows.ix + kx < vec4<u32>(WIDTH))
            & vec4<bool>(quad < IN_QUADS);
        let place = (windows.pixel + (ky * WIDTH + kx)) * IN_QUADS + quad;
        return transpose(mat4x4<f32>(
            x_quad(place.x, inside.x),
            x_quad(place.y, inside.y),
            x_quad(place.z, inside.z),
            x_quad(place.w, inside.w),
        ));
    }
    let row = step * TILE_DEPTH + depth;
    return mat4x4<f32>(
        load_window_row(windows, row),
        load_window_row(windows, row + 1u),
        load_window_row(windows, row + 2u),
        load_window_row(windows, row + 3u),
    );
}

// Row (ky, kx, ci) of four windows.
fn load_window_row(windows: Windows, row: u32) -> vec4<f32> {
    let ky = row / (IN_CHANNELS * KERNEL_W);
    let kx = row / IN_CHANNELS % KERNEL_W;
    let inside = (windows.iy + ky < vec4<u32>(HEIGHT)) & (windows.ix + kx < vec4<u32>(WIDTH)) & vec4<bool>(row < TAP_ROWS);
    return x_elements((windows.pixel + (ky * WIDTH + kx)) * IN_CHANNELS + row % IN_CHANNELS, inside);
}

// Four rows of the weight at a quad of columns.
fn load_weight(step: u32, depth: u32, quad: u32) -> mat4x4<f32> {
    var row = step * TILE_DEPTH + depth;
    var end = TAP_ROWS;
    if IN_FOURS {
        let tap = step / IN_STEPS * IN_CHANNELS;
        row = tap + step % IN_STEPS * TILE_DEPTH + depth;
        end = tap + IN_CHANNELS;
    }
    let is_column = quad < OUT_QUADS;
    return mat4x4<f32>(
        weight_quad(row, quad, is_column && row < end),
        weight_quad(row + 1u, quad, is_column && row + 1u < end),
        weight_quad(row + 2u, quad, is_column && row + 2u < end),
        weight_quad(row + 3u, quad, is_column && row + 3u < end),
    );
}

fn load_forward(share: Share, windows: Windows, column: u32, step: u32) -> mat4x4<f32> {
    if share.is_left {
        return load_windows(windows, step, share.depth);
    }
    return load_weight(step, share.depth, column);
}

// The first of four rows, and the quad of columns, of a share in the product: one of the two counts.
fn row_of_share(id: vec3<u32>, share: Share) -> vec4<u32> {
    return vec4<u32>(TILE_ROWS * id.x + 4u * share.quad) + vec4<u32>(0u, 1u, 2u, 3u);
}

fn column_of_share(id: vec3<u32>, share: Share) -> u32 {
    return COLUMN_QUADS * id.y + share.quad - ROW_QUADS;
}

// Rows are the pixels of y, columns its channels; id.z is the chunk of the sum.
fn convolve(sums: ptr<function, Block>, id: vec3<u32>, invocation: Invocation) {
    let share = share_of(invocation.index);
    let second = share_of(invocation.index + TILE_INVOCATIONS);
    let windows = windows_of(row_of_share(id, share));
    let second_windows = windows_of(row_of_share(id, second));
    let column = column_of_share(id, share);
    let second_column = column_of_share(id, second);
    let begin = id.z * FORWARD_CHUNK;
    let end = min(begin + FORWARD_CHUNK, FORWARD_STEPS);
    var values = load_forward(share, windows, column, begin);
    var second_values = mat4x4<f32>();
    if TWO_SHARES {
        second_values = load_forward(second, second_windows, second_column, begin);
    }
    begin_tile();
    for (var step = begin; step < end; step++) {
        stage_share(share, values);
        if TWO_SHARES {
            stage_share(second, second_values);
        }
        workgroupBarrier();
        if step + 1u < end {
            values = load_forward(share, windows, column, step + 1u);
            if TWO_SHARES {
                second_values = load_forward(second, second_windows, second_column, step + 1u);
            }
        }
        add_tile(sums, invocation);
        workgroupBarrier();
    }
    end_tile(sums, invocation);
}

// The row of the product, and its quad of columns, of row `row` of an invocation's block for tile `id`.
fn place_in_product(id: vec3<u32>, invocation: Invocation, row: u32, half: u32) -> vec2<u32> {
    return id.xy * vec2<u32>(TILE_ROWS, COLUMN_QUADS) + place_in_tile(invocation, row, half);
}

fn write_y(sums: ptr<function, Block>, id: vec3<u32>, invocation: Invocation) {
    for (var half = 0u; half < BLOCK_COLUMNS / 4u; half++) {
        for (var r = 0u; r < BLOCK_ROWS; r++) {
            let place = place_in_product(id, invocation, r, half);
            if place.x < OUT_PIXELS && place.y < OUT_QUADS {
                y[(id.z * OUT_PIXELS + place.x) * OUT_QUADS + place.y] = block_row(sums, r, half);
            }
        }
    }
}

fn write_y_any(sums: ptr<function, Block>, id: vec3<u32>, invocation: Invocation) {
    for (var half = 0u; half < BLOCK_COLUMNS / 4u; half++) {
        for (var r = 0u; r < BLOCK_ROWS; r++) {
            let place = place_in_product(id, invocation, r, half);
            let values = block_row(sums, r, half);
            for (var c = 0u; c < 4u; c++) {
                let channel = 4u * place.y + c;
                if place.x < OUT_PIXELS && channel < OUT_CHANNELS {
                    y_any[(id.z * OUT_PIXELS + place.x) * OUT_CHANNELS + channel] = values[c];
                }
            }
        }
    }
}

// The bias of a quad of channels; the first chunk alone adds it.
fn bias_quad(chunk: u32, quad: u32) -> vec4<f32> {
    let inside = chunk == 0u && quad < OUT_QUADS;
    return select(vec4<f32>(), bias[select(0u, quad, inside)], inside);
}

fn biased_block(id: vec3<u32>, invocation: Invocation) -> Block {
    let first = place_in_product(id, invocation, 0u, 0u).y;
    let second = place_in_product(id, invocation, 0u, 1u).y;
    return block_of_rows(bias_quad(id.z, first), bias_quad(id.z, second));
}

override ITERATIONS_FORWARD: u32 = FORWARD_CHUNK * STEP_ITERATIONS + END_ITERATIONS + BLOCK_ITERATIONS;

@compute @workgroup_size(TILE_INVOCATIONS)
fn forward(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    invocation: Invocation,
) {
    let id = unfold(workgroup_id, workgroups);
    if is_behind_grid(id) {
        return;
    }
    var sums: Block;
    convolve(&sums, id, invocation);
    write_y(&sums, id, invocation);
}

override ITERATIONS_FORWARD_BIAS: u32 = FORWARD_CHUNK * STEP_ITERATIONS + END_ITERATIONS + BLOCK_ITERATIONS;

@compute @workgroup_size(TILE_INVOCATIONS)
fn forward_bias(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    invocation: Invocation,
) {
    let id = unfold(workgroup_id, workgroups);
    if is_behind_grid(id) {
        return;
    }
    var sums = biased_block(id, invocation);
    convolve(&sums, id, invocation);
    write_y(&sums, id, invocation);
}

override ITERATIONS_FORWARD_ANY: u32 = FORWARD_CHUNK * STEP_ITERATIONS + END_ITERATIONS + BLOCK_ITERATIONS;

@compute @workgroup_size(TILE_INVOCATIONS)
fn forward_any(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    invocation: Invocation,
) {
    let id = unfold(workgroup_id, workgroups);
    if is_behind_grid(id) {
        return;
    }
    var sums: Block;
    convolve(&sums, id, invocation);
    write_y_any(&sums, id, invocation);
}

override ITERATIONS_FORWARD_BIAS_ANY: u32 = FORWARD_CHUNK * STEP_ITERATIONS + END_ITERATIONS + BLOCK_ITERATIONS;

@compute @workgroup_size(TILE_INVOCATIONS)
fn forward_bias_any(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    invocation: Invocation,
) {
    let id = unfold(workgroup_id, workgroups);
    if is_behind_grid(id) {
        return;
    }
    var sums = biased_block(id, invocation);
    convolve(&sums, id, invocation);
    write_y_any(&sums, id, invocation);
}

@group(0) @binding(3) var<storage, read> dy: array<vec4<f32>>;             // [BATCH, OUT_HEIGHT, OUT_WIDTH, OUT_CHANNELS]
@group(0) @binding(2) var<storage, read_write> dx: array<vec4<f32>>;       // [CHUNKS, IN_PIXELS, IN_QUADS]
@group(0) @binding(2) var<storage, read_write> dx_any: array<f32>;         // [CHUNKS, IN_PIXELS, IN_CHANNELS]

override IN_PIXELS = BATCH * HEIGHT * WIDTH;
override OUT_STEPS = (OUT_CHANNELS + TILE_DEPTH - 1u) / TILE_DEPTH;

// Steps of a chunk, of the residue class that the most taps reach.
override MOST_TAPS = ((KERNEL_H + STRIDE_H - 1u) / STRIDE_H) * ((KERNEL_W + STRIDE_W - 1u) / STRIDE_W);
override TRANSPOSED_CHUNK = (MOST_TAPS * OUT_STEPS + CHUNKS - 1u) / CHUNKS;

fn dy_element(pixel: u32, channel: u32, inside: bool) -> f32 {
    let is_element = inside && channel < OUT_CHANNELS;
    let place = select(0u, pixel * OUT_CHANNELS + channel, is_element);
    return select(0.0, dy[place / 4u][place % 4u], is_element);
}

// A quad of channels of dy at a pixel.
fn dy_quad(pixel: u32, quad: u32, inside: bool) -> vec4<f32> {
    if OUT_FOURS {
        let is_quad = inside && quad < OUT_QUADS;
        return select(vec4<f32>(), dy[select(0u, pixel * OUT_QUADS + quad, is_quad)], is_quad);
    }
    return vec4<f32>(
        dy_element(pixel, 4u * quad, inside),
        dy_element(pixel, 4u * quad + 1u, inside),
        dy_element(pixel, 4u * quad + 2u, inside),
        dy_element(pixel, 4u * quad + 3u, inside),
    );
}

// The pixels of x that leave the same rest when divided by the stride: the taps that reach one of them reach all.
struct Residue {
    rest: vec2<u32>,        // (x, y), like all pairs here
    size: vec2<u32>,        // pixels of an image that leave it
    first_tap: vec2<u32>,   // the first tap that reaches them; every STRIDE-th does
    taps: vec2<u32>,        // how many do
    first_dy: vec2<u32>,    // what the first tap meets is so far from pixel / stride
}

fn residue_of(rest: u32) -> Residue {
    let stride = vec2<u32>(STRIDE_W, STRIDE_H);
    let kernel = vec2<u32>(KERNEL_W, KERNEL_H);
    let place = vec2<u32>(rest % STRIDE_W, rest / STRIDE_W);
    let padded = place + vec2<u32>(PADDING_W, PADDING_H);
    let size = (vec2<u32>(WIDTH, HEIGHT) + stride - 1u - place) / stride;
    let first_tap = padded % stride;
    let taps = (max(kernel, first_tap) - first_tap + stride - 1u) / stride;
    return Residue(place, size, first_tap, taps, padded / stride);
}

// The pixel of x number `index` of a residue class: column, row and image, the first two divided by the stride.
fn pixel_of(residue: Residue, index: u32) -> vec3<u32> {
    return vec3<u32>(index % residue.size.x, index / residue.size.x % residue.size.y, index / (residue.size.x * residue.size.y));
}

// What the first tap of a residue class meets in dy at four pixels.
struct Targets {
    oy: vec4<u32>,      // wraps to a huge one above the image
    ox: vec4<u32>,
    pixel: vec4<u32>,   // (n * OUT_HEIGHT + oy) * OUT_WIDTH + ox, wrapping
}

fn targets_of(residue: Residue, index: vec4<u32>) -> Targets {
    let ox = index % residue.size.x + residue.first_dy.x;
    let oy = index / residue.size.x % residue.size.y + residue.first_dy.y;
    let image = index / (residue.size.x * residue.size.y);
    let is_pixel = image < vec4<u32>(BATCH);
    return Targets(select(vec4<u32>(0x40000000u), oy, is_pixel), ox, (image * OUT_HEIGHT + oy) * OUT_WIDTH + ox);
}

// Four output channels of what tap number `back` of the class meets.
fn load_targets(targets: Targets, back: vec2<u32>, quad: u32) -> mat4x4<f32> {
    let inside = (targets.oy - back.y < vec4<u32>(OUT_HEIGHT)) & (targets.ox - back.x < vec4<u32>(OUT_WIDTH));
    let pixel = targets.pixel - (back.y * OUT_WIDTH + back.x);
    return transpose(mat4x4<f32>(
        dy_quad(pixel.x, quad, inside.x),
        dy_quad(pixel.y, quad, inside.y),
        dy_quad(pixel.z, quad, inside.z),
        dy_quad(pixel.w, quad, inside.w),
    ));
}

// The weights of a tap from four output channels to four input channels.
fn load_transposed_weight(tap: vec2<u32>, quad: u32, in_quad: u32) -> mat4x4<f32> {
    let row = (tap.y * KERNEL_W + tap.x) * IN_CHANNELS + 4u * in_quad;
    let is_quad = quad < OUT_QUADS;
    return transpose(mat4x4<f32>(
        weight_quad(row, quad, is_quad && 4u * in_quad < IN_CHANNELS),
        weight_quad(row + 1u, quad, is_quad && 4u * in_quad + 1u < IN_CHANNELS),
        weight_quad(row + 2u, quad, is_quad && 4u * in_quad + 2u < IN_CHANNELS),
        weight_quad(row + 3u, quad, is_quad && 4u * in_quad + 3u < IN_CHANNELS),
    ));
}

fn load_backward_input(share: Share, residue: Residue, targets: Targets, column: u32, step: u32) -> mat4x4<f32> {
    let back = vec2<u32>(step / OUT_STEPS % residue.taps.x, step / OUT_STEPS / residue.taps.x);
    let quad = (step % OUT_STEPS * TILE_DEPTH + share.depth) / 4u;
    if share.is_left {
        return load_targets(targets, back, quad);
    }
    return load_transposed_weight(residue.first_tap + back * vec2<u32>(STRIDE_W, STRIDE_H), quad, column);
}

// Rows are the pixels of x of one residue class, columns its channels; id.z is the chunk of the sum, and in it the residue.
fn convolve_transposed(sums: ptr<function, Block>, residue: Residue, id: vec3<u32>, invocation: Invocation) {
    let share = share_of(invocation.index);
    let second = share_of(invocation.index + TILE_INVOCATIONS);
    let targets = targets_of(residue, row_of_share(id, share));
    let second_targets = targets_of(residue, row_of_share(id, second));
    let column = column_of_share(id, share);
    let second_column = column_of_share(id, second);
    let steps = residue.taps.x * residue.taps.y * OUT_STEPS;
    let chunk = (steps + CHUNKS - 1u) / CHUNKS;
    let begin = min(id.z / (STRIDE_W * STRIDE_H) * chunk, steps);
    let end = min(begin + chunk, steps);
    var values = mat4x4<f32>();
    var second_values = mat4x4<f32>();
    if begin < end {
        values = load_backward_input(share, residue, targets, column, begin);
        if TWO_SHARES {
            second_values = load_backward_input(second, residue, second_targets, second_column, begin);
        }
    }
    begin_tile();
    for (var step = begin; step < end; step++) {
        stage_share(share, values);
        if TWO_SHARES {
            stage_share(second, second_values);
        }
        workgroupBarrier();
        if step + 1u < end {
            values = load_backward_input(share, residue, targets, column, step + 1u);
            if TWO_SHARES {
                second_values = load_backward_input(second, residue, second_targets, second_column, step + 1u);
            }
        }
        add_tile(sums, invocation);
        workgroupBarrier();
    }
    end_tile(sums, invocation);
}

// The place of a row of the product in dx, past its end for rows after the last one.
fn dx_pixel(residue: Residue, index: u32) -> u32 {
    let pixel = pixel_of(residue, index);
    let place = (pixel.z * HEIGHT + pixel.y * STRIDE_H + residue.rest.y) * WIDTH + pixel.x * STRIDE_W + residue.rest.x;
    return select(IN_PIXELS, place, pixel.z < BATCH);
}

override ITERATIONS_BACKWARD_INPUT: u32 = TRANSPOSED_CHUNK * STEP_ITERATIONS + END_ITERATIONS + BLOCK_ITERATIONS;

@compute @workgroup_size(TILE_INVOCATIONS)
fn backward_input(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    invocation: Invocation,
) {
    let id = unfold(workgroup_id, workgroups);
    if is_behind_grid(id) {
        return;
    }
    let residue = residue_of(id.z % (STRIDE_W * STRIDE_H));
    if TILE_ROWS * id.x >= BATCH * residue.size.x * residue.size.y {
        return;
    }
    var sums: Block;
    convolve_transposed(&sums, residue, id, invocation);
    let start = id.z / (STRIDE_W * STRIDE_H) * IN_PIXELS;
    for (var half = 0u; half < BLOCK_COLUMNS / 4u; half++) {
        for (var r = 0u; r < BLOCK_ROWS; r++) {
            let place = place_in_product(id, invocation, r, half);
            let pixel = dx_pixel(residue, place.x);
            if pixel < IN_PIXELS && place.y < IN_QUADS {
                let target_place = (start + pixel) * IN_QUADS + place.y;
                dx[target_place] = select(vec4<f32>(), dx[target_place], ACCUMULATE) + block_row(&sums, r, half);
            }
        }
    }
}

override ITERATIONS_BACKWARD_INPUT_ANY: u32 = TRANSPOSED_CHUNK * STEP_ITERATIONS + END_ITERATIONS + BLOCK_ITERATIONS;

@compute @workgroup_size(TILE_INVOCATIONS)
fn backward_input_any(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    invocation: Invocation,
) {
    let id = unfold(workgroup_id, workgroups);
    if is_behind_grid(id) {
        return;
    }
    let residue = residue_of(id.z % (STRIDE_W * STRIDE_H));
    if TILE_ROWS * id.x >= BATCH * residue.size.x * residue.size.y {
        return;
    }
    var sums: Block;
    convolve_transposed(&sums, residue, id, invocation);
    let start = id.z / (STRIDE_W * STRIDE_H) * IN_PIXELS;
    for (var half = 0u; half < BLOCK_COLUMNS / 4u; half++) {
        for (var r = 0u; r < BLOCK_ROWS; r++) {
            let place = place_in_product(id, invocation, r, half);
            let pixel = dx_pixel(residue, place.x);
            let values = block_row(&sums, r, half);
            for (var c = 0u; c < 4u; c++) {
                let channel = 4u * place.y + c;
                if pixel < IN_PIXELS && channel < IN_CHANNELS {
                    let target_place = (start + pixel) * IN_CHANNELS + channel;
                    dx_any[target_place] = select(0.0, dx_any[target_place], ACCUMULATE) + values[c];
                }
            }
        }
    }
}

@group(0) @binding(2) var<storage, read_write> partial: array<vec4<f32>>;  // [CHUNKS, TAP_ROWS + 1, OUT_QUADS]

// Four rows (ky, kx, ci) of the weight.
struct Rows {
    ky: vec4<u32>,
    kx: vec4<u32>,
    ci: vec4<u32>,
    is_row: vec4<bool>,
}

fn rows_of(row: vec4<u32>) -> Rows {
    let taps = row / IN_CHANNELS;
    return Rows(taps / KERNEL_W, taps % KERNEL_W, row % IN_CHANNELS, row < vec4<u32>(TAP_ROWS));
}

// What four rows of the weight meet in x when the window lies at a pixel of y.
fn load_rows(rows: Rows, pixel: u32) -> vec4<f32> {
    let ox = pixel % OUT_WIDTH;
    let oy = pixel / OUT_WIDTH % OUT_HEIGHT;
    let image = pixel / (OUT_WIDTH * OUT_HEIGHT);
    let iy = oy * STRIDE_H + rows.ky - PADDING_H;
    let ix = ox * STRIDE_W + rows.kx - PADDING_W;
    let inside = (iy < vec4<u32>(HEIGHT)) & (ix < vec4<u32>(WIDTH)) & rows.is_row & vec4<bool>(pixel < OUT_PIXELS);
    let place = (image * HEIGHT + iy) * WIDTH + ix;
    if IN_FOURS {
        return x_quad(place.x * IN_QUADS + rows.ci.x / 4u, inside.x);
    }
    return x_elements(place * IN_CHANNELS + rows.ci, inside);
}

fn load_backward_weight(share: Share, rows: Rows, column: u32, step: u32) -> mat4x4<f32> {
    let pixel = step * TILE_DEPTH + share.depth;
    if share.is_left {
        return mat4x4<f32>(
            load_rows(rows, pixel),
            load_rows(rows, pixel + 1u),
            load_rows(rows, pixel + 2u),
            load_rows(rows, pixel + 3u),
        );
    }
    return mat4x4<f32>(
        dy_quad(pixel, column, pixel < OUT_PIXELS),
        dy_quad(pixel + 1u, column, pixel + 1u < OUT_PIXELS),
        dy_quad(pixel + 2u, column, pixel + 2u < OUT_PIXELS),
        dy_quad(pixel + 3u, column, pixel + 3u < OUT_PIXELS),
    );
}

override WEIGHT_STEPS = (OUT_PIXELS + TILE_DEPTH - 1u) / TILE_DEPTH;
override WEIGHT_CHUNK = (WEIGHT_STEPS + CHUNKS - 1u) / CHUNKS;

override ITERATIONS_BACKWARD_WEIGHT: u32 = WEIGHT_CHUNK * STEP_ITERATIONS + END_ITERATIONS + BLOCK_ITERATIONS;

fn store_partial(chunk: u32, row: u32, quad: u32, value: vec4<f32>) {
    if row <= TAP_ROWS && quad < OUT_QUADS {
        partial[(chunk * (TAP_ROWS + 1u) + row) * OUT_QUADS + quad] = value;
    }
}

// Rows are those of the weight, columns the channels of y, and the sum runs over the pixels of y of one chunk. The workgroups
// of the first rows also add up dy as it passes: that is the row of the bias, after the last one.
@compute @workgroup_size(TILE_INVOCATIONS)
fn backward_weight(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    invocation: Invocation,
) {
    let id = unfold(workgroup_id, workgroups);
    if is_behind_grid(id) {
        return;
    }
    let share = share_of(invocation.index);
    let second = share_of(invocation.index + TILE_INVOCATIONS);
    let rows = rows_of(row_of_share(id, share));
    let second_rows = rows_of(row_of_share(id, second));
    let column = column_of_share(id, share);
    let second_column = column_of_share(id, second);
    let begin = id.z * WEIGHT_CHUNK;
    let end = min(begin + WEIGHT_CHUNK, WEIGHT_STEPS);
    var sums: Block;
    var bias_sum = vec4<f32>();
    var second_bias_sum = vec4<f32>();
    var values = load_backward_weight(share, rows, column, begin);
    var second_values = mat4x4<f32>();
    if TWO_SHARES {
        second_values = load_backward_weight(second, second_rows, second_column, begin);
    }
    begin_tile();
    for (var step = begin; step < end; step++) {
        stage_share(share, values);
        bias_sum += values[0] + values[1] + values[2] + values[3];
        if TWO_SHARES {
            stage_share(second, second_values);
            second_bias_sum += second_values[0] + second_values[1] + second_values[2] + second_values[3];
        }
        workgroupBarrier();
        if step + 1u < end {
            values = load_backward_weight(share, rows, column, step + 1u);
            if TWO_SHARES {
                second_values = load_backward_weight(second, second_rows, second_column, step + 1u);
            }
        }
        add_tile(&sums, invocation);
        workgroupBarrier();
    }
    end_tile(&sums, invocation);
    for (var half = 0u; half < BLOCK_COLUMNS / 4u; half++) {
        for (var r = 0u; r < BLOCK_ROWS; r++) {
            let place = place_in_product(id, invocation, r, half);
            if place.x < TAP_ROWS {
                store_partial(id.z, place.x, place.y, block_row(&sums, r, half));
            }
        }
    }
    if id.x == 0u {
        stage_sums(share, bias_sum);
        if TWO_SHARES {
            stage_sums(second, second_bias_sum);
        }
        workgroupBarrier();
        if share.depth == 0u && share.is_used && !share.is_left {
            store_partial(id.z, TAP_ROWS, column, staged_sum(share.quad));
        }
        if TWO_SHARES && second.depth == 0u && second.is_used && !second.is_left {
            store_partial(id.z, TAP_ROWS, second_column, staged_sum(second.quad));
        }
    }
}
