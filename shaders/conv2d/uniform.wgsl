// conv[oy, ox, co] = bias[co] + sum_{ky, kx, ci} x[oy*S + ky - P, ox*S + kx - P, ci] * weight[ky, kx, ci, co]
// y = phi(max over the pooling window of conv)                          forward
// dx[iy, ix, ci] = sum of dy * weight over the conv outputs that won    backward_input
// dweight, dbias: the sum over the conv outputs that won                backward_weight
//
// Convolution, max pooling (windows side by side) and activation in one, for adapters that run shaders on the CPU: there
// a load from a storage buffer costs some 50 multiplications, and one from a uniform buffer none. So a dispatch takes
// only as many images as fit into uniform bindings. Neighbouring invocations are neighbouring images (or, for weights,
// rows of the weight), so that control flow is the same for all of them.
//
// `winner` holds the place of the maximum in its window, or NO_WINNER where the activation is ReLU and cut it: no gradient
// comes through there.

override BATCH: u32;
override HEIGHT: u32;
override WIDTH: u32;
override IN_CHANNELS: u32;
override OUT_HEIGHT: u32;       // of the convolution, before pooling
override OUT_WIDTH: u32;
override OUT_CHANNELS: u32;
override KERNEL_H: u32;
override KERNEL_W: u32;         // at most MAX_KERNEL_W
override STRIDE_H: u32;
override STRIDE_W: u32;
override PADDING_H: u32;
override PADDING_W: u32;
override WINDOW_H: u32;         // pooling window: 1 for none
override WINDOW_W: u32;
override ACTIVATION: u32;
override ACCUMULATE: bool;

override OUT_QUADS = (OUT_CHANNELS + 3u) / 4u;  // weights hold output channels by fours, padded by zeros
override POOLED_HEIGHT = OUT_HEIGHT / WINDOW_H;
override POOLED_WIDTH = OUT_WIDTH / WINDOW_W;
override PADDED = PADDING_H + PADDING_W > 0u;
override STRIP: u32;            // neighbouring columns that an invocation takes: at most PIXELS, a multiple of WINDOW_W
override POOLED = STRIP / WINDOW_W;

const PIXELS: u32 = 8u;
const MAX_KERNEL_W: u32 = 8u;
const NO_WINNER: u32 = 0xffffu;
const LANES: u32 = 8u;

@group(0) @binding(0) var<uniform> x: array<vec4<f32>, 4096>;        // [BATCH, HEIGHT, WIDTH, IN_CHANNELS]
@group(0) @binding(1) var<uniform> weight: array<vec4<f32>, 4096>;   // [KERNEL_H, KERNEL_W, IN_CHANNELS, OUT_QUADS]
@group(0) @binding(2) var<storage, read> bias: array<vec4<f32>>;     // [OUT_QUADS]
@group(0) @binding(3) var<storage, read_write> y: array<f32>;        // [BATCH, POOLED_HEIGHT, POOLED_WIDTH, OUT_CHANNELS]
@group(0) @binding(4) var<storage, read_write> winner: array<u32>;   // like y

fn load_x(index: u32) -> f32 {
    return x[index / 4u][index % 4u];
}

// x at column `ix` of the row that starts at `row` (already at its channel), 0 in the padding. Without padding only
// columns that are not stored lie past the end, and any value will do for them.
fn load_column(row: u32, ix: u32) -> f32 {
    let value = load_x(row + min(ix, WIDTH - 1u) * IN_CHANNELS);
    if PADDED {
        return select(0.0, value, ix < WIDTH);  // a column left of the image wraps to a huge one
    }
    return value;
}

// The strip of conv outputs that starts at (oy, ox), four channels of each.
fn convolve(image: u32, oy: u32, ox: u32, quad: u32) -> array<vec4<f32>, PIXELS> {
    let start = bias[quad];
    var sums = array<vec4<f32>, PIXELS>(start, start, start, start, start, start, start, start);
    let top = oy * STRIDE_H;
    let first_ky = PADDING_H - min(top, PADDING_H);
    let end_ky = min(KERNEL_H, max(HEIGHT + PADDING_H, top) - top);
    for (var ky = first_ky; ky < end_ky; ky++) {
        for (var ci = 0u; ci < IN_CHANNELS; ci++) {
            let row = (image * HEIGHT + top + ky - PADDING_H) * WIDTH * IN_CHANNELS + ci;
            var window = array<f32, PIXELS>();
            for (var p = 0u; p < STRIP; p++) {
                window[p] = load_column(row, (ox + p) * STRIDE_W - PADDING_W);
            }
            for (var kx = 0u; kx < KERNEL_W; kx++) {
                let w = weight[((ky * KERNEL_W + kx) * IN_CHANNELS + ci) * OUT_QUADS + quad];
                for (var p = 0u; p < STRIP; p++) {
                    sums[p] += window[p] * w;
                }
                if STRIDE_W == 1u {
                    for (var p = 0u; p < STRIP - 1u; p++) {
                        window[p] = window[p + 1u];
                    }
                    window[STRIP - 1u] = load_column(row, ox + STRIP + kx - PADDING_W);
                } else {
                    for (var p = 0u; p < STRIP; p++) {
                        window[p] = load_column(row, (ox + p) * STRIDE_W + kx + 1u - PADDING_W);
                    }
                }
            }
        }
    }
    return sums;
}

