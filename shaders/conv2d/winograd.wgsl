// Library: pairs, index
// Y = A^T [ sum_ci (G weight G^T) * (B^T X B) ] A        convolution with a 3x3 kernel and stride 1, one tile
//
// Winograd's minimal filtering (Lavin and Gray 2015, arXiv 1509.09308): a tile of TILE x TILE pixels of y takes
// POINTS x POINTS = (TILE + 2)^2 products a pair of channels instead of 9 TILE^2. These are the transforms:
//
// B^T X B, over tiles of x that overlap by 2             transform_input
// G weight G^T                                           transform_weight, transform_weight_flipped (dy to dx)
// A^T M A                                                transform_output, transform_output_bias
// A dY A^T, over tiles of dy, and the sum of each tile   transform_gradient
// G^T dU G                                               transform_weight_gradient
//
// `conv2d/winograd_product.wgsl` does what is between. B^T, G, A^T interpolate polynomials at 0, 1, -1 and infinity for
// TILE 2, and at 0, 2/3, -2/3, 3/2, -3/2 and infinity for TILE 4: P and its inverse Q keep the rounding errors at an eighth
// of those of the usual 1 and 2. Channels come in pairs; neighbouring invocations are neighbouring pairs.

override TILE: u32;             // 2 or 4
override BATCH: u32;
override HEIGHT: u32;           // of the image that is convolved: x, or dy for dx
override WIDTH: u32;
override OUT_HEIGHT: u32;       // of the image that comes out
override OUT_WIDTH: u32;
override PADDING_H: u32;
override PADDING_W: u32;
override IN_CHANNELS: u32;      // a multiple of 2
override OUT_CHANNELS: u32;     // a multiple of 2
override ACCUMULATE: bool;

override POINTS = TILE + 2u;
override ROWS = (OUT_HEIGHT + TILE - 1u) / TILE;        // of tiles
override COLUMNS = (OUT_WIDTH + TILE - 1u) / TILE;
override TILES = BATCH * ROWS * COLUMNS;
override IN_PAIRS = IN_CHANNELS / 2u;
override OUT_PAIRS = OUT_CHANNELS / 2u;

const P = 2.0 / 3.0;
const Q = 3.0 / 2.0;
const S = P * P + Q * Q;
const NORM_P = 0.5 / (P * P * (P * P - Q * Q));         // G's rows at P and -P are divided by what they differ from others
const NORM_Q = 0.5 / (Q * Q * (Q * Q - P * P));
const WORKGROUP: u32 = 64u;

alias Line = array<vec2<f32>, 6>;
alias Square = array<Line, 6>;

// B^T d: POINTS from POINTS
fn times_b(d: Line) -> Line {
    if TILE == 2u {
        return Line(d[0] - d[2], d[2] + d[1], d[2] - d[1], d[3] - d[1], vec2<f32>(), vec2<f32>());
    }
    let even_p = d[4] - Q * Q * d[2];
    let odd_p = P * (d[3] - Q * Q * d[1]);
    let even_q = d[4] - P * P * d[2];
    let odd_q = Q * (d[3] - P * P * d[1]);
    let zero = d[0] + d[4] - S * d[2];
    return Line(zero, even_p + odd_p, even_p - odd_p, even_q + odd_q, even_q - odd_q, d[1] + d[5] - S * d[3]);
}

// G g: POINTS from 3
fn times_g(g: Line) -> Line {
    if TILE == 2u {
        let even = 0.5 * (g[0] + g[2]);
        return Line(g[0], even + 0.5 * g[1], even - 0.5 * g[1], g[2], vec2<f32>(), vec2<f32>());
    }
    let even_p = NORM_P * (g[0] + P * P * g[2]);
    let odd_p = NORM_P * P * g[1];
    let even_q = NORM_Q * (g[0] + Q * Q * g[2]);
    let odd_q = NORM_Q * Q * g[1];
    return Line(g[0], even_p + odd_p, even_p - odd_p, even_q + odd_q, even_q - odd_q, g[2]);
}

