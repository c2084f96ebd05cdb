// Library: conv2d, broadcast, pairs, index
// y[n, oy, ox, co] = bias[co] + sum_{ky, kx, ci} x[n, oy*S + ky - P, ox*S + kx - P, ci] * weight[ky, kx, ci, co]
//                                                                     forward (without bias), forward_bias, forward_any,
//                                                                     forward_bias_any
// dx = the transposed sum over dy                                     backward_input
// dweight[ky, kx, ci, co] = sum_{n, oy, ox} x[..] * dy[n, oy, ox, co],   dbias[co] = sum dy
//                                                                     backward_weight, backward_weight_any,
//                                                                     in CHUNKS partial sums
//
// Convolution as a matrix product by broadcasts, `lib/broadcast.wgsl`, whose left factor, the windows of x, is never written
// down. Channels are loaded in pairs, and come in fours: those of y always, those of x but for `_any`.

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

// The two pixels of y that an invocation loads the windows of.
struct Pixels {
    image: vec2<u32>,
    oy: vec2<u32>,
    ox: vec2<u32>,
}

fn pixels_of(first: u32, lane: u32) -> Pixels {
    let pixel = rows_of(first, lane, BATCH * OUT_HEIGHT * OUT_WIDTH);
    return Pixels(pixel / (OUT_WIDTH * OUT_HEIGHT), pixel / OUT_WIDTH % OUT_HEIGHT, pixel % OUT_WIDTH);
}

// The pixels of x that they meet at a tap, and whether they lie in the image.
struct Tap {
    pixel: vec2<u32>,
    inside: vec2<bool>,
}

fn tap_of(pixels: Pixels, ky: u32, kx: u32) -> Tap {
    let iy = pixels.oy * STRIDE_H + ky - PADDING_H;  // a row above the image wraps to a huge one
    let ix = pixels.ox * STRIDE_W + kx - PADDING_W;
    let inside = (iy < vec2<u32>(HEIGHT)) & (ix < vec2<u32>(WIDTH));
    return Tap(select(vec2<u32>(), (pixels.image * HEIGHT + iy) * WIDTH + ix, inside), inside);
}

fn repeated(start: vec4<f32>) -> Sums {
    var sums: Sums;
    for (var r = 0u; r < ROWS; r++) {
        sums[r] = start;
    }
    return sums;
}

fn store_pixels(first: u32, quad: u32, sums: Sums) {
    for (var r = 0u; r < ROWS; r++) {
        if first + r < BATCH * OUT_HEIGHT * OUT_WIDTH && quad < OUT_QUADS {
            let place = (first + r) * OUT_PAIRS + 2u * quad;
            y[place] = pack_pair(sums[r].xy);
            y[place + 1u] = pack_pair(sums[r].zw);
        }
    }
}

// What the loops of forward take beside those over channels.
override TAPS_ITERATIONS = 2u * ROWS + KERNEL_H * (1u + KERNEL_W);

// Rows are the pixels of y, columns its channels.
fn convolve(id: vec3<u32>, lane: u32, start: vec4<f32>) {
    let first = ROWS * id.x;
    let quad = LANES * id.y + lane;
    let pixels = pixels_of(first, lane);
    var sums = repeated(start);
    for (var ky = 0u; ky < KERNEL_H; ky++) {
        for (var kx = 0u; kx < KERNEL_W; kx++) {
            let tap = tap_of(pixels, ky, kx);
            let place = tap.pixel * IN_PAIRS;
            var row = (ky * KERNEL_W + kx) * IN_CHANNELS * OUT_QUADS + min(quad, OUT_QUADS - 1u);
            for (var pair = 0u; pair < IN_PAIRS; pair += 2u) {
                let a = load_x(place.x + pair, tap.inside.x);
                let b = load_x(place.y + pair, tap.inside.y);
                let c = load_x(place.x + pair + 1u, tap.inside.x);
                let d = load_x(place.y + pair + 1u, tap.inside.y);
                let w0 = unpack_quad(weight[row]);
                let w1 = unpack_quad(weight[row + OUT_QUADS]);
                let w2 = unpack_quad(weight[row + 2u * OUT_QUADS]);
                let w3 = unpack_quad(weight[row + 3u * OUT_QUADS]);
                add_products(&sums, 0u, 1u, a.x, w0);
                add_products(&sums, 8u, 1u, b.x, w0);
                add_products(&sums, 0u, 1u, a.y, w1);
                add_products(&sums, 8u, 1u, b.y, w1);
                add_products(&sums, 0u, 1u, c.x, w2);
                add_products(&sums, 8u, 1u, d.x, w2);
                add_products(&sums, 0u, 1u, c.y, w3);
                add_products(&sums, 8u, 1u, d.y, w3);
                row += 4u * OUT_QUADS;
            }
        }
    }
    store_pixels(first, quad, sums);
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
    convolve(id, lane, vec4<f32>());
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
    convolve(id, lane, bias[min(LANES * id.y + lane, OUT_QUADS - 1u)]);
}

