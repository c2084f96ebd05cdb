// Library: conv2d, block, pairs, index
// y[n, oy, ox, co] = bias[co] + sum_{ky, kx, ci} x[n, oy*S + ky - P, ox*S + kx - P, ci] * weight[ky, kx, ci, co]
//                                                                     forward (without bias), forward_bias, forward_any,
//                                                                     forward_bias_any
// dx = the transposed sum over dy                                     backward_input
// dweight[ky, kx, ci, co] = sum_{n, oy, ox} x[..] * dy[n, oy, ox, co],   dbias[co] = sum dy
//                                                                     backward_weight, backward_weight_any,
//                                                                     in CHUNKS partial sums
//
// Convolution as a matrix product by broadcasts, in blocks of `lib/block.wgsl`, whose left factor, the windows of x, is never
// written down. Channels are loaded in pairs, and come in fours: those of y always, those of x but for `_any`. Columns go
// first, so that the pixels that were loaded stay in the cache while all channels are made of them.

override IN_PAIRS = IN_CHANNELS / 2u;
override IN_QUADS = IN_CHANNELS / 4u;
override OUT_PAIRS = OUT_CHANNELS / 2u;
override OUT_QUADS = OUT_CHANNELS / 4u;

@group(0) @binding(0) var<storage, read> x: array<u64>;                 // [BATCH, HEIGHT, WIDTH, IN_PAIRS]
@group(0) @binding(1) var<storage, read> weight: array<vec2<u64>>;      // [KERNEL_H, KERNEL_W, IN_CHANNELS, OUT_QUADS]
@group(0) @binding(2) var<storage, read> bias: array<vec4<f32>>;        // [OUT_QUADS]
@group(0) @binding(3) var<storage, read_write> y: array<u64>;           // [BATCH, OUT_HEIGHT, OUT_WIDTH, OUT_PAIRS]

fn load_x(place: u32, inside: bool) -> vec2<f32> {
    return unpack_pair(select(0lu, x[place], inside));  // 0 in the padding
}

// A pair of channels of four pixels, one vector a channel.
fn load_pixels(place: vec4<u32>, inside: vec4<bool>) -> array<vec4<f32>, 2> {
    if TALL {
        return summands_of(
            load_x(place.x, inside.x),
            load_x(place.y, inside.y),
            load_x(place.z, inside.z),
            load_x(place.w, inside.w),
        );
    }
    return summands_of(load_x(place.x, inside.x), load_x(place.y, inside.y), vec2<f32>(), vec2<f32>());
}

// The products of one input channel, whose weights lie at `row`.
fn add_channel(block: ptr<function, Block>, a: vec4<f32>, row: vec2<u32>) {
    var right: vec4<f32>;
    if WIDE {
        right = unpack_quad(weight[row.y]);
    }
    add_summand(block, a, unpack_quad(weight[row.x]), right);
}

// The pixels of y that an invocation loads the windows of.
struct Pixels {
    image: vec4<u32>,
    oy: vec4<u32>,
    ox: vec4<u32>,
}

fn pixels_of(first: u32, lane: u32) -> Pixels {
    let pixel = block_rows_of(first, lane, BATCH * OUT_HEIGHT * OUT_WIDTH);
    return Pixels(pixel / (OUT_WIDTH * OUT_HEIGHT), pixel / OUT_WIDTH % OUT_HEIGHT, pixel % OUT_WIDTH);
}

// The pixels of x that they meet at a tap, and whether they lie in the image.
struct Tap {
    pixel: vec4<u32>,
    inside: vec4<bool>,
}

fn tap_of(pixels: Pixels, ky: u32, kx: u32) -> Tap {
    let iy = pixels.oy * STRIDE_H + ky - PADDING_H;  // a row above the image wraps to a huge one
    let ix = pixels.ox * STRIDE_W + kx - PADDING_W;
    let inside = (iy < vec4<u32>(HEIGHT)) & (ix < vec4<u32>(WIDTH));
    return Tap(select(vec4<u32>(), (pixels.image * HEIGHT + iy) * WIDTH + ix, inside), inside);
}

