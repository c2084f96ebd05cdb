// Library: step, warp
// x[n] = normalise(warp_k(... warp_1(images[order[n]])))
//
// Fetches the images of this step and takes each through its operations. As torchvision does on PIL images, every operation
// leaves whole bytes behind, by Pillow's rules; between operations an image lies in one of two buffers.
//
// `forward` does everything at once, a workgroup for each image: for small images. The other entry points are a dispatch for
// each operation, an invocation for each pixel, however large the image is: `fetch`, then `warp_pixels`, or `resize_rows` and
// `resize_columns`, for each operation, then `normalise`.

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
override LONGEST: u32;       // the longest and the shortest side of an image on the way
override SHORTEST: u32;
override STAGED: bool;       // the images are those of the batch in its order
override STRIDE: u32;        // bytes from one image to the next

@group(0) @binding(0) var<storage, read> step: array<Step>;            // [1]
@group(0) @binding(1) var<storage, read> order: array<u32>;            // [count], a permutation of the data set
@group(0) @binding(2) var<storage, read> images: array<u32>;           // [count, HEIGHT, WIDTH, CHANNELS] bytes
@group(0) @binding(3) var<storage, read> normalisation: array<f32>;    // [2, CHANNELS]: x = byte * scale + shift
@group(0) @binding(4) var<storage, read> warps: array<Warp>;           // [BATCH, SLOTS]
@group(0) @binding(5) var<storage, read_write> before: array<u32>;     // [BATCH, LARGEST] bytes, one a word
@group(0) @binding(6) var<storage, read_write> after: array<u32>;      // [BATCH, LARGEST] bytes, one a word
@group(0) @binding(7) var<storage, read_write> x: array<f32>;          // [BATCH, OUT_HEIGHT, OUT_WIDTH, CHANNELS]

const WORKGROUP = 64u;

// Pixels that a resize averages along one side, at most.
override TAPS: u32 = 2u * LONGEST / SHORTEST + 2u;

// Of any operation, for one pixel: a resize, or the 4 rows of a bicubic interpolation.
override ITERATIONS_OF_PIXEL: u32 = 2u * TAPS + CHANNELS * max(1u + TAPS * (1u + TAPS), 5u);
override VALUES_OF_INVOCATION: u32 = LARGEST / WORKGROUP + 1u;
override PIXELS_OF_INVOCATION: u32 = LARGEST / CHANNELS / WORKGROUP + 1u;
override ITERATIONS_FORWARD: u32 = 2u * VALUES_OF_INVOCATION + SLOTS * (1u + PIXELS_OF_INVOCATION * (1u + ITERATIONS_OF_PIXEL));

// An image [height, width, CHANNELS] in one of the two buffers.
struct Image {
    is_after: bool,
    start: u32,
    height: u32,
    width: u32,
}

@compute @workgroup_size(WORKGROUP)
fn forward(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let row = flat_index(workgroup_id, workgroups, 0u, 1u);
    if row >= BATCH {
        return;
    }
    var image = Image(false, row * LARGEST, HEIGHT, WIDTH);
    for (var value = local_index; value < HEIGHT * WIDTH * CHANNELS; value += WORKGROUP) {
        before[image.start + value] = stored_byte(row, value);
    }
    for (var slot = 0u; slot < SLOTS; slot++) {
        storageBarrier();
        let warp = warps[row * SLOTS + slot];
        let result = Image(!image.is_after, image.start, warp.height, warp.width);
        for (var pixel = local_index; pixel < result.height * result.width; pixel += WORKGROUP) {
            write_pixel(image, warp, result, pixel);
        }
        image = result;
    }
    storageBarrier();
    for (var value = local_index; value < OUT_HEIGHT * OUT_WIDTH * CHANNELS; value += WORKGROUP) {
        x[row * OUT_HEIGHT * OUT_WIDTH * CHANNELS + value] = normalised(byte_at(image, value), value % CHANNELS);
    }
}

// A byte of the image that is number `row` of the batch.
fn stored_byte(row: u32, value: u32) -> u32 {
    let byte = select(order[step[0].in_epoch * FULL_BATCH + row], row, STAGED) * STRIDE + value;
    return (images[byte / 4u] >> (8u * (byte % 4u))) & 0xffu;
}

fn normalised(byte: u32, channel: u32) -> f32 {
    return f32(byte) * normalisation[channel] + normalisation[CHANNELS + channel];
}

