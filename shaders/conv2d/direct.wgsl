// Library: conv2d, index
// y[n, oy, ox, co] = bias[co] + sum_{ky, kx, ci} x[n, oy*S + ky - P, ox*S + kx - P, first(co) + ci] * weight[ky, kx, ci, co]
//                                                                     forward (without bias), forward_bias
// dx = the transposed sum over dy                                     backward_input
// dweight[ky, kx, ci, co] = sum_{n, oy, ox} x[..] * dy[n, oy, ox, co],   dbias[co] = sum dy
//                                                                     backward_weight, in CHUNKS partial sums
//
// Direct convolution, channels last, in groups: ci counts the channels of the group that co belongs to, from first(co) on. An
// invocation keeps 8 neighbouring pixels of a row and 4 channels in registers. Where the stride is 1 its window of 8 inputs
// slides along the kernel's row: one load for 32 multiplications, where its channels belong to one group. A sum that is longer
// than the adapter takes is made in pieces.

override FIRST: u32;            // channels FIRST to FIRST + COUNT of a group of what is read, as a piece of a long sum;
override COUNT: u32;            // later pieces accumulate

override OUT_QUADS = (OUT_CHANNELS + 3u) / 4u;  // weights hold output channels by fours, padded by zeros

const PIXELS = 8u;
const WORKGROUP: u32 = 64u;

@group(0) @binding(0) var<storage, read> x: array<f32>;                 // [BATCH, HEIGHT, WIDTH, IN_CHANNELS]
@group(0) @binding(1) var<storage, read> weight: array<vec4<f32>>;      // [KERNEL_H, KERNEL_W, GROUP_IN, OUT_QUADS]
@group(0) @binding(2) var<storage, read> bias: array<vec4<f32>>;        // [OUT_QUADS]
@group(0) @binding(3) var<storage, read_write> y: array<f32>;           // [BATCH, OUT_HEIGHT, OUT_WIDTH, OUT_CHANNELS]

// The numbers of four channels of `count`; past the end the last one's.
fn channels_of(quad: u32, count: u32) -> vec4<u32> {
    return min(vec4<u32>(4u * quad) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(count - 1u));
}

// The first channel of x of the groups that four channels of y belong to.
fn first_inputs(quad: u32) -> vec4<u32> {
    return channels_of(quad, OUT_CHANNELS) / GROUP_OUT * GROUP_IN;
}

// Whether four channels of y, or of x, belong to one group.
override OUT_TOGETHER = GROUPS == 1u || GROUP_OUT % 4u == 0u;
override IN_TOGETHER = GROUPS == 1u || GROUP_IN % 4u == 0u;

// x at column `ix` of the row that starts at `row`, of each group its channel: 0 in the padding.
fn load_x(row: u32, ix: u32, channels: vec4<u32>) -> vec4<f32> {
    let inside = ix < WIDTH;  // a column left of the image wraps to a huge one
    let place = row + select(0u, ix, inside) * IN_CHANNELS;
    if OUT_TOGETHER {
        return vec4<f32>(select(0.0, x[place + channels.x], inside));
    }
    let values = vec4<f32>(x[place + channels.x], x[place + channels.y], x[place + channels.z], x[place + channels.w]);
    return select(vec4<f32>(), values, inside);
}

fn convolve(id: vec3<u32>, start: vec4<f32>) {
    let strips = (OUT_WIDTH + PIXELS - 1u) / PIXELS;
    let quad = id.y;
    let ox = id.x % strips * PIXELS;
    let oy = id.x / strips % OUT_HEIGHT;
    let image = id.x / (strips * OUT_HEIGHT);
    if image >= BATCH {
        return;
    }
    let first = first_inputs(quad);
    var sums = array<vec4<f32>, PIXELS>(start, start, start, start, start, start, start, start);
    for (var ky = 0u; ky < KERNEL_H; ky++) {
        let iy = oy * STRIDE_H + ky - PADDING_H;
        if iy >= HEIGHT {
            continue;
        }
        for (var ci = FIRST; ci < FIRST + COUNT; ci++) {
            let row = (image * HEIGHT + iy) * WIDTH * IN_CHANNELS;
            let channels = first + ci;
            var window = array<vec4<f32>, PIXELS>();
            for (var p = 0u; p < PIXELS; p++) {
                window[p] = load_x(row, (ox + p) * STRIDE_W - PADDING_W, channels);
            }
            for (var kx = 0u; kx < KERNEL_W; kx++) {
                let w = weight[((ky * KERNEL_W + kx) * GROUP_IN + ci) * OUT_QUADS + quad];
                for (var p = 0u; p < PIXELS; p++) {
                    sums[p] += window[p] * w;
                }
                if STRIDE_W == 1u {
                    for (var p = 0u; p < PIXELS - 1u; p++) {
                        window[p] = window[p + 1u];
                    }
                    window[PIXELS - 1u] = load_x(row, ox + PIXELS + kx - PADDING_W, channels);
                } else {
                    for (var p = 0u; p < PIXELS; p++) {
                        window[p] = load_x(row, (ox + p) * STRIDE_W + kx + 1u - PADDING_W, channels);
                    }
                }
            }
        }
    }
    for (var p = 0u; p < PIXELS; p++) {
        if ox + p < OUT_WIDTH {
            let place = ((image * OUT_HEIGHT + oy) * OUT_WIDTH + ox + p) * OUT_CHANNELS;
            for (var c = 0u; c < 4u; c++) {
                if 4u * quad + c < OUT_CHANNELS {
                    let element = place + 4u * quad + c;
                    y[element] = select(0.0, y[element], ACCUMULATE) + sums[p][c];
                }
            }
        }
    }
}