// G^T u: 3 from POINTS
fn times_g_transposed(u: Line) -> Line {
    if TILE == 2u {
        let even = 0.5 * (u[1] + u[2]);
        return Line(u[0] + even, 0.5 * (u[1] - u[2]), even + u[3], vec2<f32>(), vec2<f32>(), vec2<f32>());
    }
    let even_p = NORM_P * (u[1] + u[2]);
    let odd_p = NORM_P * P * (u[1] - u[2]);
    let even_q = NORM_Q * (u[3] + u[4]);
    let odd_q = NORM_Q * Q * (u[3] - u[4]);
    let last = P * P * even_p + Q * Q * even_q + u[5];
    return Line(u[0] + even_p + even_q, odd_p + odd_q, last, vec2<f32>(), vec2<f32>(), vec2<f32>());
}

// A^T m: TILE from POINTS
fn times_a(m: Line) -> Line {
    let even_p = m[1] + m[2];
    let odd_p = m[1] - m[2];
    if TILE == 2u {
        return Line(m[0] + even_p, odd_p + m[3], vec2<f32>(), vec2<f32>(), vec2<f32>(), vec2<f32>());
    }
    let even_q = m[3] + m[4];
    let odd_q = m[3] - m[4];
    return Line(
        m[0] + even_p + even_q,
        P * odd_p + Q * odd_q,
        P * P * even_p + Q * Q * even_q,
        P * P * P * odd_p + Q * Q * Q * odd_q + m[5],
        vec2<f32>(),
        vec2<f32>(),
    );
}

// A y: POINTS from TILE
fn times_a_transposed(y: Line) -> Line {
    if TILE == 2u {
        return Line(y[0], y[0] + y[1], y[0] - y[1], y[1], vec2<f32>(), vec2<f32>());
    }
    let even_p = y[0] + P * P * y[2];
    let odd_p = P * y[1] + P * P * P * y[3];
    let even_q = y[0] + Q * Q * y[2];
    let odd_q = Q * y[1] + Q * Q * Q * y[3];
    return Line(y[0], even_p + odd_p, even_p - odd_p, even_q + odd_q, even_q - odd_q, y[3]);
}

// The image of a tile, and the row and column of its first pixel of what comes out.
fn place_of(tile: u32) -> vec3<u32> {
    return vec3<u32>(tile / (ROWS * COLUMNS), tile / COLUMNS % ROWS * TILE, tile % COLUMNS * TILE);
}

@group(0) @binding(0) var<storage, read> image: array<u64>;             // [BATCH, HEIGHT, WIDTH, IN_PAIRS]
@group(0) @binding(1) var<storage, read_write> inputs: array<u64>;      // [POINTS * POINTS, TILES, IN_PAIRS]

fn load_pixel(start: vec3<u32>, row: u32, column: u32, pair: u32) -> vec2<f32> {
    let iy = start.y + row - PADDING_H;  // a row above the image wraps to a huge one
    let ix = start.z + column - PADDING_W;
    let inside = iy < HEIGHT && ix < WIDTH;
    let place = ((start.x * HEIGHT + iy) * WIDTH + ix) * IN_PAIRS + pair;
    return unpack_pair(select(0lu, image[select(0u, place, inside)], inside));
}

override ITERATIONS_TRANSFORM_INPUT: u32 = POINTS * (1u + 2u * POINTS) + POINTS * (1u + POINTS);

@compute @workgroup_size(WORKGROUP)
fn transform_input(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let index = flat_index(id, workgroups, lane, WORKGROUP);
    if index >= TILES * IN_PAIRS {
        return;
    }
    let start = place_of(index / IN_PAIRS);
    var square: Square;
    for (var column = 0u; column < POINTS; column++) {
        var line: Line;
        for (var row = 0u; row < POINTS; row++) {
            line[row] = load_pixel(start, row, column, index % IN_PAIRS);
        }
        line = times_b(line);
        for (var row = 0u; row < POINTS; row++) {
            square[row][column] = line[row];
        }
    }
    for (var row = 0u; row < POINTS; row++) {
        let line = times_b(square[row]);
        for (var column = 0u; column < POINTS; column++) {
            inputs[(row * POINTS + column) * TILES * IN_PAIRS + index] = pack_pair(line[column]);
        }
    }
}

@group(0) @binding(0) var<storage, read> weight: array<u64>;            // [3, 3, IN_CHANNELS, OUT_PAIRS]
@group(0) @binding(1) var<storage, read_write> factors: array<u64>;     // [POINTS * POINTS, IN_CHANNELS, OUT_PAIRS]