fn write_pixel(image: Image, warp: Warp, result: Image, pixel: u32) {
    let at = vec2<i32>(i32(pixel % result.width), i32(pixel / result.width));
    let place = pixel * CHANNELS;
    switch warp.kind {
        case NEAREST: { write_nearest(image, warp.matrix, at, result, place); }
        case RESIZE: { write_resized(image, warp.matrix, at, result, place); }
        default: { write_interpolated(image, warp.kind, warp.homography, at, result, place); }
    }
}

// The pixel of an invocation among those of all images of the batch, [height, width] each.
struct Pixel {
    row: u32,     // the image; BATCH and more behind the last one
    at: vec2<u32>,
    place: u32,   // of its first value in the image
}

fn pixel_at(index: u32, height: u32, width: u32) -> Pixel {
    let pixel = index % (height * width);
    return Pixel(index / (height * width), vec2<u32>(pixel % width, pixel / width), pixel * CHANNELS);
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
    for (var value = pixel.place; value < pixel.place + CHANNELS; value++) {
        after[pixel.row * LARGEST + value] = stored_byte(pixel.row, value);
    }
}

override ITERATIONS_WARP_PIXELS: u32 = 5u * CHANNELS;

// after = warp(before), for all kinds but a resize
@compute @workgroup_size(WORKGROUP)
fn warp_pixels(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let pixel = pixel_at(flat_index(workgroup_id, workgroups, local_index, WORKGROUP), HEIGHT, WIDTH);
    if pixel.row >= BATCH {
        return;
    }
    let warp = warps[pixel.row * SLOTS + SLOT];
    let image = Image(false, pixel.row * LARGEST, HEIGHT, WIDTH);
    let result = Image(true, pixel.row * LARGEST, HEIGHT, WIDTH);
    let at = vec2<i32>(pixel.at);
    if warp.kind == NEAREST {
        write_nearest(image, warp.matrix, at, result, pixel.place);
    } else {
        write_interpolated(image, warp.kind, warp.homography, at, result, pixel.place);
    }
}

override ITERATIONS_RESIZE_ROWS: u32 = TAPS + CHANNELS * (1u + TAPS);

// after = the rows of the box that a resize takes from before, each as long as in the result: [HEIGHT, OUT_WIDTH]
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
    if i32(pixel.at.y) >= box[3] {
        return;
    }
    let image = Image(false, pixel.row * LARGEST, HEIGHT, WIDTH);
    let across = taps(pixel.at.x, u32(box[2]), OUT_WIDTH);
    let y = box[1] + i32(pixel.at.y);
    for (var channel = 0u; channel < CHANNELS; channel++) {
        after[pixel.row * LARGEST + pixel.place + channel] = average_of_row(image, box[0], y, across, channel);
    }
}

override ITERATIONS_RESIZE_COLUMNS: u32 = TAPS + CHANNELS * (1u + TAPS);

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
    let rows = Image(false, pixel.row * LARGEST, HEIGHT, OUT_WIDTH);
    let down = taps(pixel.at.y, u32(warps[pixel.row * SLOTS + SLOT].matrix[3]), OUT_HEIGHT);
    for (var channel = 0u; channel < CHANNELS; channel++) {
        var column = 0u;
        for (var y = down.first; y < down.end; y++) {
            column += load(rows, vec2<i32>(vec2<u32>(pixel.at.x, y)), channel) * coefficient(down, y);
        }
        after[pixel.row * LARGEST + pixel.place + channel] = rounded(column);
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
        x[index * CHANNELS + channel] = normalised(before[pixel.row * LARGEST + pixel.place + channel], channel);
    }
}

fn byte_at(image: Image, value: u32) -> u32 {
    if image.is_after {
        return after[image.start + value];
    }
    return before[image.start + value];
}

fn store(image: Image, value: u32, byte: u32) {
    if image.is_after {
        after[image.start + value] = byte;
    } else {
        before[image.start + value] = byte;
    }
}

// The value at column `at.x` and row `at.y`, both inside.
fn load(image: Image, at: vec2<i32>, channel: u32) -> u32 {
    return byte_at(image, (u32(at.y) * image.width + u32(at.x)) * CHANNELS + channel);
}

