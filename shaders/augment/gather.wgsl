// Library: index, step, warp
// x[n] = normalise(warp_k(... warp_1(images[order[n]])))
//
// Fetches the images of this step and takes each through its operations. As torchvision does on PIL images, every operation
// leaves whole bytes behind, by Pillow's rules. A dispatch for each: `fetch`, then for each operation `warp_pixels` or, in two
// directions, `resize_rows` and `resize_columns`, then `normalise`. An invocation takes one pixel, however large the image is.

override BATCH: u32;
override FULL_BATCH: u32;    // samples of every step of the epoch but the last
override HEIGHT: u32;        // of the image that an entry point is given
override WIDTH: u32;
override OUT_HEIGHT: u32;    // of the image that it makes
override OUT_WIDTH: u32;
override CHANNELS: u32;
override SLOTS: u32;         // operations
override SLOT: u32;          // the place of this one
override LARGEST: u32;       // values of the largest image on the way
override STAGED: bool;       // the images are those of the batch in its order
override STRIDE: u32;        // bytes from one image to the next

@group(0) @binding(0) var<storage, read> step: array<Step>;            // [1]
@group(0) @binding(1) var<storage, read> order: array<u32>;            // [count], a permutation of the data set
@group(0) @binding(2) var<storage, read> images: array<u32>;           // [count, HEIGHT, WIDTH, CHANNELS] bytes
@group(0) @binding(3) var<storage, read> normalisation: array<f32>;    // [2, CHANNELS]: x = byte * scale + shift
@group(0) @binding(4) var<storage, read> warps: array<Warp>;           // [BATCH, SLOTS]
@group(0) @binding(5) var<storage, read> before: array<u32>;           // [BATCH, LARGEST] bytes, one a word
@group(0) @binding(6) var<storage, read_write> after: array<u32>;      // [BATCH, LARGEST] bytes, one a word
@group(0) @binding(7) var<storage, read_write> x: array<f32>;          // [BATCH, OUT_HEIGHT, OUT_WIDTH, CHANNELS]

const WORKGROUP = 64u;

// The pixel of an invocation among those of all images of the batch, [height, width] each.
struct Pixel {
    row: u32,        // the image; BATCH and more behind the last one
    at: vec2<u32>,   // column and row in it
    place: u32,      // of its first value in the buffer
}

fn pixel_at(index: u32, height: u32, width: u32) -> Pixel {
    let row = index / (height * width);
    let pixel = index % (height * width);
    return Pixel(row, vec2<u32>(pixel % width, pixel / width), row * LARGEST + pixel * CHANNELS);
}

override ITERATIONS_FETCH: u32 = CHANNELS;

// after = images[order[n]]
@compute @workgroup_size(WORKGROUP)
fn fetch(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let pixel = pixel_at(flat_index(workgroup_id, workgroups, local_index, WORKGROUP), HEIGHT, WIDTH);
    if pixel.row >= BATCH {
        return;
    }
    let source = order[step[0].in_epoch * FULL_BATCH + step[0].first + pixel.row];
    let first = select(source, pixel.row, STAGED) * STRIDE + (pixel.at.y * WIDTH + pixel.at.x) * CHANNELS;
    for (var channel = 0u; channel < CHANNELS; channel++) {
        let byte = first + channel;
        after[pixel.place + channel] = (images[byte / 4u] >> (8u * (byte % 4u))) & 0xffu;
    }
}

override ITERATIONS_NORMALISE: u32 = CHANNELS;

// x = normalise(before)
@compute @workgroup_size(WORKGROUP)
fn normalise(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let index = flat_index(workgroup_id, workgroups, local_index, WORKGROUP);
    let pixel = pixel_at(index, OUT_HEIGHT, OUT_WIDTH);
    if pixel.row >= BATCH {
        return;
    }
    for (var channel = 0u; channel < CHANNELS; channel++) {
        let byte = f32(before[pixel.place + channel]);
        x[index * CHANNELS + channel] = byte * normalisation[channel] + normalisation[CHANNELS + channel];
    }
}

// Of an image `width` pixels wide: the value at column `at.x` and row `at.y`, both inside.
fn load(row: u32, at: vec2<u32>, width: u32, channel: u32) -> u32 {
    return before[row * LARGEST + (at.y * width + at.x) * CHANNELS + channel];
}

// The same, the nearest one for a place outside.
fn load_clamped(row: u32, at: vec2<i32>, channel: u32) -> f32 {
    let last = vec2<i32>(i32(WIDTH), i32(HEIGHT)) - 1;
    return f32(load(row, vec2<u32>(clamp(at, vec2<i32>(0, 0), last)), WIDTH, channel));
}