fn start_tile(block: ptr<function, Block>, part: u32, start: vec4<f32>) {
    for (var r = 0u; r < ROWS; r++) {
        (*block)[part * ROWS + r] = start;
    }
}

// A block of the sums `left` and `right` of its columns.
fn start_block(left: vec4<f32>, right: vec4<f32>) -> Block {
    var block: Block;
    start_tile(&block, 0u, left);
    start_tile(&block, 1u, left);
    start_tile(&block, 2u, right);
    start_tile(&block, 3u, right);
    return block;
}

// What of a block belongs to its tile number `part`, which begins at the pixel `first`.
fn store_tile(block: ptr<function, Block>, part: u32, first: u32, quad: u32) {
    for (var r = 0u; r < ROWS; r++) {
        if first + r < BATCH * OUT_HEIGHT * OUT_WIDTH && quad < OUT_QUADS {
            let sum = (*block)[part * ROWS + r];
            let place = (first + r) * OUT_PAIRS + 2u * quad;
            y[place] = pack_pair(sum.xy);
            y[place + 1u] = pack_pair(sum.zw);
        }
    }
}

fn store_pixels(block: ptr<function, Block>, first: u32, quad: u32) {
    store_tile(block, 0u, first, quad);
    if TALL {
        store_tile(block, 1u, first + ROWS, quad);
    }
    if WIDE {
        store_tile(block, 2u, first, quad + LANES);
    }
    if TALL && WIDE {
        store_tile(block, 3u, first + ROWS, quad + LANES);
    }
}

// What the loops of forward take beside those over channels.
override TAPS_ITERATIONS = 8u * ROWS + KERNEL_H * (1u + KERNEL_W);

// Rows are the pixels of y, columns its channels.
fn convolve(id: vec3<u32>, lane: u32, left: vec4<f32>, right: vec4<f32>) {
    let first = BLOCK_ROWS * id.y;
    let quad = BLOCK_QUADS * id.x + lane;
    let pixels = pixels_of(first, lane);
    var block = start_block(left, right);
    for (var ky = 0u; ky < KERNEL_H; ky++) {
        for (var kx = 0u; kx < KERNEL_W; kx++) {
            let tap = tap_of(pixels, ky, kx);
            let place = tap.pixel * IN_PAIRS;
            var row = (ky * KERNEL_W + kx) * IN_CHANNELS * OUT_QUADS + block_quads_of(quad, OUT_QUADS);
            for (var pair = 0u; pair < IN_PAIRS; pair += 2u) {
                let a = load_pixels(place + pair, tap.inside);
                let b = load_pixels(place + pair + 1u, tap.inside);
                add_channel(&block, a[0], row);
                add_channel(&block, a[1], row + OUT_QUADS);
                add_channel(&block, b[0], row + 2u * OUT_QUADS);
                add_channel(&block, b[1], row + 3u * OUT_QUADS);
                row += 4u * OUT_QUADS;
            }
        }
    }
    store_pixels(&block, first, quad);
}

override ITERATIONS_FORWARD: u32 = TAPS_ITERATIONS + KERNEL_H * KERNEL_W * IN_QUADS;

@compute @workgroup_size(LANES)
fn forward(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let id = unfold(workgroup_id, workgroups);
    if is_behind_grid(id) {
        return;
    }
    convolve(id, lane, vec4<f32>(), vec4<f32>());
}

override ITERATIONS_FORWARD_BIAS: u32 = TAPS_ITERATIONS + KERNEL_H * KERNEL_W * IN_QUADS;

@compute @workgroup_size(LANES)
fn forward_bias(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let id = unfold(workgroup_id, workgroups);
    if is_behind_grid(id) {
        return;
    }
    let quads = block_quads_of(BLOCK_QUADS * id.x + lane, OUT_QUADS);
    convolve(id, lane, bias[quads.x], bias[quads.y]);
}

@group(0) @binding(0) var<storage, read> x_elements: array<f32>;        // [BATCH, HEIGHT, WIDTH, IN_CHANNELS]

fn load_element(place: u32, inside: bool) -> f32 {
    return select(0.0, x_elements[place], inside);
}