// Stores G square^T G^T, whose first factor is done, at `index` of each of `size` large matrices.
fn store_factors(square: Square, index: u32, size: u32) {
    for (var row = 0u; row < POINTS; row++) {
        let line = times_g(square[row]);
        for (var column = 0u; column < POINTS; column++) {
            factors[(row * POINTS + column) * size + index] = pack_pair(line[column]);
        }
    }
}

override ITERATIONS_TRANSFORM_WEIGHT: u32 = 3u * (4u + POINTS) + POINTS * (1u + POINTS);

@compute @workgroup_size(WORKGROUP)
fn transform_weight(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let size = IN_CHANNELS * OUT_PAIRS;
    let index = flat_index(id, workgroups, lane, WORKGROUP);
    if index >= size {
        return;
    }
    var square: Square;
    for (var kx = 0u; kx < 3u; kx++) {
        var line: Line;
        for (var ky = 0u; ky < 3u; ky++) {
            line[ky] = unpack_pair(weight[(ky * 3u + kx) * size + index]);
        }
        line = times_g(line);
        for (var row = 0u; row < POINTS; row++) {
            square[row][kx] = line[row];
        }
    }
    store_factors(square, index, size);
}

@group(0) @binding(0) var<storage, read> elements: array<f32>;          // [3, 3, OUT_CHANNELS, IN_CHANNELS], a weight

const FLIPPED_SIDE: u32 = 8u;   // of the square; WORKGROUP in all
override FLIPPED_COLUMNS = (OUT_PAIRS + FLIPPED_SIDE - 1u) / FLIPPED_SIDE;
override ITERATIONS_TRANSFORM_WEIGHT_FLIPPED: u32 = 3u * (4u + POINTS) + POINTS * (1u + POINTS);

// The weight that leads from dy back to dx, transposed and turned by 180 degrees: the channels of dy come in, those of dx
// go out. A workgroup takes a square of channels and pairs, and so uses each line of the cache that it loads or stores whole.
@compute @workgroup_size(WORKGROUP)
fn transform_weight_flipped(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let block = flat_index(id, workgroups, 0u, 1u);
    let pair = block % FLIPPED_COLUMNS * FLIPPED_SIDE + lane % FLIPPED_SIDE;
    let channel = block / FLIPPED_COLUMNS * FLIPPED_SIDE + lane / FLIPPED_SIDE;
    if channel >= IN_CHANNELS || pair >= OUT_PAIRS {
        return;
    }
    let first = 2u * pair * IN_CHANNELS + channel;
    var square: Square;
    for (var kx = 0u; kx < 3u; kx++) {
        var line: Line;
        for (var ky = 0u; ky < 3u; ky++) {
            let place = (8u - ky * 3u - kx) * IN_CHANNELS * OUT_CHANNELS + first;
            line[ky] = vec2<f32>(elements[place], elements[place + IN_CHANNELS]);
        }
        line = times_g(line);
        for (var row = 0u; row < POINTS; row++) {
            square[row][kx] = line[row];
        }
    }
    store_factors(square, channel * OUT_PAIRS + pair, IN_CHANNELS * OUT_PAIRS);
}

@group(0) @binding(0) var<storage, read> products: array<u64>;          // [POINTS * POINTS, TILES, OUT_PAIRS]
@group(0) @binding(1) var<storage, read_write> y: array<u64>;           // [BATCH, OUT_HEIGHT, OUT_WIDTH, OUT_PAIRS]
@group(0) @binding(2) var<storage, read> bias: array<u64>;              // [OUT_PAIRS]

fn store_tile(index: u32, offset: vec2<f32>) {
    let start = place_of(index / OUT_PAIRS);
    var square: Square;
    for (var column = 0u; column < POINTS; column++) {
        var line: Line;
        for (var row = 0u; row < POINTS; row++) {
            line[row] = unpack_pair(products[(row * POINTS + column) * TILES * OUT_PAIRS + index]);
        }
        line = times_a(line);
        for (var row = 0u; row < TILE; row++) {
            square[row][column] = line[row];
        }
    }
    for (var row = 0u; row < TILE; row++) {
        let line = times_a(square[row]);
        for (var column = 0u; column < TILE; column++) {
            if start.y + row < OUT_HEIGHT && start.z + column < OUT_WIDTH {
                let pixel = (start.x * OUT_HEIGHT + start.y + row) * OUT_WIDTH + start.z + column;
                let place = pixel * OUT_PAIRS + index % OUT_PAIRS;
                var total = line[column] + offset;
                if ACCUMULATE {
                    total += unpack_pair(y[place]);
                }
                y[place] = pack_pair(total);
            }
        }
    }
}