override ITERATIONS_WARP_PIXELS: u32 = 5u * CHANNELS;

// after = warp(before), for all kinds but a resize
@compute @workgroup_size(WORKGROUP)
fn warp_pixels(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let pixel = pixel_at(flat_index(workgroup_id, workgroups, local_index, WORKGROUP), OUT_HEIGHT, OUT_WIDTH);
    if pixel.row >= BATCH {
        return;
    }
    let warp = warps[pixel.row * SLOTS + SLOT];
    if warp.kind == NEAREST {
        write_nearest(pixel, warp.matrix);
    } else {
        write_interpolated(pixel, warp.kind, warp.homography);
    }
}

// In 16.16 fixed point, as Pillow's affine_fixed.
fn write_nearest(pixel: Pixel, matrix: array<i32, 6>) {
    let at = vec2<i32>(pixel.at);
    let origin = vec2<i32>(
        (matrix[0] * at.x + matrix[1] * at.y + matrix[2]) >> 16u,
        (matrix[3] * at.x + matrix[4] * at.y + matrix[5]) >> 16u,
    );
    let inside = all(origin >= vec2<i32>(0, 0)) && origin.x < i32(WIDTH) && origin.y < i32(HEIGHT);
    for (var channel = 0u; channel < CHANNELS; channel++) {
        var value = 0u;
        if inside {
            value = load(pixel.row, vec2<u32>(origin), WIDTH, channel);
        }
        after[pixel.place + channel] = value;
    }
}

// As Pillow's bilinear_filter and bicubic_filter, which cut the fraction of the result off.
fn write_interpolated(pixel: Pixel, kind: u32, h: array<f32, 8>) {
    let centre = vec2<f32>(pixel.at) + 0.5;
    let divisor = h[6] * centre.x + h[7] * centre.y + 1.0;
    let origin = vec2<f32>(
        (h[0] * centre.x + h[1] * centre.y + h[2]) / divisor,
        (h[3] * centre.x + h[4] * centre.y + h[5]) / divisor,
    );
    let size = vec2<f32>(f32(WIDTH), f32(HEIGHT));
    let inside = all(origin >= vec2<f32>(0.0, 0.0)) && all(origin < size);
    let corner = floor(origin - 0.5);
    let fraction = origin - 0.5 - corner;
    for (var channel = 0u; channel < CHANNELS; channel++) {
        var value = 0.0;
        if inside && kind == BILINEAR {
            value = bilinear(pixel.row, vec2<i32>(corner), fraction, channel);
        } else if inside {
            value = bicubic(pixel.row, vec2<i32>(corner), fraction, channel);
        }
        after[pixel.place + channel] = u32(clamp(value, 0.0, 255.0));
    }
}

fn bilinear(row: u32, corner: vec2<i32>, fraction: vec2<f32>, channel: u32) -> f32 {
    let above = bilinear_row(row, corner, fraction.x, channel);
    let below = bilinear_row(row, corner + vec2<i32>(0, 1), fraction.x, channel);
    return above + (below - above) * fraction.y;
}

fn bilinear_row(row: u32, corner: vec2<i32>, fraction: f32, channel: u32) -> f32 {
    let left = load_clamped(row, corner, channel);
    let right = load_clamped(row, corner + vec2<i32>(1, 0), channel);
    return left + (right - left) * fraction;
}

fn bicubic(row: u32, corner: vec2<i32>, fraction: vec2<f32>, channel: u32) -> f32 {
    var rows: vec4<f32>;
    for (var i = 0; i < 4; i++) {
        let left = corner + vec2<i32>(-1, i - 1);
        let values = vec4<f32>(
            load_clamped(row, left, channel),
            load_clamped(row, left + vec2<i32>(1, 0), channel),
            load_clamped(row, left + vec2<i32>(2, 0), channel),
            load_clamped(row, left + vec2<i32>(3, 0), channel),
        );
        rows[i] = cubic(values, fraction.x);
    }
    return cubic(rows, fraction.y);
}

// Cubic convolution with a = -1, as Pillow's transform has it, and not the -0.5 of its resize.
fn cubic(v: vec4<f32>, d: f32) -> f32 {
    let linear = v[2] - v[0];
    let square = 2.0 * (v[0] - v[1]) + v[2] - v[3];
    let cube = v[1] - v[0] - v[2] + v[3];
    return v[1] + d * (linear + d * (square + d * cube));
}