// The same for any number of input channels, which are loaded one by one.
fn convolve_any(id: vec3<u32>, lane: u32, left: vec4<f32>, right: vec4<f32>) {
    let first = BLOCK_ROWS * id.y;
    let quad = BLOCK_QUADS * id.x + lane;
    let pixels = pixels_of(first, lane);
    var block = start_block(left, right);
    for (var ky = 0u; ky < KERNEL_H; ky++) {
        for (var kx = 0u; kx < KERNEL_W; kx++) {
            let tap = tap_of(pixels, ky, kx);
            let row = (ky * KERNEL_W + kx) * IN_CHANNELS * OUT_QUADS + block_quads_of(quad, OUT_QUADS);
            for (var ci = 0u; ci < IN_CHANNELS; ci++) {
                let place = tap.pixel * IN_CHANNELS + ci;
                var a = vec4<f32>(load_element(place.x, tap.inside.x), load_element(place.y, tap.inside.y), 0.0, 0.0);
                if TALL {
                    a.z = load_element(place.z, tap.inside.z);
                    a.w = load_element(place.w, tap.inside.w);
                }
                add_channel(&block, a, row + ci * OUT_QUADS);
            }
        }
    }
    store_pixels(&block, first, quad);
}

override ITERATIONS_FORWARD_ANY: u32 = TAPS_ITERATIONS + KERNEL_H * KERNEL_W * IN_CHANNELS;

@compute @workgroup_size(LANES)
fn forward_any(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let id = unfold(workgroup_id, workgroups);
    if is_behind_grid(id) {
        return;
    }
    convolve_any(id, lane, vec4<f32>(), vec4<f32>());
}

override ITERATIONS_FORWARD_BIAS_ANY: u32 = TAPS_ITERATIONS + KERNEL_H * KERNEL_W * IN_CHANNELS;

@compute @workgroup_size(LANES)
fn forward_bias_any(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let id = unfold(workgroup_id, workgroups);
    if is_behind_grid(id) {
        return;
    }
    let quads = block_quads_of(BLOCK_QUADS * id.x + lane, OUT_QUADS);
    convolve_any(id, lane, bias[quads.x], bias[quads.y]);
}

@group(0) @binding(0) var<storage, read> dy: array<u64>;                // like y
@group(0) @binding(1) var<storage, read> weights: array<u64>;           // [KERNEL_H, KERNEL_W, IN_CHANNELS, OUT_PAIRS]
@group(0) @binding(2) var<storage, read_write> dx: array<u64>;          // like x

fn load_dy(place: u32, inside: bool) -> vec2<f32> {
    return unpack_pair(select(0lu, dy[place], inside));
}

// A pair of channels of dy at four pixels, one vector a channel.
fn load_dy_pixels(place: vec4<u32>, inside: vec4<bool>) -> array<vec4<f32>, 2> {
    if TALL {
        return summands_of(
            load_dy(place.x, inside.x),
            load_dy(place.y, inside.y),
            load_dy(place.z, inside.z),
            load_dy(place.w, inside.w),
        );
    }
    return summands_of(load_dy(place.x, inside.x), load_dy(place.y, inside.y), vec2<f32>(), vec2<f32>());
}

// A pair of output channels of the weights of four input channels, one vector an output channel.
fn load_weights(place: u32) -> array<vec4<f32>, 2> {
    return summands_of(
        unpack_pair(weights[place]),
        unpack_pair(weights[place + OUT_PAIRS]),
        unpack_pair(weights[place + 2u * OUT_PAIRS]),
        unpack_pair(weights[place + 3u * OUT_PAIRS]),
    );
}

// Of the rows and columns of the kernel of one residue.
override REACHING_H = (KERNEL_H + STRIDE_H - 1u) / STRIDE_H;
override REACHING_W = (KERNEL_W + STRIDE_W - 1u) / STRIDE_W;

// The pixels of x that leave the same rest when divided by the stride: all taps that reach one of them reach all.
struct Residue {
    rest: vec2<u32>,    // of the column and the row
    size: vec2<u32>,    // columns and rows that leave it
}

fn residue_of(index: u32) -> Residue {
    let stride = vec2<u32>(STRIDE_W, STRIDE_H);
    let rest = vec2<u32>(index % STRIDE_W, index / STRIDE_W);
    return Residue(rest, (vec2<u32>(WIDTH, HEIGHT) + stride - 1u - rest) / stride);
}

