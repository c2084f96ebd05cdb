// Library: activation, nan, index
// conv[oy, ox, co] = bias[co] + sum_{ky, kx, ci} x[oy + ky - P, ox + kx - P, ci] * weight[ky, kx, ci, co]
// y = phi(max over the pooling window of conv)                          forward
// dx[iy, ix, ci] = sum of dy * weight over the conv outputs that won    backward_input
// dweight, dbias: the sum over the conv outputs that won                backward_weight
//
// Convolution with stride 1, max pooling (windows side by side) and activation in one, for adapters that run shaders on
// the CPU: there a load from a storage buffer costs as much as some 150 products, and one from a uniform buffer 10. So a
// dispatch takes only as many images as fit into uniform bindings. Neighbouring invocations are neighbouring images, so
// that control flow is the same for all of them; what all of them need, as the weights, they load together, each one
// value, and pass round by broadcasts.
//
// `winner` holds the place of the maximum in its window, or NO_WINNER where the activation is ReLU or ReLU6 and cut it: no
// gradient comes through there. A word holds the places of the windows of one strip of forward, the first in the lowest bits.

override BATCH: u32;
override HEIGHT: u32;
override WIDTH: u32;
override IN_CHANNELS: u32;
override OUT_HEIGHT: u32;       // of the convolution, before pooling
override OUT_WIDTH: u32;
override OUT_CHANNELS: u32;
override KERNEL_H: u32;
override KERNEL_W: u32;         // at most MAX_KERNEL_W
override PADDING_H: u32;
override PADDING_W: u32;
override WINDOW_H: u32;         // pooling window: 1 for none; at most NO_WINNER places
override WINDOW_W: u32;
override ACTIVATION: u32;
override ACCUMULATE: bool;

override OUT_PADDED = (OUT_CHANNELS + 3u) / 4u * 4u;  // weights hold output channels by fours, padded by zeros
override CUTS = ACTIVATION == RELU || ACTIVATION == RELU6;
override POOLED_HEIGHT = OUT_HEIGHT / WINDOW_H;
override POOLED_WIDTH = OUT_WIDTH / WINDOW_W;
override PADDED = OUT_HEIGHT + KERNEL_H > HEIGHT + 1u || OUT_WIDTH + KERNEL_W > WIDTH + 1u;
override STRIP: u32;            // neighbouring columns that an invocation takes: at most PIXELS, a multiple of WINDOW_W
override SLICE: u32;            // neighbouring channels that it takes: at most CHANNELS
override POOLED: u32;           // pooled columns of a strip of forward
override WORDS = (POOLED_WIDTH + POOLED - 1u) / POOLED;  // strips of forward in a pooled row

const PIXELS: u32 = 8u;
const CHANNELS: u32 = 5u;
const MAX_KERNEL_W: u32 = 8u;
const PLACE_BITS: u32 = 4u;
const NO_WINNER: u32 = 15u;
const LANES: u32 = 8u;

@group(0) @binding(0) var<uniform> x: array<vec4<f32>, 4096>;        // [BATCH, HEIGHT, WIDTH, IN_CHANNELS]
@group(0) @binding(1) var<uniform> weight: array<vec4<f32>, 4096>;   // [KERNEL_H, KERNEL_W, IN_CHANNELS, OUT_PADDED]
@group(0) @binding(2) var<storage, read> bias: array<f32>;           // [OUT_PADDED]
@group(0) @binding(3) var<storage, read_write> y: array<f32>;        // [BATCH, POOLED_HEIGHT, POOLED_WIDTH, OUT_CHANNELS]
@group(0) @binding(4) var<storage, read_write> winner: array<u32>;   // [BATCH, POOLED_HEIGHT, WORDS, OUT_CHANNELS]

alias Channels = array<f32, CHANNELS>;
alias Strip = array<Channels, PIXELS>;
alias Columns = array<f32, PIXELS + MAX_KERNEL_W>;

// The values of the first invocations, one for each channel of a slice.
fn shared_channels(own: f32) -> Channels {
    return Channels(
        subgroupBroadcast(own, 0u),
        subgroupBroadcast(own, 1u),
        subgroupBroadcast(own, 2u),
        subgroupBroadcast(own, 3u),
        subgroupBroadcast(own, 4u),
    );
}

fn load_weight(ky: u32, kx: u32, ci: u32, co: u32) -> f32 {
    let index = ((ky * KERNEL_W + kx) * IN_CHANNELS + ci) * OUT_PADDED + co;
    return weight[index / 4u][index % 4u];
}