// Workgroup x: eight images, a pooled row and a strip of it. Workgroup y: four channels.
@compute @workgroup_size(LANES)
fn forward(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let strips = (POOLED_WIDTH + POOLED - 1u) / POOLED;
    let px = id.x % strips * POOLED;
    let py = id.x / strips % POOLED_HEIGHT;
    let image = id.x / (strips * POOLED_HEIGHT) * LANES + lane;

    var best = array<vec4<f32>, PIXELS>();
    var place = array<vec4<u32>, PIXELS>();
    for (var wy = 0u; wy < WINDOW_H; wy++) {
        let sums = convolve(min(image, BATCH - 1u), py * WINDOW_H + wy, px * WINDOW_W, id.y);
        for (var p = 0u; p < STRIP; p++) {
            let wx = p % WINDOW_W;
            let wins = (sums[p] > best[p / WINDOW_W]) | vec4<bool>(wy + wx == 0u);
            best[p / WINDOW_W] = select(best[p / WINDOW_W], sums[p], wins);
            place[p / WINDOW_W] = select(place[p / WINDOW_W], vec4<u32>(wy * WINDOW_W + wx), wins);
        }
    }
    if image >= BATCH {
        return;
    }
    for (var p = 0u; p < POOLED; p++) {
        for (var c = 0u; c < 4u; c++) {
            if px + p < POOLED_WIDTH && 4u * id.y + c < OUT_CHANNELS {
                let index = ((image * POOLED_HEIGHT + py) * POOLED_WIDTH + px + p) * OUT_CHANNELS + 4u * id.y + c;
                let value = best[p][c];
                y[index] = activate(ACTIVATION, value);
                winner[index] = select(place[p][c], NO_WINNER, ACTIVATION == RELU && value <= 0.0);
            }
        }
    }
}

@group(0) @binding(0) var<uniform> dy: array<vec4<f32>, 4096>;       // like y
@group(0) @binding(2) var<uniform> winners: array<vec4<u32>, 4096>;  // the winner of forward
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;       // like x

// The gradient of conv output (oy, ox) at the channel where `row` of the pooled output starts: dy where it won.
fn load_dy(row: u32, oy: u32, ox: u32) -> f32 {
    let inside = ox < POOLED_WIDTH * WINDOW_W;
    let index = row + select(0u, ox / WINDOW_W, inside) * OUT_CHANNELS;
    let won = winners[index / 4u][index % 4u] == oy % WINDOW_H * WINDOW_W + ox % WINDOW_W;
    return select(0.0, dy[index / 4u][index % 4u], inside && won);
}

// The gradient of the conv output that column `ix` of x meets at the kernel's column `kx`.
fn dy_of_column(row: u32, oy: u32, ix: u32, kx: u32) -> f32 {
    let position = ix + PADDING_W - kx;
    return select(0.0, load_dy(row, oy, position / STRIDE_W), position % STRIDE_W == 0u);
}

fn load_weight(index: u32) -> f32 {
    return weight[index / 4u][index % 4u];
}