override ITERATIONS_BACKWARD_INPUT: u32 = 4u * ROWS + REACHING_H * (1u + REACHING_W * (1u + OUT_PAIRS));

// Rows are the pixels of x of the residue `id.z`, columns its channels.
@compute @workgroup_size(LANES)
fn backward_input(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let id = unfold(workgroup_id, workgroups);
    if is_behind_grid(id) {
        return;
    }
    let residue = residue_of(id.z);
    let rest = residue.rest;
    let size = residue.size;
    let first = BLOCK_ROWS * id.y;
    if first >= BATCH * size.x * size.y {
        return;
    }
    let quad = BLOCK_QUADS * id.x + lane;
    let quads = block_quads_of(quad, IN_QUADS);
    let pixel = block_rows_of(first, lane, BATCH * size.x * size.y);
    let ix = pixel % size.x * STRIDE_W + rest.x;
    let iy = pixel / size.x % size.y * STRIDE_H + rest.y;
    let image = pixel / (size.x * size.y);
    var block: Block;
    for (var ky = (rest.y + PADDING_H) % STRIDE_H; ky < KERNEL_H; ky += STRIDE_H) {
        let oy = (iy + PADDING_H - ky) / STRIDE_H;  // a row above the image wraps to a huge one
        for (var kx = (rest.x + PADDING_W) % STRIDE_W; kx < KERNEL_W; kx += STRIDE_W) {
            let ox = (ix + PADDING_W - kx) / STRIDE_W;
            let inside = (oy < vec4<u32>(OUT_HEIGHT)) & (ox < vec4<u32>(OUT_WIDTH));
            let place = select(vec4<u32>(), (image * OUT_HEIGHT + oy) * OUT_WIDTH + ox, inside) * OUT_PAIRS;
            let row = ((ky * KERNEL_W + kx) * IN_CHANNELS + 4u * quads) * OUT_PAIRS;
            for (var pair = 0u; pair < OUT_PAIRS; pair++) {
                let a = load_dy_pixels(place + pair, inside);
                let left = load_weights(row.x + pair);
                var right: array<vec4<f32>, 2>;
                if WIDE {
                    right = load_weights(row.y + pair);
                }
                add_summand(&block, a[0], left[0], right[0]);
                add_summand(&block, a[1], left[1], right[1]);
            }
        }
    }
    store_dx_tile(&block, 0u, residue, first, quad);
    if TALL {
        store_dx_tile(&block, 1u, residue, first + ROWS, quad);
    }
    if WIDE {
        store_dx_tile(&block, 2u, residue, first, quad + LANES);
    }
    if TALL && WIDE {
        store_dx_tile(&block, 3u, residue, first + ROWS, quad + LANES);
    }
}

// What of a block belongs to its tile number `part`, which begins at the pixel `first` of the residue.
fn store_dx_tile(block: ptr<function, Block>, part: u32, residue: Residue, first: u32, quad: u32) {
    let size = residue.size;
    for (var r = 0u; r < ROWS; r++) {
        let pixel = first + r;
        if pixel < BATCH * size.x * size.y && quad < IN_QUADS {
            let column = pixel % size.x * STRIDE_W + residue.rest.x;
            let row = pixel / size.x % size.y * STRIDE_H + residue.rest.y;
            let place = (pixel / (size.x * size.y) * HEIGHT + row) * WIDTH + column;
            store_dx(place * IN_PAIRS + 2u * quad, (*block)[part * ROWS + r]);
        }
    }
}

fn store_dx(place: u32, sum: vec4<f32>) {
    var total = sum;
    if ACCUMULATE {
        total += vec4<f32>(unpack_pair(dx[place]), unpack_pair(dx[place + 1u]));
    }
    dx[place] = pack_pair(total.xy);
    dx[place + 1u] = pack_pair(total.zw);
}

@group(0) @binding(1) var<storage, read> input: array<u64>;             // the x of forward
@group(0) @binding(2) var<storage, read_write> partial: array<u64>;     // [CHUNKS, TAP_ROWS + 1, OUT_PAIRS]