// A row or column of a resize: `in` pixels become `out`. The weight of a pixel falls linearly with its distance; where pixels
// become fewer, the slope is less and the average goes over more of them. All weights are whole numbers of 1 / (2 `in` or
// 2 `out`), so that Pillow's coefficients come out exactly.
struct Taps {
    first: u32,
    end: u32,
    centre: i32,       // of the result, in 1 / (2 out) of a pixel
    out: i32,
    reach: i32,        // the distance at which the weight is 0
    total: u32,        // of all weights
}

fn taps(index: u32, before: u32, after: u32) -> Taps {
    let out = i32(after);
    let centre = (2 * i32(index) + 1) * i32(before);
    let reach = 2 * max(i32(before), out);
    let first = u32(max(centre - reach + out, 0)) / (2u * after);
    let end = min(u32(centre + reach + out) / (2u * after), before);
    var result = Taps(first, end, centre, out, reach, 0u);
    for (var tap = first; tap < end; tap++) {
        result.total += weight(result, tap);
    }
    return result;
}

fn weight(taps: Taps, tap: u32) -> u32 {
    return u32(max(taps.reach - abs((2 * i32(tap) + 1) * taps.out - taps.centre), 0));
}

const PRECISION_BITS = 22u;    // of Pillow's coefficients

// round(2^22 weight / total), by division in two steps of 11 bits.
fn coefficient(taps: Taps, tap: u32) -> u32 {
    let high = weight(taps, tap) << (PRECISION_BITS / 2u);
    let low = (high % taps.total) << (PRECISION_BITS / 2u);
    let whole = ((high / taps.total) << (PRECISION_BITS / 2u)) + low / taps.total;
    return whole + select(0u, 1u, 2u * (low % taps.total) >= taps.total);
}

fn rounded(sum: u32) -> u32 {
    return min((sum + (1u << (PRECISION_BITS - 1u))) >> PRECISION_BITS, 255u);
}

// Pixels of a box that one of the result averages along a side, at most.
override TAPS_ACROSS: u32 = 2u * max(WIDTH, OUT_WIDTH) / OUT_WIDTH + 1u;
override TAPS_DOWN: u32 = 2u * max(HEIGHT, OUT_HEIGHT) / OUT_HEIGHT + 1u;

override ITERATIONS_RESIZE_ROWS: u32 = TAPS_ACROSS + CHANNELS * (1u + TAPS_ACROSS);

// after = the rows of the box that a resize takes from before, each as long as in the result: [HEIGHT, OUT_WIDTH]
//
// Pillow, too, resizes along the rows and then down the columns, and rounds to bytes in between.
@compute @workgroup_size(WORKGROUP)
fn resize_rows(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let pixel = pixel_at(flat_index(workgroup_id, workgroups, local_index, WORKGROUP), HEIGHT, OUT_WIDTH);
    if pixel.row >= BATCH {
        return;
    }
    let box = warps[pixel.row * SLOTS + SLOT].matrix;
    if pixel.at.y >= u32(box[3]) {
        return;
    }
    let corner = vec2<u32>(u32(box[0]), u32(box[1]));
    let across = taps(pixel.at.x, u32(box[2]), OUT_WIDTH);
    for (var channel = 0u; channel < CHANNELS; channel++) {
        var sum = 0u;
        for (var tap = across.first; tap < across.end; tap++) {
            let at = corner + vec2<u32>(tap, pixel.at.y);
            sum += load(pixel.row, at, WIDTH, channel) * coefficient(across, tap);
        }
        after[pixel.place + channel] = rounded(sum);
    }
}

override ITERATIONS_RESIZE_COLUMNS: u32 = TAPS_DOWN + CHANNELS * (1u + TAPS_DOWN);

// after = the columns of the result, from those rows
@compute @workgroup_size(WORKGROUP)
fn resize_columns(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let pixel = pixel_at(flat_index(workgroup_id, workgroups, local_index, WORKGROUP), OUT_HEIGHT, OUT_WIDTH);
    if pixel.row >= BATCH {
        return;
    }
    let down = taps(pixel.at.y, u32(warps[pixel.row * SLOTS + SLOT].matrix[3]), OUT_HEIGHT);
    for (var channel = 0u; channel < CHANNELS; channel++) {
        var sum = 0u;
        for (var tap = down.first; tap < down.end; tap++) {
            sum += load(pixel.row, vec2<u32>(pixel.at.x, tap), OUT_WIDTH, channel) * coefficient(down, tap);
        }
        after[pixel.place + channel] = rounded(sum);
    }
}
