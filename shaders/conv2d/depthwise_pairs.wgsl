// Library: conv2d, pairs, index
// y[n, oy, ox, c] = bias[c] + sum_{ky, kx} x[n, oy*S + ky - P, ox*S + kx - P, c] * weight[ky, kx, c]
//                                                                     forward (without bias), forward_bias
// dx = the transposed sum over dy                                     backward_input
// dweight[ky, kx, c] = sum_{n, oy, ox} x[..] * dy[n, oy, ox, c],   dbias[c] = sum dy
//                                                                     backward_weight, in CHUNKS partial sums
//
// Convolution of each channel on its own. An invocation takes two channels of STRIP neighbouring columns and walks down LINES
// rows; what the kernel covers stays in registers, so that every value is loaded about once. For adapters that run shaders on the
// CPU, where a load costs as much as dozens of products, whether it brings 4 bytes or 8: channels are loaded in pairs.

override STRIP: u32;    // at most MAX_STRIP
override LINES: u32;

const MAX_STRIP: u32 = 8u;
const MAX_KERNEL: u32 = 5u;
const MAX_STRIDE: u32 = 2u;
const MAX_COLUMNS: u32 = 19u;   // that a strip meets
const WORKGROUP: u32 = 8u;

override PAIRS = IN_CHANNELS / 2u;  // channels come in fours

alias Row = array<vec2<f32>, MAX_COLUMNS>;
alias Window = array<Row, MAX_KERNEL>;
alias Taps = array<array<vec2<f32>, MAX_KERNEL>, MAX_KERNEL>;

// What an invocation takes: a pair of channels, and in an image the first row and column of what it walks over.
struct Place {
    pair: u32,
    column: u32,
    line: u32,
    image: u32,
}

// Number `index` of all places, where an image has `strips` across and `blocks` down.
fn place_of(index: u32, strips: u32, blocks: u32) -> Place {
    let walk = index / PAIRS;
    return Place(index % PAIRS, walk % strips * STRIP, walk / strips % blocks * LINES, walk / (strips * blocks));
}

@group(0) @binding(0) var<storage, read> x: array<u64>;             // [BATCH, HEIGHT, WIDTH, PAIRS]
@group(0) @binding(1) var<storage, read> weight: array<u64>;        // [KERNEL_H, KERNEL_W, PAIRS]
@group(0) @binding(2) var<storage, read> bias: array<u64>;          // [PAIRS]
@group(0) @binding(3) var<storage, read_write> y: array<u64>;       // [BATCH, OUT_HEIGHT, OUT_WIDTH, PAIRS]

override COLUMNS = (STRIP - 1u) * STRIDE_W + KERNEL_W;  // of x that a strip of y meets
override KEPT = KERNEL_H - min(KERNEL_H, STRIDE_H);     // rows that it meets and the next one meets, too
override OUT_STRIPS = (OUT_WIDTH + STRIP - 1u) / STRIP;
override OUT_BLOCKS = (OUT_HEIGHT + LINES - 1u) / LINES;

// Row `iy` of x from column `ix` on, 0 in the padding: above the image and left of it they wrap to huge ones.
fn load_x(place: Place, iy: u32, ix: u32) -> Row {
    var row = Row();
    for (var t = 0u; t < COLUMNS; t++) {
        let inside = iy < HEIGHT && ix + t < WIDTH;
        let index = ((place.image * HEIGHT + iy) * WIDTH + ix + t) * PAIRS + place.pair;
        row[t] = unpack_pair(select(0lu, x[select(0u, index, inside)], inside));
    }
    return row;
}

fn load_taps(pair: u32) -> Taps {
    var taps = Taps();
    for (var ky = 0u; ky < KERNEL_H; ky++) {
        for (var kx = 0u; kx < KERNEL_W; kx++) {
            taps[ky][kx] = unpack_pair(weight[(ky * KERNEL_W + kx) * PAIRS + pair]);
        }
    }
    return taps;
}

fn convolve(place: Place, start: vec2<f32>) {
    if place.image >= BATCH {
        return;
    }
    let taps = load_taps(place.pair);
    let ix = place.column * STRIDE_W - PADDING_W;
    var window = Window();
    for (var ky = 0u; ky < KEPT; ky++) {
        window[ky] = load_x(place, place.line * STRIDE_H + ky - PADDING_H, ix);
    }
    for (var oy = place.line; oy < min(place.line + LINES, OUT_HEIGHT); oy++) {
        for (var ky = KEPT; ky < KERNEL_H; ky++) {
            window[ky] = load_x(place, oy * STRIDE_H + ky - PADDING_H, ix);
        }
        for (var p = 0u; p < STRIP; p++) {
            var sum = start;
            for (var ky = 0u; ky < KERNEL_H; ky++) {
                for (var kx = 0u; kx < KERNEL_W; kx++) {
                    sum += window[ky][p * STRIDE_W + kx] * taps[ky][kx];
                }
            }
            let ox = place.column + p;
            if ox < OUT_WIDTH {
                y[((place.image * OUT_HEIGHT + oy) * OUT_WIDTH + ox) * PAIRS + place.pair] = pack_pair(sum);
            }
        }
        for (var ky = 0u; ky < KEPT; ky++) {
            window[ky] = window[ky + STRIDE_H];
        }
    }
}

