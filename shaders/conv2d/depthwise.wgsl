// Library: conv2d, index
// y[n, oy, ox, c] = bias[c] + sum_{ky, kx} x[n, oy*S + ky - P, ox*S + kx - P, c] * weight[ky, kx, c]
//                                                                     forward (without bias), forward_bias
// dx = the transposed sum over dy                                     backward_input
// dweight[ky, kx, c] = sum_{n, oy, ox} x[..] * dy[n, oy, ox, c],   dbias[c] = sum dy
//                                                                     backward_weight, in CHUNKS partial sums
//
// Convolution of each channel on its own. An invocation keeps 4 neighbouring pixels of a row and 4 channels in registers; where
// the stride is 1 its window slides along the kernel's row. Neighbours have neighbouring channels.

const PIXELS: u32 = 4u;
const WORKGROUP: u32 = 64u;

override QUADS = (IN_CHANNELS + 3u) / 4u;   // channels come in fours

alias Window = array<vec4<f32>, PIXELS>;

// What an invocation takes: four channels, and in an image a row and its first pixel there.
struct Place {
    quad: u32,
    column: u32,
    line: u32,
    image: u32,
}

// Number `index` of all places in images of `height` by `width`.
fn place_of(index: u32, height: u32, width: u32) -> Place {
    let strips = (width + PIXELS - 1u) / PIXELS;
    let strip = index / QUADS;
    return Place(index % QUADS, strip % strips * PIXELS, strip / strips % height, strip / (strips * height));
}

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;           // [BATCH, HEIGHT, WIDTH, QUADS]
@group(0) @binding(1) var<storage, read> weight: array<vec4<f32>>;      // [KERNEL_H, KERNEL_W, QUADS]
@group(0) @binding(2) var<storage, read> bias: array<vec4<f32>>;        // [QUADS]
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;     // [BATCH, OUT_HEIGHT, OUT_WIDTH, QUADS]

// x at column `ix` of the row that starts at `row`, already at its channels: 0 in the padding.
fn load_x(row: u32, ix: u32) -> vec4<f32> {
    let inside = ix < WIDTH;  // a column left of the image wraps to a huge one
    return select(vec4<f32>(), x[row + select(0u, ix, inside) * QUADS], inside);
}

fn convolve(place: Place, start: vec4<f32>) {
    if place.image >= BATCH {
        return;
    }
    var sums = Window(start, start, start, start);
    for (var ky = 0u; ky < KERNEL_H; ky++) {
        let iy = place.line * STRIDE_H + ky - PADDING_H;
        if iy >= HEIGHT {
            continue;
        }
        let row = (place.image * HEIGHT + iy) * WIDTH * QUADS + place.quad;
        var window = Window();
        for (var p = 0u; p < PIXELS; p++) {
            window[p] = load_x(row, (place.column + p) * STRIDE_W - PADDING_W);
        }
        for (var kx = 0u; kx < KERNEL_W; kx++) {
            let w = weight[(ky * KERNEL_W + kx) * QUADS + place.quad];
            for (var p = 0u; p < PIXELS; p++) {
                sums[p] += window[p] * w;
            }
            if STRIDE_W == 1u {
                for (var p = 0u; p < PIXELS - 1u; p++) {
                    window[p] = window[p + 1u];
                }
                window[PIXELS - 1u] = load_x(row, place.column + PIXELS + kx - PADDING_W);
            } else {
                for (var p = 0u; p < PIXELS; p++) {
                    window[p] = load_x(row, (place.column + p) * STRIDE_W + kx + 1u - PADDING_W);
                }
            }
        }
    }
    let row = (place.image * OUT_HEIGHT + place.line) * OUT_WIDTH;
    for (var p = 0u; p < PIXELS; p++) {
        if place.column + p < OUT_WIDTH {
            y[(row + place.column + p) * QUADS + place.quad] = sums[p];
        }
    }
}

// Of a row of the kernel: loading its window, and multiplying and moving it. Then of what is stored.
override WALK_ITERATIONS = KERNEL_H * (1u + PIXELS + KERNEL_W * (1u + 2u * PIXELS)) + PIXELS;

override ITERATIONS_FORWARD: u32 = WALK_ITERATIONS;

@compute @workgroup_size(WORKGROUP)
fn forward(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let index = flat_index(workgroup_id, workgroups, local_index, WORKGROUP);
    convolve(place_of(index, OUT_HEIGHT, OUT_WIDTH), vec4<f32>());
}

