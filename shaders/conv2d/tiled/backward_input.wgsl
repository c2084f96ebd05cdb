// Library: conv2d_tiles
// dx = the transposed sum over dy                         backward_input, in CHUNKS partial sums
// `_any` writes any number of channels, the other a multiple of 4.
//
// Convolution as matrix products in tiles, `lib/pipeline.wgsl`: one for each rest of a pixel's place when divided by the stride.
// Rows are the pixels of x that leave this rest, columns its channels, and the sum runs over the taps that reach them and over
// the output channels.

@group(0) @binding(2) var<storage, read_write> dx: array<vec4<f32>>;       // [CHUNKS, IN_PIXELS, IN_QUADS]
@group(0) @binding(2) var<storage, read_write> dx_any: array<f32>;         // [CHUNKS, IN_PIXELS, IN_CHANNELS]

override IN_PIXELS = BATCH * HEIGHT * WIDTH;
override OUT_STEPS = (OUT_CHANNELS + TILE_DEPTH - 1u) / TILE_DEPTH;

// Steps of a chunk, of the residue class that the most taps reach.
override MOST_TAPS = ((KERNEL_H + STRIDE_H - 1u) / STRIDE_H) * ((KERNEL_W + STRIDE_W - 1u) / STRIDE_W);
override TRANSPOSED_CHUNK = (MOST_TAPS * OUT_STEPS + CHUNKS - 1u) / CHUNKS;

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

const SUMS_SHARES = false;

struct Source {
    share: Share,
    residue: Residue,
    targets: Targets,   // of four rows of the product
    column: u32,        // or its quad of columns
}

// id.z is the chunk of the sum, and in it the residue.
fn residue_of_tile(id: vec3<u32>) -> Residue {
    return residue_of(id.z % (STRIDE_W * STRIDE_H));
}

fn source_of(id: vec3<u32>, share: Share) -> Source {
    let residue = residue_of_tile(id);
    return Source(share, residue, targets_of(residue, row_of_share(id, share)), column_of_share(id, share));
}

fn load_share(source: Source, step: u32) -> mat4x4<f32> {
    let residue = source.residue;
    let back = vec2<u32>(step / OUT_STEPS % residue.taps.x, step / OUT_STEPS / residue.taps.x);
    let quad = (step % OUT_STEPS * TILE_DEPTH + source.share.depth) / 4u;
    if source.share.is_left {
        return load_targets(source.targets, back, quad);
    }
    return load_transposed_weight(residue.first_tap + back * vec2<u32>(STRIDE_W, STRIDE_H), quad, source.column);
}

fn convolve(sums: ptr<function, Block>, residue: Residue, id: vec3<u32>, invocation: Invocation) {
    let steps = residue.taps.x * residue.taps.y * OUT_STEPS;
    let chunk = (steps + CHUNKS - 1u) / CHUNKS;
    let begin = min(id.z / (STRIDE_W * STRIDE_H) * chunk, steps);
    add_steps(sums, id, invocation, begin, min(begin + chunk, steps));
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
    let residue = residue_of_tile(id);
    if TILE_ROWS * id.x >= BATCH * residue.size.x * residue.size.y {
        return;
    }
    var sums: Block;
    convolve(&sums, residue, id, invocation);
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
    let residue = residue_of_tile(id);
    if TILE_ROWS * id.x >= BATCH * residue.size.x * residue.size.y {
        return;
    }
    var sums: Block;
    convolve(&sums, residue, id, invocation);
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