// Workgroup x: eight images, a row of x and a strip of it. Workgroup y: four channels of x.
@compute @workgroup_size(LANES)
fn backward_input(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let strips = (WIDTH + STRIP - 1u) / STRIP;
    let ix = id.x % strips * STRIP;
    let iy = id.x / strips % HEIGHT;
    let image = id.x / (strips * HEIGHT) * LANES + lane;
    let channels = min(vec4<u32>(4u * id.y) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(IN_CHANNELS - 1u)) * (4u * OUT_QUADS);

    // The kernel's rows that meet a conv output which was pooled: 0 <= (iy + P - ky) / S < POOLED_HEIGHT * WINDOW_H.
    let below = iy + PADDING_H;
    let end_oy = POOLED_HEIGHT * WINDOW_H;
    let first_ky = max(below + 1u, end_oy * STRIDE_H) - end_oy * STRIDE_H;
    var sums = array<vec4<f32>, PIXELS>();
    for (var ky = first_ky; ky < min(KERNEL_H, below + 1u); ky++) {
        let oy = (below - ky) / STRIDE_H;
        if (below - ky) % STRIDE_H != 0u || oy >= end_oy {
            continue;
        }
        for (var co = 0u; co < OUT_CHANNELS; co++) {
            let pooled_row = min(image, BATCH - 1u) * POOLED_HEIGHT + oy / WINDOW_H;
            let row = pooled_row * POOLED_WIDTH * OUT_CHANNELS + co;
            var window = array<f32, PIXELS>();
            for (var p = 0u; p < STRIP; p++) {
                window[p] = dy_of_column(row, oy, ix + p, KERNEL_W - 1u);
            }
            for (var tap = 0u; tap < KERNEL_W; tap++) {
                let kx = KERNEL_W - 1u - tap;
                let place = (ky * KERNEL_W + kx) * IN_CHANNELS * (4u * OUT_QUADS) + co;
                let w = vec4<f32>(
                    load_weight(place + channels.x),
                    load_weight(place + channels.y),
                    load_weight(place + channels.z),
                    load_weight(place + channels.w),
                );
                for (var p = 0u; p < STRIP; p++) {
                    sums[p] += window[p] * w;
                }
                if STRIDE_W == 1u {
                    for (var p = 0u; p < STRIP - 1u; p++) {
                        window[p] = window[p + 1u];
                    }
                    window[STRIP - 1u] = load_dy(row, oy, ix + STRIP + PADDING_W - kx);
                } else {
                    for (var p = 0u; p < STRIP; p++) {
                        window[p] = dy_of_column(row, oy, ix + p, kx - 1u);
                    }
                }
            }
        }
    }
    if image >= BATCH {
        return;
    }
    for (var p = 0u; p < STRIP; p++) {
        for (var c = 0u; c < 4u; c++) {
            if ix + p < WIDTH && 4u * id.y + c < IN_CHANNELS {
                let index = ((image * HEIGHT + iy) * WIDTH + ix + p) * IN_CHANNELS + 4u * id.y + c;
                dx[index] = select(0.0, dx[index], ACCUMULATE) + sums[p][c];
            }
        }
    }
}

@group(0) @binding(1) var<uniform> input: array<vec4<f32>, 4096>;       // the x of forward
@group(0) @binding(3) var<storage, read_write> dweight: array<vec4<f32>>;  // like weight
@group(0) @binding(4) var<storage, read_write> dbias: array<vec4<f32>>;    // like bias

// The x that column `ix` of row `iy` of `image` has at channel `ci`, 0 in the padding.
fn load_input(image: u32, iy: u32, ix: u32, ci: u32) -> f32 {
    let row = (image * HEIGHT + min(iy, HEIGHT - 1u)) * WIDTH;
    let index = (row + min(ix, WIDTH - 1u)) * IN_CHANNELS + ci;
    let value = input[index / 4u][index % 4u];
    if PADDED {
        return select(0.0, value, iy < HEIGHT && ix < WIDTH);
    }
    return value;
}

// Invocation: a row (ky, ci) of the weight with all its columns kx, and after the last row the bias. Workgroup y: four
// output channels. Of each pooling window only the winner counts.
@compute @workgroup_size(LANES)
fn backward_weight(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row = id.x * LANES + lane;
    let is_bias = row == KERNEL_H * IN_CHANNELS;
    let ky = min(row, KERNEL_H * IN_CHANNELS - 1u) / IN_CHANNELS;
    let ci = row % IN_CHANNELS;
    let channels = min(vec4<u32>(4u * id.y) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(OUT_CHANNELS - 1u));
    var sums = array<vec4<f32>, MAX_KERNEL_W>();
    var bias_sum = vec4<f32>();
    for (var line = 0u; line < BATCH * POOLED_HEIGHT; line++) {
        let image = line / POOLED_HEIGHT;
        let py = line % POOLED_HEIGHT;
        for (var px = 0u; px < POOLED_WIDTH; px++) {
            for (var c = 0u; c < 4u; c++) {
                let index = (line * POOLED_WIDTH + px) * OUT_CHANNELS + channels[c];
                let place = winners[index / 4u][index % 4u];
                let gradient = select(0.0, dy[index / 4u][index % 4u], place != NO_WINNER);
                let oy = py * WINDOW_H + place / WINDOW_W;
                let ox = px * WINDOW_W + place % WINDOW_W;
                let iy = oy * STRIDE_H + ky - PADDING_H;
                for (var kx = 0u; kx < KERNEL_W; kx++) {
                    let value = load_input(image, iy, ox * STRIDE_W + kx - PADDING_W, ci);
                    sums[kx][c] += value * gradient;
                }
                bias_sum[c] += gradient;
            }
        }
    }
    let used = vec4<u32>(4u * id.y) + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(OUT_CHANNELS);
    if is_bias {
        dbias[id.y] = select(vec4<f32>(), dbias[id.y], ACCUMULATE) + select(vec4<f32>(), bias_sum, used);
    }
    if row >= KERNEL_H * IN_CHANNELS {
        return;
    }
    for (var kx = 0u; kx < KERNEL_W; kx++) {
        let index = ((ky * KERNEL_W + kx) * IN_CHANNELS + ci) * OUT_QUADS + id.y;
        dweight[index] = select(vec4<f32>(), dweight[index], ACCUMULATE) + select(vec4<f32>(), sums[kx], used);
    }
}
