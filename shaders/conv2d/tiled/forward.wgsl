// Library: conv2d_tiles
// y[n, oy, ox, co] = bias[co] + sum_{ky, kx, ci} x[n, oy*S + ky - P, ox*S + kx - P, ci] * weight[ky, kx, ci, co]
//                                                         forward (without bias), forward_bias; in CHUNKS partial sums
// `_any` writes any number of channels, the others a multiple of 4.
//
// Convolution as a matrix product in tiles, `lib/pipeline.wgsl`. Rows are the pixels of y, columns its channels, and the sum
// runs over the rows (ky, kx, ci) of the weight.

@group(0) @binding(2) var<storage, read> bias: array<vec4<f32>>;           // [OUT_QUADS]
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;        // [CHUNKS, OUT_PIXELS, OUT_QUADS]
@group(0) @binding(3) var<storage, read_write> y_any: array<f32>;          // [CHUNKS, OUT_PIXELS, OUT_CHANNELS]

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

const SUMS_SHARES = false;

struct Source {
    share: Share,
    windows: Windows,   // of four rows of the product
    column: u32,        // or its quad of columns
}

fn source_of(id: vec3<u32>, share: Share) -> Source {
    return Source(share, windows_of(row_of_share(id, share)), column_of_share(id, share));
}

fn load_share(source: Source, step: u32) -> mat4x4<f32> {
    if source.share.is_left {
        return load_windows(source.windows, step, source.share.depth);
    }
    return load_weight(step, source.share.depth, source.column);
}

// The sum of chunk id.z.
fn convolve(sums: ptr<function, Block>, id: vec3<u32>, invocation: Invocation) {
    let begin = id.z * FORWARD_CHUNK;
    add_steps(sums, id, invocation, begin, min(begin + FORWARD_CHUNK, FORWARD_STEPS));
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