// The same, the nearest one for a place outside.
fn load_clamped(image: Image, at: vec2<i32>, channel: u32) -> f32 {
    let last = vec2<i32>(i32(image.width), i32(image.height)) - 1;
    return f32(load(image, clamp(at, vec2<i32>(0, 0), last), channel));
}

// In 16.16 fixed point, as Pillow's affine_fixed.
fn write_nearest(image: Image, matrix: array<i32, 6>, at: vec2<i32>, result: Image, place: u32) {
    let origin = vec2<i32>(
        (matrix[0] * at.x + matrix[1] * at.y + matrix[2]) >> 16u,
        (matrix[3] * at.x + matrix[4] * at.y + matrix[5]) >> 16u,
    );
    let inside = all(origin >= vec2<i32>(0, 0)) && origin.x < i32(image.width) && origin.y < i32(image.height);
    for (var channel = 0u; channel < CHANNELS; channel++) {
        var value = 0u;
        if inside {
            value = load(image, origin, channel);
        }
        store(result, place + channel, value);
    }
}

// As Pillow's bilinear_filter and bicubic_filter, which cut the fraction of the result off.
fn write_interpolated(image: Image, kind: u32, h: array<f32, 8>, at: vec2<i32>, result: Image, place: u32) {
    let centre = vec2<f32>(at) + 0.5;
    let divisor = h[6] * centre.x + h[7] * centre.y + 1.0;
    let origin = vec2<f32>(
        (h[0] * centre.x + h[1] * centre.y + h[2]) / divisor,
        (h[3] * centre.x + h[4] * centre.y + h[5]) / divisor,
    );
    let size = vec2<f32>(f32(image.width), f32(image.height));
    let inside = all(origin >= vec2<f32>(0.0, 0.0)) && all(origin < size);
    let corner = floor(origin - 0.5);
    let fraction = origin - 0.5 - corner;
    for (var channel = 0u; channel < CHANNELS; channel++) {
        var value = 0.0;
        if inside && kind == BILINEAR {
            value = bilinear(image, vec2<i32>(corner), fraction, channel);
        } else if inside {
            value = bicubic(image, vec2<i32>(corner), fraction, channel);
        }
        store(result, place + channel, u32(clamp(value, 0.0, 255.0)));
    }
}

fn bilinear(image: Image, corner: vec2<i32>, fraction: vec2<f32>, channel: u32) -> f32 {
    let above = bilinear_row(image, corner, fraction.x, channel);
    let below = bilinear_row(image, corner + vec2<i32>(0, 1), fraction.x, channel);
    return above + (below - above) * fraction.y;
}

fn bilinear_row(image: Image, corner: vec2<i32>, fraction: f32, channel: u32) -> f32 {
    let left = load_clamped(image, corner, channel);
    let right = load_clamped(image, corner + vec2<i32>(1, 0), channel);
    return left + (right - left) * fraction;
}

fn bicubic(image: Image, corner: vec2<i32>, fraction: vec2<f32>, channel: u32) -> f32 {
    var rows: vec4<f32>;
    for (var i = 0; i < 4; i++) {
        let left = corner + vec2<i32>(-1, i - 1);
        let values = vec4<f32>(
            load_clamped(image, left, channel),
            load_clamped(image, left + vec2<i32>(1, 0), channel),
            load_clamped(image, left + vec2<i32>(2, 0), channel),
            load_clamped(image, left + vec2<i32>(3, 0), channel),
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

// Along the row `y` of a box that begins at column `left`, as a whole byte.
fn average_of_row(image: Image, left: i32, y: i32, across: Taps, channel: u32) -> u32 {
    var sum = 0u;
    for (var x = across.first; x < across.end; x++) {
        sum += load(image, vec2<i32>(left + i32(x), y), channel) * coefficient(across, x);
    }
    return rounded(sum);
}

// Along the rows and then down the columns, as Pillow's resize: the first result is rounded to bytes too.
fn write_resized(image: Image, box: array<i32, 6>, at: vec2<i32>, result: Image, place: u32) {
    let across = taps(u32(at.x), u32(box[2]), result.width);
    let down = taps(u32(at.y), u32(box[3]), result.height);
    for (var channel = 0u; channel < CHANNELS; channel++) {
        var column = 0u;
        for (var y = down.first; y < down.end; y++) {
            column += average_of_row(image, box[0], box[1] + i32(y), across, channel) * coefficient(down, y);
        }
        store(result, place + channel, rounded(column));
    }
}
