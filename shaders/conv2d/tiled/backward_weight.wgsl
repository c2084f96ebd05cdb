// Library: conv2d_tiles
// dweight[ky, kx, ci, co] = sum_{n, oy, ox} x[..] * dy[n, oy, ox, co],   dbias[co] = sum dy
//                                                         backward_weight, in CHUNKS partial sums
//
// Convolution as a matrix product in tiles, `lib/pipeline.wgsl`. Rows are those of the weight, (ky, kx, ci), columns the channels
// of y, and the sum runs over the pixels of y.

@group(0) @binding(2) var<storage, read_write> partial: array<vec4<f32>>;  // [CHUNKS, TAP_ROWS + 1, OUT_QUADS]

// Four rows (ky, kx, ci) of the weight.
struct Rows {
    ky: vec4<u32>,
    kx: vec4<u32>,
    ci: vec4<u32>,
    is_row: vec4<bool>,
}

fn rows_of(row: vec4<u32>) -> Rows {
    let taps = row / IN_CHANNELS;
    return Rows(taps / KERNEL_W, taps % KERNEL_W, row % IN_CHANNELS, row < vec4<u32>(TAP_ROWS));
}

// What four rows of the weight meet in x when the window lies at a pixel of y.
fn load_rows(rows: Rows, pixel: u32) -> vec4<f32> {
    let ox = pixel % OUT_WIDTH;
    let oy = pixel / OUT_WIDTH % OUT_HEIGHT;
    let image = pixel / (OUT_WIDTH * OUT_HEIGHT);
    let iy = oy * STRIDE_H + rows.ky - PADDING_H;
    let ix = ox * STRIDE_W + rows.kx - PADDING_W;
    let inside = (iy < vec4<u32>(HEIGHT)) & (ix < vec4<u32>(WIDTH)) & rows.is_row & vec4<bool>(pixel < OUT_PIXELS);
    let place = (image * HEIGHT + iy) * WIDTH + ix;
    if IN_FOURS {
        return x_quad(place.x * IN_QUADS + rows.ci.x / 4u, inside.x);
    }
    return x_elements(place * IN_CHANNELS + rows.ci, inside);
}

const SUMS_SHARES = true;

struct Source {
    share: Share,
    rows: Rows,     // four rows of the product
    column: u32,    // or its quad of columns
}

fn source_of(id: vec3<u32>, share: Share) -> Source {
    return Source(share, rows_of(row_of_share(id, share)), column_of_share(id, share));
}

fn load_share(source: Source, step: u32) -> mat4x4<f32> {
    let pixel = step * TILE_DEPTH + source.share.depth;
    if source.share.is_left {
        return mat4x4<f32>(
            load_rows(source.rows, pixel),
            load_rows(source.rows, pixel + 1u),
            load_rows(source.rows, pixel + 2u),
            load_rows(source.rows, pixel + 3u),
        );
    }
    return mat4x4<f32>(
        dy_quad(pixel, source.column, pixel < OUT_PIXELS),
        dy_quad(pixel + 1u, source.column, pixel + 1u < OUT_PIXELS),
        dy_quad(pixel + 2u, source.column, pixel + 2u < OUT_PIXELS),
        dy_quad(pixel + 3u, source.column, pixel + 3u < OUT_PIXELS),
    );
}

override WEIGHT_STEPS = (OUT_PIXELS + TILE_DEPTH - 1u) / TILE_DEPTH;
override WEIGHT_CHUNK = (WEIGHT_STEPS + CHUNKS - 1u) / CHUNKS;

override ITERATIONS_BACKWARD_WEIGHT: u32 = WEIGHT_CHUNK * STEP_ITERATIONS + END_ITERATIONS + BLOCK_ITERATIONS;

fn store_partial(chunk: u32, row: u32, quad: u32, value: vec4<f32>) {
    if row <= TAP_ROWS && quad < OUT_QUADS {
        partial[(chunk * (TAP_ROWS + 1u) + row) * OUT_QUADS + quad] = value;
    }
}

// The row of the bias, after the last one: a share of dy that begins a quad stores its sum.
fn store_bias(id: vec3<u32>, share: Share) {
    if share.depth == 0u && share.is_used && !share.is_left {
        store_partial(id.z, TAP_ROWS, column_of_share(id, share), staged_sum(share.quad));
    }
}

// The workgroups of the first rows also add up dy as it passes: that is the gradient of the bias.
@compute @workgroup_size(TILE_INVOCATIONS)
fn backward_weight(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    invocation: Invocation,
) {
    let id = unfold(workgroup_id, workgroups);
    if is_behind_grid(id) {
        return;
    }
    let begin = id.z * WEIGHT_CHUNK;
    var sums: Block;
    add_steps(&sums, id, invocation, begin, min(begin + WEIGHT_CHUNK, WEIGHT_STEPS));
    for (var half = 0u; half < BLOCK_COLUMNS / 4u; half++) {
        for (var r = 0u; r < BLOCK_ROWS; r++) {
            let place = place_in_product(id, invocation, r, half);
            if place.x < TAP_ROWS {
                store_partial(id.z, place.x, place.y, block_row(&sums, r, half));
            }
        }
    }
    if id.x == 0u {
        stage_share_sums(invocation);
        store_bias(id, share_of(invocation.index));
        if TWO_SHARES {
            store_bias(id, share_of(invocation.index + TILE_INVOCATIONS));
        }
    }
}