// Of a row of x and of the products of a row of y.
override ROW_ITERATIONS = 1u + COLUMNS;
override STRIP_ITERATIONS = STRIP * (1u + KERNEL_H * (1u + KERNEL_W));
override TAPS_ITERATIONS = KERNEL_H * (1u + KERNEL_W);
override WALK_ITERATIONS = KEPT * ROW_ITERATIONS
    + LINES * (1u + KERNEL_H * ROW_ITERATIONS + STRIP_ITERATIONS + KEPT);

override ITERATIONS_FORWARD: u32 = TAPS_ITERATIONS + WALK_ITERATIONS;

@compute @workgroup_size(WORKGROUP)
fn forward(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let index = flat_index(workgroup_id, workgroups, lane, WORKGROUP);
    convolve(place_of(index, OUT_STRIPS, OUT_BLOCKS), vec2<f32>());
}

override ITERATIONS_FORWARD_BIAS: u32 = TAPS_ITERATIONS + WALK_ITERATIONS;

@compute @workgroup_size(WORKGROUP)
fn forward_bias(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let place = place_of(flat_index(workgroup_id, workgroups, lane, WORKGROUP), OUT_STRIPS, OUT_BLOCKS);
    convolve(place, unpack_pair(bias[place.pair]));
}

@group(0) @binding(0) var<storage, read> dy: array<u64>;            // like y
@group(0) @binding(2) var<storage, read_write> dx: array<u64>;      // like x

// A pixel of the padded x that lies at stride * q + rest meets in dy the places q - j, at the taps stride * j + rest: the rows
// and columns q of an image, and the taps j of a rest at most.
override FIRST_Q_H = PADDING_H / STRIDE_H;
override FIRST_Q_W = PADDING_W / STRIDE_W;
override Q_HEIGHT = (HEIGHT - 1u + PADDING_H) / STRIDE_H + 1u - FIRST_Q_H;
override Q_WIDTH = (WIDTH - 1u + PADDING_W) / STRIDE_W + 1u - FIRST_Q_W;
override REACHING_H = (KERNEL_H + STRIDE_H - 1u) / STRIDE_H;
override REACHING_W = (KERNEL_W + STRIDE_W - 1u) / STRIDE_W;
override DY_COLUMNS = STRIP + REACHING_W - 1u;
override IN_STRIPS = (Q_WIDTH + STRIP - 1u) / STRIP;
override IN_BLOCKS = (Q_HEIGHT + LINES - 1u) / LINES;

// `count` columns of row `oy` of dy from column `ox` on, 0 outside.
fn load_dy(place: Place, oy: u32, ox: u32, count: u32) -> Row {
    var row = Row();
    for (var t = 0u; t < count; t++) {
        let inside = oy < OUT_HEIGHT && ox + t < OUT_WIDTH;
        let index = ((place.image * OUT_HEIGHT + oy) * OUT_WIDTH + ox + t) * PAIRS + place.pair;
        row[t] = unpack_pair(select(0lu, dy[select(0u, index, inside)], inside));
    }
    return row;
}

// dx at column `column` of the pixels of rest `rest`, from the rows of dy that `window` holds, the last one first.
fn gradient_of(window: ptr<function, Window>, taps: ptr<function, Taps>, column: u32, rest: vec2<u32>) -> vec2<f32> {
    var sum = vec2<f32>();
    for (var j = 0u; j < REACHING_H; j++) {
        for (var i = 0u; i < REACHING_W; i++) {
            let ky = j * STRIDE_H + rest.y;
            let kx = i * STRIDE_W + rest.x;
            if ky < KERNEL_H && kx < KERNEL_W {
                sum += (*window)[j][column + REACHING_W - 1u - i] * (*taps)[ky][kx];
            }
        }
    }
    return sum;
}

override GRADIENT_ITERATIONS = REACHING_H * (1u + REACHING_W);

override ITERATIONS_BACKWARD_INPUT: u32 = TAPS_ITERATIONS + REACHING_H * (1u + DY_COLUMNS)
    + LINES * (2u + DY_COLUMNS + STRIDE_H * (1u + STRIDE_W * (1u + STRIP * (1u + GRADIENT_ITERATIONS))) + REACHING_H);