override IN_BLOCKS = (IN_CHANNELS + BLOCK_ROWS - 1u) / BLOCK_ROWS;
override LINES = (BATCH * OUT_HEIGHT + CHUNKS - 1u) / CHUNKS;   // of y, in a chunk

// Two neighbouring pairs of channels of dy.
fn load_dy_quad(place: u32) -> vec4<f32> {
    return vec4<f32>(unpack_pair(dy[place]), unpack_pair(dy[place + 1u]));
}

// The channels of dy at a pixel, of the right tiles.
fn load_dy_right(place: u32) -> vec4<f32> {
    if WIDE {
        return load_dy_quad(place);
    }
    return vec4<f32>();
}

// A pair of channels of x, 1 for the bias, and 0 behind the columns that meet the image.
fn load_input(place: u32, is_bias: bool, inside: bool) -> vec2<f32> {
    let pair = select(unpack_pair(input[place]), vec2<f32>(1.0), is_bias);
    return select(vec2<f32>(), pair, inside);
}

// block += the product at one pixel, whose channels lie at `x` and `dys`.
fn add_pixel(block: ptr<function, Block>, x: vec2<u32>, dys: vec2<u32>, is_bias: bool, inside: bool) {
    var lower: vec2<f32>;
    if TALL {
        lower = load_input(x.y, is_bias, inside);
    }
    add_outer(block, load_input(x.x, is_bias, inside), lower, load_dy_quad(dys.x), load_dy_right(dys.y));
}

// What of a block belongs to its tile number `part`, whose rows are those of the partial sum from `first` up to `end`.
fn store_partial(block: ptr<function, Block>, part: u32, chunk: u32, first: u32, end: u32, quad: u32) {
    for (var r = 0u; r < ROWS; r++) {
        if first + r < end && quad < OUT_QUADS {
            let sum = (*block)[part * ROWS + r];
            let place = (chunk * (TAP_ROWS + 1u) + first + r) * OUT_PAIRS + 2u * quad;
            partial[place] = pack_pair(sum.xy);
            partial[place + 1u] = pack_pair(sum.zw);
        }
    }
}

fn store_partials(block: ptr<function, Block>, chunk: u32, first: u32, end: u32, quad: u32) {
    store_partial(block, 0u, chunk, first, end, quad);
    if TALL {
        store_partial(block, 1u, chunk, first + ROWS, end, quad);
    }
    if WIDE {
        store_partial(block, 2u, chunk, first, end, quad + LANES);
    }
    if TALL && WIDE {
        store_partial(block, 3u, chunk, first + ROWS, end, quad + LANES);
    }
}

override ITERATIONS_BACKWARD_WEIGHT: u32 = 4u * ROWS + LINES * (2u + OUT_WIDTH / 4u);