// x at column `ix` of the row that starts at `row` (already at its channel), 0 in the padding. Without padding only
// columns that are not stored lie past the end, and any value will do for them.
fn load_column(row: u32, ix: u32) -> f32 {
    let index = row + min(ix, WIDTH - 1u) * IN_CHANNELS;
    let value = x[index / 4u][index % 4u];
    if PADDED {
        return select(0.0, value, ix < WIDTH);  // a column left of the image wraps to a huge one
    }
    return value;
}

override PRODUCT_ITERATIONS = STRIP * (1u + SLICE);

// sums[p, c] += window[p] * w[c]
fn add_products(sums: ptr<function, Strip>, window: ptr<function, Columns>, w: Channels) {
    for (var p = 0u; p < STRIP; p++) {
        for (var c = 0u; c < SLICE; c++) {
            (*sums)[p][c] += (*window)[p] * w[c];
        }
    }
}

// The strip of conv outputs that starts at (oy, ox), of each the channels from `first`.
fn convolve(image: u32, oy: u32, ox: u32, first: u32, lane: u32, start: Channels) -> Strip {
    var sums = Strip(start, start, start, start, start, start, start, start);
    let channel = min(first + lane, OUT_CHANNELS - 1u);
    let first_ky = PADDING_H - min(oy, PADDING_H);
    let end_ky = min(KERNEL_H, max(HEIGHT + PADDING_H, oy) - oy);
    for (var ky = first_ky; ky < end_ky; ky++) {
        for (var ci = 0u; ci < IN_CHANNELS; ci++) {
            let row = (image * HEIGHT + oy + ky - PADDING_H) * WIDTH * IN_CHANNELS + ci;
            var window = Columns();
            for (var p = 0u; p < STRIP; p++) {
                window[p] = load_column(row, ox + p - PADDING_W);
            }
            for (var kx = 0u; kx < KERNEL_W; kx++) {
                add_products(&sums, &window, shared_channels(load_weight(ky, kx, ci, channel)));
                for (var p = 0u; p < STRIP - 1u; p++) {
                    window[p] = window[p + 1u];
                }
                window[STRIP - 1u] = load_column(row, ox + STRIP + kx - PADDING_W);
            }
        }
    }
    return sums;
}

// Of a row of the kernel for one channel.
override ROW_ITERATIONS = 1u + STRIP + KERNEL_W * (STRIP + PRODUCT_ITERATIONS);
override PLACES_ITERATIONS = 1u + STRIP * (1u + SLICE);    // of the maximum over a row of the windows

override ITERATIONS_FORWARD: u32 = WINDOW_H * (PLACES_ITERATIONS + KERNEL_H * (1u + IN_CHANNELS * ROW_ITERATIONS))
    + SLICE * (1u + POOLED);

// Workgroup x: eight images, a pooled row and a strip of it. Workgroup y: a slice of the channels.
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
    let word = id.x % WORDS;
    let px = word * POOLED;
    let py = id.x / WORDS % POOLED_HEIGHT;
    let image = id.x / (WORDS * POOLED_HEIGHT) * LANES + lane;
    let first = id.y * SLICE;

    let start = shared_channels(bias[min(first + lane, OUT_CHANNELS - 1u)]);
    var best = Strip();
    var places = array<array<u32, CHANNELS>, PIXELS>();
    for (var wy = 0u; wy < WINDOW_H; wy++) {
        let sums = convolve(min(image, BATCH - 1u), py * WINDOW_H + wy, px * WINDOW_W, first, lane, start);
        for (var p = 0u; p < STRIP; p++) {
            for (var c = 0u; c < SLICE; c++) {
                let wins = wy + p % WINDOW_W == 0u || exceeds(sums[p][c], best[p / WINDOW_W][c]);
                best[p / WINDOW_W][c] = select(best[p / WINDOW_W][c], sums[p][c], wins);
                places[p / WINDOW_W][c] = select(places[p / WINDOW_W][c], wy * WINDOW_W + p % WINDOW_W, wins);
            }
        }
    }
    if image >= BATCH {
        return;
    }
    let row = image * POOLED_HEIGHT + py;
    for (var c = 0u; c < SLICE; c++) {
        if first + c < OUT_CHANNELS {
            var packed = 0u;
            for (var p = 0u; p < POOLED; p++) {
                let output = activate(ACTIVATION, best[p][c]);
                let is_cut = CUTS && activation_slope(ACTIVATION, output) == 0.0;
                packed |= select(places[p][c], NO_WINNER, is_cut) << (PLACE_BITS * p);
                if px + p < POOLED_WIDTH {
                    y[(row * POOLED_WIDTH + px + p) * OUT_CHANNELS + first + c] = output;
                }
            }
            winner[(row * WORDS + word) * OUT_CHANNELS + first + c] = packed;
        }
    }
}

@group(0) @binding(0) var<uniform> dy: array<vec4<f32>, 4096>;       // like y
@group(0) @binding(2) var<uniform> winners: array<vec4<u32>, 4096>;  // the winner of forward
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;       // like x