// Of a row of the kernel for one channel: loading its window, and multiplying and moving it. Then of what is stored.
override ROW_ITERATIONS = 1u + PIXELS + KERNEL_W * (1u + 2u * PIXELS);
const STORE_ITERATIONS: u32 = 5u * PIXELS;

override ITERATIONS_FORWARD: u32 = KERNEL_H * (1u + COUNT * ROW_ITERATIONS) + STORE_ITERATIONS;

@compute @workgroup_size(WORKGROUP)
fn forward(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let place = unfold(workgroup_id, workgroups);
    if is_behind_grid(place) {
        return;
    }
    let id = vec3<u32>(WORKGROUP * place.x + local_index, place.yz);
    convolve(id, vec4<f32>());
}

override ITERATIONS_FORWARD_BIAS: u32 = KERNEL_H * (1u + COUNT * ROW_ITERATIONS) + STORE_ITERATIONS;

@compute @workgroup_size(WORKGROUP)
fn forward_bias(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let place = unfold(workgroup_id, workgroups);
    if is_behind_grid(place) {
        return;
    }
    let id = vec3<u32>(WORKGROUP * place.x + local_index, place.yz);
    convolve(id, select(bias[id.y], vec4<f32>(), ACCUMULATE));
}

@group(0) @binding(0) var<storage, read> dy: array<f32>;                // like y
@group(0) @binding(1) var<storage, read> weights: array<f32>;           // [KERNEL_H, KERNEL_W, GROUP_IN, 4 * OUT_QUADS]
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;          // like x

// dy at column `ox` of the row that starts at `row`, of each group its channel: 0 outside.
fn load_dy(row: u32, ox: u32, channels: vec4<u32>) -> vec4<f32> {
    let inside = ox < OUT_WIDTH;
    let place = row + select(0u, ox, inside) * OUT_CHANNELS;
    if IN_TOGETHER {
        return vec4<f32>(select(0.0, dy[place + channels.x], inside));
    }
    return select(vec4<f32>(), dy_at(place + channels), inside);
}

fn dy_at(places: vec4<u32>) -> vec4<f32> {
    return vec4<f32>(dy[places.x], dy[places.y], dy[places.z], dy[places.w]);
}

// dy that column `ix` of x meets at the kernel's column `kx`.
fn dy_of_column(row: u32, ix: u32, kx: u32, channels: vec4<u32>) -> vec4<f32> {
    let position = ix + PADDING_W - kx;
    return select(vec4<f32>(), load_dy(row, position / STRIDE_W, channels), position % STRIDE_W == 0u);
}

override ITERATIONS_BACKWARD_INPUT: u32 = KERNEL_H * (1u + COUNT * ROW_ITERATIONS) + STORE_ITERATIONS;