override ITERATIONS_TRANSFORM_OUTPUT: u32 = POINTS * (1u + POINTS + TILE) + TILE * (1u + TILE);

@compute @workgroup_size(WORKGROUP)
fn transform_output(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let index = flat_index(id, workgroups, lane, WORKGROUP);
    if index < TILES * OUT_PAIRS {
        store_tile(index, vec2<f32>());
    }
}

override ITERATIONS_TRANSFORM_OUTPUT_BIAS: u32 = POINTS * (1u + POINTS + TILE) + TILE * (1u + TILE);

@compute @workgroup_size(WORKGROUP)
fn transform_output_bias(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let index = flat_index(id, workgroups, lane, WORKGROUP);
    if index < TILES * OUT_PAIRS {
        store_tile(index, unpack_pair(bias[index % OUT_PAIRS]));
    }
}

@group(0) @binding(0) var<storage, read> dy: array<u64>;                // [BATCH, OUT_HEIGHT, OUT_WIDTH, OUT_PAIRS]
@group(0) @binding(1) var<storage, read_write> gradients: array<u64>;   // [POINTS * POINTS, TILES, OUT_PAIRS]
@group(0) @binding(2) var<storage, read_write> sums: array<u64>;        // [TILES, OUT_PAIRS]

fn load_dy(start: vec3<u32>, row: u32, column: u32, pair: u32) -> vec2<f32> {
    let oy = start.y + row;
    let ox = start.z + column;
    let inside = oy < OUT_HEIGHT && ox < OUT_WIDTH;
    let place = ((start.x * OUT_HEIGHT + oy) * OUT_WIDTH + ox) * OUT_PAIRS + pair;
    return unpack_pair(select(0lu, dy[select(0u, place, inside)], inside));
}

override ITERATIONS_TRANSFORM_GRADIENT: u32 = TILE * (1u + TILE + POINTS) + POINTS * (1u + POINTS);

@compute @workgroup_size(WORKGROUP)
fn transform_gradient(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let index = flat_index(id, workgroups, lane, WORKGROUP);
    if index >= TILES * OUT_PAIRS {
        return;
    }
    let start = place_of(index / OUT_PAIRS);
    var sum = vec2<f32>();
    var square: Square;
    for (var column = 0u; column < TILE; column++) {
        var line: Line;
        for (var row = 0u; row < TILE; row++) {
            line[row] = load_dy(start, row, column, index % OUT_PAIRS);
            sum += line[row];
        }
        line = times_a_transposed(line);
        for (var row = 0u; row < POINTS; row++) {
            square[row][column] = line[row];
        }
    }
    sums[index] = pack_pair(sum);
    for (var row = 0u; row < POINTS; row++) {
        let line = times_a_transposed(square[row]);
        for (var column = 0u; column < POINTS; column++) {
            gradients[(row * POINTS + column) * TILES * OUT_PAIRS + index] = pack_pair(line[column]);
        }
    }
}

@group(0) @binding(0) var<storage, read> dfactors: array<u64>;          // like factors
@group(0) @binding(1) var<storage, read_write> dweight: array<u64>;     // like weight

override ITERATIONS_TRANSFORM_WEIGHT_GRADIENT: u32 = POINTS * (4u + POINTS) + 12u;

@compute @workgroup_size(WORKGROUP)
fn transform_weight_gradient(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let size = IN_CHANNELS * OUT_PAIRS;
    let index = flat_index(id, workgroups, lane, WORKGROUP);
    if index >= size {
        return;
    }
    var square: Square;
    for (var column = 0u; column < POINTS; column++) {
        var line: Line;
        for (var row = 0u; row < POINTS; row++) {
            line[row] = unpack_pair(dfactors[(row * POINTS + column) * size + index]);
        }
        line = times_g_transposed(line);
        for (var ky = 0u; ky < 3u; ky++) {
            square[ky][column] = line[ky];
        }
    }
    for (var ky = 0u; ky < 3u; ky++) {
        let line = times_g_transposed(square[ky]);
        for (var kx = 0u; kx < 3u; kx++) {
            let place = (ky * 3u + kx) * size + index;
            var total = line[kx];
            if ACCUMULATE {
                total += unpack_pair(dweight[place]);
            }
            dweight[place] = pack_pair(total);
        }
    }
}