// dy of pooled column `px` of the pooled row `row` of the batch.
fn load_dy(row: u32, px: u32, co: u32) -> f32 {
    let index = (row * POOLED_WIDTH + px) * OUT_CHANNELS + co;
    return dy[index / 4u][index % 4u];
}

// The places of the winners of strip `word` of forward in the pooled row `row` of the batch.
fn load_winners(row: u32, word: u32, co: u32) -> u32 {
    let index = (row * WORDS + word) * OUT_CHANNELS + co;
    return winners[index / 4u][index % 4u];
}

fn place_of(packed: u32, column: u32) -> u32 {
    return (packed >> (PLACE_BITS * column)) & NO_WINNER;
}

// From the first conv column that a strip of x meets to the window it lies in: strips start with a window.
override SHIFT = (PADDING_W + WINDOW_W * KERNEL_W + 1u - KERNEL_W) % WINDOW_W;

// The gradients of the conv outputs of row `oy` that a strip from column `ix` of x meets, the leftmost first.
fn gradients_of_columns(image: u32, oy: u32, ix: u32, co: u32) -> Columns {
    let row = image * POOLED_HEIGHT + oy / WINDOW_H;
    let left = (ix + PADDING_W + WINDOW_W * KERNEL_W + 1u - KERNEL_W) / WINDOW_W - KERNEL_W;
    let columns = STRIP + KERNEL_W - 1u;
    var gradients = Columns();
    var gradient = 0.0;
    var place = 0u;
    for (var t = 0u; t < columns; t++) {
        if t == 0u || (SHIFT + t) % WINDOW_W == 0u {
            let px = left + (SHIFT + t) / WINDOW_W;
            let column = min(px, POOLED_WIDTH - 1u);
            gradient = select(0.0, load_dy(row, column, co), px < POOLED_WIDTH);
            place = place_of(load_winners(row, column / POOLED, co), column % POOLED);
        }
        gradients[t] = select(0.0, gradient, place == oy % WINDOW_H * WINDOW_W + (SHIFT + t) % WINDOW_W);
    }
    return gradients;
}

// Of a row of the kernel for one channel of y.
override GRADIENT_ITERATIONS = STRIP + KERNEL_W + KERNEL_W * (STRIP + KERNEL_W + PRODUCT_ITERATIONS);

override ITERATIONS_BACKWARD_INPUT: u32 = KERNEL_H * (1u + OUT_CHANNELS * GRADIENT_ITERATIONS) + STRIP * (1u + SLICE);

// Workgroup x: eight images, a row of x and a strip of it. Workgroup y: a slice of the channels of x.
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
    let strips = (WIDTH + STRIP - 1u) / STRIP;
    let ix = id.x % strips * STRIP;
    let iy = id.x / strips % HEIGHT;
    let image = id.x / (strips * HEIGHT) * LANES + lane;
    let first = id.y * SLICE;
    let channel = min(first + lane, IN_CHANNELS - 1u);

    // The kernel's rows that meet a conv output which was pooled: 0 <= iy + P - ky < POOLED_HEIGHT * WINDOW_H.
    let below = iy + PADDING_H;
    let end_oy = POOLED_HEIGHT * WINDOW_H;
    let first_ky = max(below + 1u, end_oy) - end_oy;
    var sums = Strip();
    for (var ky = first_ky; ky < min(KERNEL_H, below + 1u); ky++) {
        for (var co = 0u; co < OUT_CHANNELS; co++) {
            var window = gradients_of_columns(min(image, BATCH - 1u), below - ky, ix, co);
            for (var tap = 0u; tap < KERNEL_W; tap++) {
                let own = load_weight(ky, KERNEL_W - 1u - tap, channel, co);
                add_products(&sums, &window, shared_channels(own));
                for (var t = 0u; t < STRIP + KERNEL_W - 2u; t++) {
                    window[t] = window[t + 1u];
                }
            }
        }
    }
    if image >= BATCH {
        return;
    }
    for (var p = 0u; p < STRIP; p++) {
        for (var c = 0u; c < SLICE; c++) {
            if ix + p < WIDTH && first + c < IN_CHANNELS {
                let index = ((image * HEIGHT + iy) * WIDTH + ix + p) * IN_CHANNELS + first + c;
                dx[index] = select(0.0, dx[index], ACCUMULATE) + sums[p][c];
            }
        }
    }
}

@group(0) @binding(1) var<uniform> input: array<vec4<f32>, 4096>;    // the x of forward
@group(0) @binding(3) var<storage, read_write> dweight: array<f32>;  // like weight
@group(0) @binding(4) var<storage, read_write> dbias: array<f32>;    // like bias

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