@compute @workgroup_size(WORKGROUP)
fn backward_input(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let place = unfold(workgroup_id, workgroups);
    if is_behind_grid(place) {
        return;
    }
    let id = vec3<u32>(WORKGROUP * place.x + local_index, place.yz);
    let strips = (WIDTH + PIXELS - 1u) / PIXELS;
    let quad = id.y;
    let ix = id.x % strips * PIXELS;
    let iy = id.x / strips % HEIGHT;
    let image = id.x / (strips * HEIGHT);
    if image >= BATCH {
        return;
    }
    let inputs = channels_of(quad, IN_CHANNELS);
    let first = inputs / GROUP_IN * GROUP_OUT;  // channel of y of each group
    let rows = inputs % GROUP_IN * (4u * OUT_QUADS) + first;
    var sums = array<vec4<f32>, PIXELS>();
    for (var ky = 0u; ky < KERNEL_H; ky++) {
        let position = iy + PADDING_H - ky;
        let oy = position / STRIDE_H;
        if position % STRIDE_H != 0u || oy >= OUT_HEIGHT {
            continue;
        }
        for (var co = FIRST; co < FIRST + COUNT; co++) {
            let row = (image * OUT_HEIGHT + oy) * OUT_WIDTH * OUT_CHANNELS;
            let channels = first + co;
            var window = array<vec4<f32>, PIXELS>();
            for (var p = 0u; p < PIXELS; p++) {
                window[p] = dy_of_column(row, ix + p, KERNEL_W - 1u, channels);
            }
            for (var step = 0u; step < KERNEL_W; step++) {
                let kx = KERNEL_W - 1u - step;
                let places = (ky * KERNEL_W + kx) * GROUP_IN * (4u * OUT_QUADS) + rows + co;
                let w = vec4<f32>(weights[places.x], weights[places.y], weights[places.z], weights[places.w]);
                for (var p = 0u; p < PIXELS; p++) {
                    sums[p] += window[p] * w;
                }
                if STRIDE_W == 1u {
                    for (var p = 0u; p < PIXELS - 1u; p++) {
                        window[p] = window[p + 1u];
                    }
                    window[PIXELS - 1u] = load_dy(row, ix + PIXELS + PADDING_W - kx, channels);
                } else {
                    for (var p = 0u; p < PIXELS; p++) {
                        window[p] = dy_of_column(row, ix + p, kx - 1u, channels);
                    }
                }
            }
        }
    }
    for (var p = 0u; p < PIXELS; p++) {
        if ix + p < WIDTH {
            let place = ((image * HEIGHT + iy) * WIDTH + ix + p) * IN_CHANNELS;
            for (var c = 0u; c < 4u; c++) {
                if 4u * quad + c < IN_CHANNELS {
                    let target_place = place + 4u * quad + c;
                    dx[target_place] = select(0.0, dx[target_place], ACCUMULATE) + sums[p][c];
                }
            }
        }
    }
}

@group(0) @binding(1) var<storage, read> input: array<f32>;             // the x of forward
@group(0) @binding(2) var<storage, read_write> partial: array<vec4<f32>>;  // [CHUNKS, rows of weight and bias, OUT_QUADS]

fn input_at(places: vec4<u32>) -> vec4<f32> {
    if OUT_TOGETHER {
        return vec4<f32>(input[places.x]);
    }
    return vec4<f32>(input[places.x], input[places.y], input[places.z], input[places.w]);
}

override LINES = (BATCH * OUT_HEIGHT + CHUNKS - 1u) / CHUNKS;   // of y, in a chunk at most

override ITERATIONS_BACKWARD_WEIGHT: u32 = LINES * (1u + OUT_WIDTH);

// Partial sums of one row (ky, kx, ci) of the weight gradient and 4 output channels over the rows of dy of one chunk. The
// row after the last one stands for the bias.
@compute @workgroup_size(WORKGROUP)
fn backward_weight(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let place = unfold(workgroup_id, workgroups);
    if is_behind_grid(place) {
        return;
    }
    let id = vec3<u32>(WORKGROUP * place.x + local_index, place.yz);
    let row = id.x;
    let quad = id.y;
    let chunk = id.z;
    if row > TAP_ROWS {
        return;
    }
    let is_bias = row == TAP_ROWS;
    let kx = row / GROUP_IN % KERNEL_W;
    let ky = row / (GROUP_IN * KERNEL_W);
    let channels = channels_of(quad, OUT_CHANNELS);
    let inputs = first_inputs(quad) + row % GROUP_IN;
    var sum = vec4<f32>();
    for (var line = chunk; line < BATCH * OUT_HEIGHT; line += CHUNKS) {
        let image = line / OUT_HEIGHT;
        let iy = line % OUT_HEIGHT * STRIDE_H + ky - PADDING_H;
        if iy >= HEIGHT && !is_bias {
            continue;
        }
        let start = (image * HEIGHT + select(iy, 0u, is_bias)) * WIDTH;
        for (var ox = 0u; ox < OUT_WIDTH; ox++) {
            let gradient = dy_at((line * OUT_WIDTH + ox) * OUT_CHANNELS + channels);
            let ix = ox * STRIDE_W + kx - PADDING_W;
            let inside = ix < WIDTH && !is_bias;
            let value = select(vec4<f32>(), input_at((start + select(0u, ix, inside)) * IN_CHANNELS + inputs), inside);
            sum += gradient * select(value, vec4<f32>(1.0), is_bias);
        }
    }
    let used = vec4<u32>(4u * quad) + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(OUT_CHANNELS);
    partial[(chunk * (TAP_ROWS + 1u) + row) * OUT_QUADS + quad] = select(vec4<f32>(), sum, used);
}