@group(0) @binding(0) var<storage, read> x_elements: array<f32>;        // [BATCH, HEIGHT, WIDTH, IN_CHANNELS]

// The same for any number of input channels, which are loaded one by one.
fn convolve_any(id: vec3<u32>, lane: u32, start: vec4<f32>) {
    let first = ROWS * id.x;
    let quad = LANES * id.y + lane;
    let pixels = pixels_of(first, lane);
    var sums = repeated(start);
    for (var ky = 0u; ky < KERNEL_H; ky++) {
        for (var kx = 0u; kx < KERNEL_W; kx++) {
            let tap = tap_of(pixels, ky, kx);
            let place = tap.pixel * IN_CHANNELS;
            let row = (ky * KERNEL_W + kx) * IN_CHANNELS * OUT_QUADS + min(quad, OUT_QUADS - 1u);
            for (var ci = 0u; ci < IN_CHANNELS; ci++) {
                let w = unpack_quad(weight[row + ci * OUT_QUADS]);
                add_products(&sums, 0u, 1u, select(0.0, x_elements[place.x + ci], tap.inside.x), w);
                add_products(&sums, 8u, 1u, select(0.0, x_elements[place.y + ci], tap.inside.y), w);
            }
        }
    }
    store_pixels(first, quad, sums);
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
    convolve_any(id, lane, vec4<f32>());
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
    convolve_any(id, lane, bias[min(LANES * id.y + lane, OUT_QUADS - 1u)]);
}

@group(0) @binding(0) var<storage, read> dy: array<u64>;                // like y
@group(0) @binding(1) var<storage, read> weights: array<u64>;           // [KERNEL_H, KERNEL_W, IN_CHANNELS, OUT_PAIRS]
@group(0) @binding(2) var<storage, read_write> dx: array<u64>;          // like x

fn load_dy(place: u32, inside: bool) -> vec2<f32> {
    return unpack_pair(select(0lu, dy[place], inside));
}

// Of the rows and columns of the kernel of one residue.
override REACHING_H = (KERNEL_H + STRIDE_H - 1u) / STRIDE_H;
override REACHING_W = (KERNEL_W + STRIDE_W - 1u) / STRIDE_W;

override ITERATIONS_BACKWARD_INPUT: u32 = ROWS + REACHING_H * (1u + REACHING_W * (1u + OUT_PAIRS));