// Rows are input channels of one tap, columns output channels; workgroups after the last tap's make the bias. The sum runs
// over the lines of y of one chunk, and in each over the columns that meet the image, in fours.
@compute @workgroup_size(LANES)
fn backward_weight(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let id = unfold(workgroup_id, workgroups);
    if is_behind_grid(id) {
        return;
    }
    let tap = id.y / IN_BLOCKS;
    let first = id.y % IN_BLOCKS * BLOCK_ROWS;
    let is_bias = tap == KERNEL_H * KERNEL_W;
    let quad = BLOCK_QUADS * id.x + lane;
    let pairs = min(vec2<u32>(first / 2u + lane) + vec2<u32>(0u, LANES), vec2<u32>(IN_PAIRS - 1u));
    let dy_pairs = 2u * block_quads_of(quad, OUT_QUADS);
    let kx = tap % KERNEL_W;
    let begin = select((max(PADDING_W, kx) - kx + STRIDE_W - 1u) / STRIDE_W, 0u, is_bias);
    let reach = (max(WIDTH + PADDING_W, kx) - kx + STRIDE_W - 1u) / STRIDE_W;
    let end = select(min(reach, OUT_WIDTH), OUT_WIDTH, is_bias);
    let step = select(STRIDE_W * IN_PAIRS, 0u, is_bias);
    let end_line = min((id.z + 1u) * LINES, BATCH * OUT_HEIGHT);
    var block: Block;
    for (var line = id.z * LINES; line < end_line; line++) {
        let iy = line % OUT_HEIGHT * STRIDE_H + tap / KERNEL_W - PADDING_H;
        if iy >= HEIGHT && !is_bias {
            continue;
        }
        let x_line = (line / OUT_HEIGHT * HEIGHT + iy) * WIDTH + kx - PADDING_W;
        let x_start = select(x_line * IN_PAIRS, 0u, is_bias) + pairs;
        let dy_start = line * OUT_WIDTH * OUT_PAIRS + dy_pairs;
        for (var ox = begin; ox < end; ox += 4u) {
            let columns = min(vec4<u32>(ox) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(end - 1u));
            let inside = vec4<u32>(ox) + vec4<u32>(0u, 1u, 2u, 3u) == columns;
            let x_place = columns * step;
            let dy_place = columns * OUT_PAIRS;
            add_pixel(&block, x_start + x_place.x, dy_start + dy_place.x, is_bias, inside.x);
            add_pixel(&block, x_start + x_place.y, dy_start + dy_place.y, is_bias, inside.y);
            add_pixel(&block, x_start + x_place.z, dy_start + dy_place.z, is_bias, inside.z);
            add_pixel(&block, x_start + x_place.w, dy_start + dy_place.w, is_bias, inside.w);
        }
    }
    let rows = select(IN_CHANNELS, 1u, is_bias);
    store_partials(&block, id.z, tap * IN_CHANNELS + first, tap * IN_CHANNELS + rows, quad);
}

@group(0) @binding(1) var<storage, read> elements: array<f32>;          // the x of forward

// Rows of the partial sum, as taps, input channels and the bias.
struct WeightRows {
    ky: vec4<u32>,
    kx: vec4<u32>,
    ci: vec4<u32>,
    is_bias: vec4<bool>,
}

fn weight_rows_of(row: vec4<u32>) -> WeightRows {
    let ky = row / (IN_CHANNELS * KERNEL_W);
    return WeightRows(ky, row / IN_CHANNELS % KERNEL_W, row % IN_CHANNELS, row == vec4<u32>(TAP_ROWS));
}

override ITERATIONS_BACKWARD_WEIGHT_ANY: u32 = 4u * ROWS + LINES * (1u + OUT_WIDTH);

// The same for any number of input channels, which are loaded one by one: rows are neighbouring rows (ky, kx, ci) of the
// weight, and the bias.
@compute @workgroup_size(LANES)
fn backward_weight_any(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let id = unfold(workgroup_id, workgroups);
    if is_behind_grid(id) {
        return;
    }
    let first = id.y * BLOCK_ROWS;
    let rows = weight_rows_of(block_rows_of(first, lane, TAP_ROWS + 1u));
    let quad = BLOCK_QUADS * id.x + lane;
    let dy_pairs = 2u * block_quads_of(quad, OUT_QUADS);
    let end_line = min((id.z + 1u) * LINES, BATCH * OUT_HEIGHT);
    var block: Block;
    for (var line = id.z * LINES; line < end_line; line++) {
        let iy = line % OUT_HEIGHT * STRIDE_H + rows.ky - PADDING_H;
        for (var ox = 0u; ox < OUT_WIDTH; ox++) {
            let ix = ox * STRIDE_W + rows.kx - PADDING_W;
            let inside = (iy < vec4<u32>(HEIGHT)) & (ix < vec4<u32>(WIDTH));
            let pixel = (line / OUT_HEIGHT * HEIGHT + iy) * WIDTH + ix;
            let place = select(vec4<u32>(), pixel * IN_CHANNELS + rows.ci, inside);
            var a = vec4<f32>(elements[place.x], elements[place.y], 0.0, 0.0);
            if TALL {
                a.z = elements[place.z];
                a.w = elements[place.w];
            }
            a = select(select(vec4<f32>(), a, inside), vec4<f32>(1.0), rows.is_bias);
            let dys = (line * OUT_WIDTH + ox) * OUT_PAIRS + dy_pairs;
            add_summand(&block, a, load_dy_quad(dys.x), load_dy_right(dys.y));
        }
    }
    store_partials(&block, id.z, first, TAP_ROWS + 1u, quad);
}