@compute @workgroup_size(WORKGROUP)
fn backward_input(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let place = place_of(flat_index(workgroup_id, workgroups, lane, WORKGROUP), IN_STRIPS, IN_BLOCKS);
    if place.image >= BATCH {
        return;
    }
    var taps = load_taps(place.pair);
    let qx = FIRST_Q_W + place.column;
    let ox = qx - (REACHING_W - 1u);
    var window = Window();
    for (var j = 1u; j < REACHING_H; j++) {
        window[j - 1u] = load_dy(place, FIRST_Q_H + place.line - j, ox, DY_COLUMNS);
    }
    for (var line = place.line; line < min(place.line + LINES, Q_HEIGHT); line++) {
        let qy = FIRST_Q_H + line;
        for (var j = 1u; j < REACHING_H; j++) {
            window[REACHING_H - j] = window[REACHING_H - j - 1u];
        }
        window[0] = load_dy(place, qy, ox, DY_COLUMNS);
        for (var down = 0u; down < STRIDE_H; down++) {
            let iy = qy * STRIDE_H + down - PADDING_H;
            for (var p = 0u; p < STRIP; p++) {
                for (var right = 0u; right < STRIDE_W; right++) {
                    let ix = (qx + p) * STRIDE_W + right - PADDING_W;
                    let sum = gradient_of(&window, &taps, p, vec2<u32>(right, down));
                    if iy < HEIGHT && ix < WIDTH {
                        let index = ((place.image * HEIGHT + iy) * WIDTH + ix) * PAIRS + place.pair;
                        dx[index] = pack_pair(select(vec2<f32>(), unpack_pair(dx[index]), ACCUMULATE) + sum);
                    }
                }
            }
        }
    }
}

@group(0) @binding(1) var<storage, read> input: array<u64>;             // the x of forward
@group(0) @binding(2) var<storage, read_write> partial: array<u64>;     // [CHUNKS, TAP_ROWS + 1, PAIRS]

override WALKS = BATCH * OUT_STRIPS * OUT_BLOCKS;

fn load_input(place: Place, iy: u32, ix: u32) -> Row {
    var row = Row();
    for (var t = 0u; t < COLUMNS; t++) {
        let inside = iy < HEIGHT && ix + t < WIDTH;
        let index = ((place.image * HEIGHT + iy) * WIDTH + ix + t) * PAIRS + place.pair;
        row[t] = unpack_pair(select(0lu, input[select(0u, index, inside)], inside));
    }
    return row;
}

override ITERATIONS_BACKWARD_WEIGHT: u32 = TAPS_ITERATIONS
    + (WALKS + CHUNKS - 1u) / CHUNKS * (1u + WALK_ITERATIONS + LINES * (1u + STRIP));

// Partial sums of all taps and the bias over the walks of one chunk, of two channels.
@compute @workgroup_size(WORKGROUP)
fn backward_weight(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let index = flat_index(workgroup_id, workgroups, lane, WORKGROUP);
    let chunk = index / PAIRS;
    if chunk >= CHUNKS {
        return;
    }
    var sums = Taps();
    var bias_sum = vec2<f32>();
    for (var walk = chunk; walk < WALKS; walk += CHUNKS) {
        let place = place_of(walk * PAIRS + index % PAIRS, OUT_STRIPS, OUT_BLOCKS);
        let ix = place.column * STRIDE_W - PADDING_W;
        var window = Window();
        for (var ky = 0u; ky < KEPT; ky++) {
            window[ky] = load_input(place, place.line * STRIDE_H + ky - PADDING_H, ix);
        }
        for (var oy = place.line; oy < min(place.line + LINES, OUT_HEIGHT); oy++) {
            for (var ky = KEPT; ky < KERNEL_H; ky++) {
                window[ky] = load_input(place, oy * STRIDE_H + ky - PADDING_H, ix);
            }
            let gradients = load_dy(place, oy, place.column, STRIP);
            for (var p = 0u; p < STRIP; p++) {
                bias_sum += gradients[p];
                for (var ky = 0u; ky < KERNEL_H; ky++) {
                    for (var kx = 0u; kx < KERNEL_W; kx++) {
                        sums[ky][kx] += window[ky][p * STRIDE_W + kx] * gradients[p];
                    }
                }
            }
            for (var ky = 0u; ky < KEPT; ky++) {
                window[ky] = window[ky + STRIDE_H];
            }
        }
    }
    let start = chunk * (TAP_ROWS + 1u) * PAIRS + index % PAIRS;
    for (var ky = 0u; ky < KERNEL_H; ky++) {
        for (var kx = 0u; kx < KERNEL_W; kx++) {
            partial[start + (ky * KERNEL_W + kx) * PAIRS] = pack_pair(sums[ky][kx]);
        }
    }
    partial[start + TAP_ROWS * PAIRS] = pack_pair(bias_sum);
}