// What eight invocations hold, added up: the same for all of them.
fn sum_of_lanes(own: f32) -> f32 {
    let low = (subgroupBroadcast(own, 0u) + subgroupBroadcast(own, 1u))
        + (subgroupBroadcast(own, 2u) + subgroupBroadcast(own, 3u));
    let high = (subgroupBroadcast(own, 4u) + subgroupBroadcast(own, 5u))
        + (subgroupBroadcast(own, 6u) + subgroupBroadcast(own, 7u));
    return low + high;
}

// The sum over the lanes of the channel that has the number of the invocation, 0 where there is none.
fn own_sum(sums: Channels, first: u32, lane: u32) -> f32 {
    var own = 0.0;
    for (var c = 0u; c < SLICE; c++) {
        let sum = sum_of_lanes(sums[c]);
        own = select(own, sum, lane == c && first + c < OUT_CHANNELS);
    }
    return own;
}

override IMAGES_OF_LANE = (BATCH + LANES - 1u) / LANES;
override STRIP_ITERATIONS = 1u + SLICE * (1u + POOLED)          // of a strip of forward
    + WINDOW_H * (1u + KERNEL_W + STRIP * (KERNEL_W + SLICE * (1u + KERNEL_W)));

override ITERATIONS_BACKWARD_WEIGHT: u32 = IMAGES_OF_LANE * (1u + POOLED_HEIGHT * WORDS * STRIP_ITERATIONS)
    + SLICE + KERNEL_W * (1u + SLICE);

// Workgroup x: a row (ky, ci) of the weight with all its columns kx. Workgroup y: a slice of the output channels, the last
// one with the padding. Of each pooling window only the winner counts.
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
    let ky = id.x / IN_CHANNELS;
    let ci = id.x % IN_CHANNELS;
    let first = id.y * SLICE;
    var sums: array<Channels, MAX_KERNEL_W>;
    var bias_sums = Channels();
    for (var image = lane; image < lane + BATCH; image += LANES) {
        let stored = min(image, BATCH - 1u);
        for (var strip = 0u; strip < POOLED_HEIGHT * WORDS; strip++) {
            let py = strip / WORDS;
            let word = strip % WORDS;
            let row = stored * POOLED_HEIGHT + py;
            var packed = array<u32, CHANNELS>();
            var gradients = Strip();
            for (var c = 0u; c < SLICE; c++) {
                let co = min(first + c, OUT_CHANNELS - 1u);
                packed[c] = load_winners(row, word, co);
                for (var p = 0u; p < POOLED; p++) {
                    let px = word * POOLED + p;
                    let gradient = load_dy(row, min(px, POOLED_WIDTH - 1u), co);
                    let counts = image < BATCH && px < POOLED_WIDTH && place_of(packed[c], p) != NO_WINNER;
                    gradients[p][c] = select(0.0, gradient, counts);
                    bias_sums[c] += gradients[p][c];
                }
            }
            for (var wy = 0u; wy < WINDOW_H; wy++) {
                let iy = py * WINDOW_H + wy + ky - PADDING_H;
                let ix = word * STRIP - PADDING_W;
                var window = array<f32, MAX_KERNEL_W>();
                for (var kx = 0u; kx < KERNEL_W; kx++) {
                    window[kx] = load_input(stored, iy, ix + kx, ci);
                }
                for (var p = 0u; p < STRIP; p++) {
                    for (var c = 0u; c < SLICE; c++) {
                        let won = place_of(packed[c], p / WINDOW_W) == wy * WINDOW_W + p % WINDOW_W;
                        let gradient = select(0.0, gradients[p / WINDOW_W][c], won);
                        for (var kx = 0u; kx < KERNEL_W; kx++) {
                            sums[kx][c] += window[kx] * gradient;
                        }
                    }
                    for (var kx = 0u; kx < KERNEL_W - 1u; kx++) {
                        window[kx] = window[kx + 1u];
                    }
                    window[KERNEL_W - 1u] = load_input(stored, iy, ix + p + KERNEL_W, ci);
                }
            }
        }
    }
    let is_last = first + SLICE >= OUT_CHANNELS;
    let writes = first + lane < OUT_PADDED && (is_last || lane < SLICE);
    let bias_sum = own_sum(bias_sums, first, lane);
    if id.x == 0u && writes {
        dbias[first + lane] = select(0.0, dbias[first + lane], ACCUMULATE) + bias_sum;
    }
    for (var kx = 0u; kx < KERNEL_W; kx++) {
        let sum = own_sum(sums[kx], first, lane);
        let index = ((ky * KERNEL_W + kx) * IN_CHANNELS + ci) * OUT_PADDED + first + lane;
        if writes {
            dweight[index] = select(0.0, dweight[index], ACCUMULATE) + sum;
        }
    }
}