override ITERATIONS_FORWARD_BIAS: u32 = WALK_ITERATIONS;

@compute @workgroup_size(WORKGROUP)
fn forward_bias(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let place = place_of(flat_index(workgroup_id, workgroups, local_index, WORKGROUP), OUT_HEIGHT, OUT_WIDTH);
    convolve(place, bias[place.quad]);
}

@group(0) @binding(0) var<storage, read> dy: array<vec4<f32>>;          // like y
@group(0) @binding(2) var<storage, read_write> dx: array<vec4<f32>>;    // like x

// dy that column `ix` of x meets at the kernel's column `kx`, in the row that starts at `row`: 0 where it meets none.
fn dy_of_column(row: u32, ix: u32, kx: u32) -> vec4<f32> {
    let position = ix + PADDING_W - kx;  // left of the image it wraps to a huge one
    let ox = position / STRIDE_W;
    let meets = ox < OUT_WIDTH && position % STRIDE_W == 0u;
    return select(vec4<f32>(), dy[row + select(0u, ox, meets) * QUADS], meets);
}

override ITERATIONS_BACKWARD_INPUT: u32 = KERNEL_H * (1u + KERNEL_W * (1u + PIXELS)) + PIXELS;

@compute @workgroup_size(WORKGROUP)
fn backward_input(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let place = place_of(flat_index(workgroup_id, workgroups, local_index, WORKGROUP), HEIGHT, WIDTH);
    if place.image >= BATCH {
        return;
    }
    var sums = Window();
    for (var ky = 0u; ky < KERNEL_H; ky++) {
        let position = place.line + PADDING_H - ky;
        let oy = position / STRIDE_H;
        if position % STRIDE_H != 0u || oy >= OUT_HEIGHT {
            continue;
        }
        let row = (place.image * OUT_HEIGHT + oy) * OUT_WIDTH * QUADS + place.quad;
        for (var kx = 0u; kx < KERNEL_W; kx++) {
            let w = weight[(ky * KERNEL_W + kx) * QUADS + place.quad];
            for (var p = 0u; p < PIXELS; p++) {
                sums[p] += dy_of_column(row, place.column + p, kx) * w;
            }
        }
    }
    let row = (place.image * HEIGHT + place.line) * WIDTH;
    for (var p = 0u; p < PIXELS; p++) {
        if place.column + p < WIDTH {
            let index = (row + place.column + p) * QUADS + place.quad;
            dx[index] = select(vec4<f32>(), dx[index], ACCUMULATE) + sums[p];
        }
    }
}

@group(0) @binding(1) var<storage, read> input: array<vec4<f32>>;           // the x of forward
@group(0) @binding(2) var<storage, read_write> partial: array<vec4<f32>>;   // [CHUNKS, TAP_ROWS + 1, QUADS]

override LINES = (BATCH * OUT_HEIGHT + CHUNKS - 1u) / CHUNKS;   // of y, in a chunk at most

override ITERATIONS_BACKWARD_WEIGHT: u32 = LINES * (1u + OUT_WIDTH);

// Partial sums of one tap, or after the last one of the bias, over the rows of dy of one chunk, of four channels.
@compute @workgroup_size(WORKGROUP)
fn backward_weight(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let index = flat_index(workgroup_id, workgroups, local_index, WORKGROUP);
    let quad = index % QUADS;
    let tap = index / QUADS % (TAP_ROWS + 1u);
    let chunk = index / (QUADS * (TAP_ROWS + 1u));
    if chunk >= CHUNKS {
        return;
    }
    let is_bias = tap == TAP_ROWS;
    var sum = vec4<f32>();
    for (var line = chunk; line < BATCH * OUT_HEIGHT; line += CHUNKS) {
        let iy = line % OUT_HEIGHT * STRIDE_H + tap / KERNEL_W - PADDING_H;
        if iy >= HEIGHT && !is_bias {
            continue;
        }
        let row = (line / OUT_HEIGHT * HEIGHT + select(iy, 0u, is_bias)) * WIDTH;
        for (var ox = 0u; ox < OUT_WIDTH; ox++) {
            let ix = ox * STRIDE_W + tap % KERNEL_W - PADDING_W;
            let inside = ix < WIDTH && !is_bias;
            let value = select(vec4<f32>(), input[(row + select(0u, ix, inside)) * QUADS + quad], inside);
            sum += select(value, vec4<f32>(1.0), is_bias) * dy[(line * OUT_WIDTH + ox) * QUADS + quad];
        }
    }
    partial[index] = sum;
}