// Rows are the pixels of x, columns its channels. The pixels of a workgroup leave the same rest `id.z` when divided by the
// stride, so that the taps that reach one of them reach all.
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
    let rest = vec2<u32>(id.z % STRIDE_W, id.z / STRIDE_W);
    let size = (vec2<u32>(WIDTH, HEIGHT) + vec2<u32>(STRIDE_W, STRIDE_H) - 1u - rest) / vec2<u32>(STRIDE_W, STRIDE_H);
    let pixels = BATCH * size.x * size.y;
    let first = ROWS * id.x;
    if first >= pixels {
        return;
    }
    let quad = LANES * id.y + lane;
    let pixel = rows_of(first, lane, pixels);
    let ix = pixel % size.x * STRIDE_W + rest.x;
    let iy = pixel / size.x % size.y * STRIDE_H + rest.y;
    let image = pixel / (size.x * size.y);
    var sums: Sums;
    for (var ky = (rest.y + PADDING_H) % STRIDE_H; ky < KERNEL_H; ky += STRIDE_H) {
        let oy = (iy + PADDING_H - ky) / STRIDE_H;  // a row above the image wraps to a huge one
        for (var kx = (rest.x + PADDING_W) % STRIDE_W; kx < KERNEL_W; kx += STRIDE_W) {
            let ox = (ix + PADDING_W - kx) / STRIDE_W;
            let inside = (oy < vec2<u32>(OUT_HEIGHT)) & (ox < vec2<u32>(OUT_WIDTH));
            let place = select(vec2<u32>(), (image * OUT_HEIGHT + oy) * OUT_WIDTH + ox, inside) * OUT_PAIRS;
            let row = ((ky * KERNEL_W + kx) * IN_CHANNELS + 4u * min(quad, IN_QUADS - 1u)) * OUT_PAIRS;
            for (var pair = 0u; pair < OUT_PAIRS; pair++) {
                let a = load_dy(place.x + pair, inside.x);
                let b = load_dy(place.y + pair, inside.y);
                let w0 = unpack_pair(weights[row + pair]);
                let w1 = unpack_pair(weights[row + OUT_PAIRS + pair]);
                let w2 = unpack_pair(weights[row + 2u * OUT_PAIRS + pair]);
                let w3 = unpack_pair(weights[row + 3u * OUT_PAIRS + pair]);
                let first_of_pair = vec4<f32>(w0.x, w1.x, w2.x, w3.x);
                let second_of_pair = vec4<f32>(w0.y, w1.y, w2.y, w3.y);
                add_products(&sums, 0u, 1u, a.x, first_of_pair);
                add_products(&sums, 8u, 1u, b.x, first_of_pair);
                add_products(&sums, 0u, 1u, a.y, second_of_pair);
                add_products(&sums, 8u, 1u, b.y, second_of_pair);
            }
        }
    }
    for (var r = 0u; r < ROWS; r++) {
        let pixel = first + r;
        if pixel < pixels && quad < IN_QUADS {
            let column = pixel % size.x * STRIDE_W + rest.x;
            let row = pixel / size.x % size.y * STRIDE_H + rest.y;
            let place = (pixel / (size.x * size.y) * HEIGHT + row) * WIDTH + column;
            store_dx(place * IN_PAIRS + 2u * quad, sums[r]);
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

override IN_BLOCKS = (IN_CHANNELS + ROWS - 1u) / ROWS;
override LINES = (BATCH * OUT_HEIGHT + CHUNKS - 1u) / CHUNKS;   // of y, in a chunk

// Two neighbouring pairs of channels of dy.
fn load_dy_quad(place: u32) -> vec4<f32> {
    return vec4<f32>(unpack_pair(dy[place]), unpack_pair(dy[place + 1u]));
}

// sums += the product at one pixel, which lies at `x_place` and `dy_place`.
fn add_pixel(sums: ptr<function, Sums>, x_place: u32, dy_place: u32, is_bias: bool) {
    let a = select(unpack_pair(input[x_place]), vec2<f32>(1.0), is_bias);
    add_outer(sums, a, load_dy_quad(dy_place));
}

fn store_partial(chunk: u32, row: u32, quad: u32, sum: vec4<f32>) {
    let place = (chunk * (TAP_ROWS + 1u) + row) * OUT_PAIRS + 2u * quad;
    partial[place] = pack_pair(sum.xy);
    partial[place + 1u] = pack_pair(sum.zw);
}

override ITERATIONS_BACKWARD_WEIGHT: u32 = ROWS + LINES * (4u + OUT_WIDTH / 4u);

// Rows are 16 input channels of one tap, columns output channels; workgroups after the last tap's make the bias. The sum
// runs over the lines of y of one chunk, and in each over the columns that meet the image.
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
    let tap = id.x / IN_BLOCKS;
    let first = id.x % IN_BLOCKS * ROWS;
    let is_bias = tap == KERNEL_H * KERNEL_W;
    let quad = LANES * id.y + lane;
    let pair = min(first / 2u + lane, IN_PAIRS - 1u);
    let dy_pair = 2u * min(quad, OUT_QUADS - 1u);
    let kx = tap % KERNEL_W;
    let begin = select((max(PADDING_W, kx) - kx + STRIDE_W - 1u) / STRIDE_W, 0u, is_bias);
    let reach = (max(WIDTH + PADDING_W, kx) - kx + STRIDE_W - 1u) / STRIDE_W;
    let end = select(min(reach, OUT_WIDTH), OUT_WIDTH, is_bias);
    let step = select(STRIDE_W * IN_PAIRS, 0u, is_bias);
    let end_line = min((id.z + 1u) * LINES, BATCH * OUT_HEIGHT);
    var sums: Sums;
    for (var line = id.z * LINES; line < end_line; line++) {
        let iy = line % OUT_HEIGHT * STRIDE_H + tap / KERNEL_W - PADDING_H;
        if iy >= HEIGHT && !is_bias {
            continue;
        }
        let x_line = (line / OUT_HEIGHT * HEIGHT + iy) * WIDTH + kx - PADDING_W;
        let x_start = select(x_line * IN_PAIRS, 0u, is_bias) + pair;
        let dy_start = line * OUT_WIDTH * OUT_PAIRS + dy_pair;
        var ox = begin;
        for (; ox + 4u <= end; ox += 4u) {
            let x_place = x_start + ox * step;
            let dy_place = dy_start + ox * OUT_PAIRS;
            add_pixel(&sums, x_place, dy_place, is_bias);
            add_pixel(&sums, x_place + step, dy_place + OUT_PAIRS, is_bias);
            add_pixel(&sums, x_place + 2u * step, dy_place + 2u * OUT_PAIRS, is_bias);
            add_pixel(&sums, x_place + 3u * step, dy_place + 3u * OUT_PAIRS, is_bias);
        }
        for (; ox < end; ox++) {
            add_pixel(&sums, x_start + ox * step, dy_start + ox * OUT_PAIRS, is_bias);
        }
    }
    for (var r = 0u; r < ROWS; r++) {
        let wanted = select(first + r < IN_CHANNELS, first + r == 0u, is_bias);
        if wanted && quad < OUT_QUADS {
            store_partial(id.z, tap * IN_CHANNELS + first + r, quad, sums[r]);
        }
    }
}

@group(0) @binding(1) var<storage, read> elements: array<f32>;          // the x of forward

override ITERATIONS_BACKWARD_WEIGHT_ANY: u32 = ROWS + LINES * (1u + OUT_WIDTH);

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
    let first = id.x * ROWS;
    let row = rows_of(first, lane, TAP_ROWS + 1u);
    let is_bias = row == vec2<u32>(TAP_ROWS);
    let ci = row % IN_CHANNELS;
    let kx = row / IN_CHANNELS % KERNEL_W;
    let ky = row / (IN_CHANNELS * KERNEL_W);
    let quad = LANES * id.y + lane;
    let dy_pair = 2u * min(quad, OUT_QUADS - 1u);
    let end_line = min((id.z + 1u) * LINES, BATCH * OUT_HEIGHT);
    var sums: Sums;
    for (var line = id.z * LINES; line < end_line; line++) {
        let iy = line % OUT_HEIGHT * STRIDE_H + ky - PADDING_H;
        for (var ox = 0u; ox < OUT_WIDTH; ox++) {
            let ix = ox * STRIDE_W + kx - PADDING_W;
            let inside = (iy < vec2<u32>(HEIGHT)) & (ix < vec2<u32>(WIDTH));
            let pixel = (line / OUT_HEIGHT * HEIGHT + iy) * WIDTH + ix;
            let place = select(vec2<u32>(), pixel * IN_CHANNELS + ci, inside);
            let value = select(vec2<f32>(), vec2<f32>(elements[place.x], elements[place.y]), inside);
            let a = select(value, vec2<f32>(1.0), is_bias);
            let b = load_dy_quad((line * OUT_WIDTH + ox) * OUT_PAIRS + dy_pair);
            add_products(&sums, 0u, 1u, a.x, b);
            add_products(&sums, 8u, 1u, a.y, b);
        }
    }
    for (var r = 0u; r < ROWS; r++) {
        if first + r <= TAP_ROWS && quad < OUT_QUADS {
            store_partial(id.z, first + r, quad, sums[r]);
        }
    }
}
