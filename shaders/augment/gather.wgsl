// Library: step, warp
// x[n] = normalise(warp_k(... warp_1(images[order[n]])))
//
// Fetches the images of this step and takes each through its operations. As torchvision does on PIL images, every operation
// leaves whole bytes behind, by Pillow's rules. One workgroup takes one image; between operations it lies in scratch.

override BATCH: u32;
override FULL_BATCH: u32;    // samples of every step of the epoch but the last
override HEIGHT: u32;        // of a stored image
override WIDTH: u32;
override CHANNELS: u32;
override SLOTS: u32;         // operations
override LARGEST: u32;       // values of the largest image on the way
override SIZE: u32;          // values of a finished image
override STAGED: bool;       // the images are those of the batch in its order
override STRIDE: u32;        // bytes from one image to the next

@group(0) @binding(0) var<storage, read> step: array<Step>;            // [1]
@group(0) @binding(1) var<storage, read> order: array<u32>;            // [count], a permutation of the data set
@group(0) @binding(2) var<storage, read> images: array<u32>;           // [count, HEIGHT, WIDTH, CHANNELS] bytes
@group(0) @binding(3) var<storage, read> normalisation: array<f32>;    // [2, CHANNELS]: x = byte * scale + shift
@group(0) @binding(4) var<storage, read> warps: array<Warp>;           // [BATCH, SLOTS]
@group(0) @binding(5) var<storage, read_write> scratch: array<u32>;    // [BATCH, 2, LARGEST] bytes, one a word
@group(0) @binding(6) var<storage, read_write> x: array<f32>;          // [BATCH, SIZE]

const WORKGROUP = 64u;

// An image [height, width, CHANNELS] in scratch.
struct Image {
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
    let row = workgroup_id.y * workgroups.x + workgroup_id.x;
    if row >= BATCH {
        return;
    }
    let start = row * 2u * LARGEST;
    fetch(row, start, local_index);
    var image = Image(start, HEIGHT, WIDTH);
    for (var slot = 0u; slot < SLOTS; slot++) {
        storageBarrier();
        let warp = warps[row * SLOTS + slot];
        let result = Image(start + LARGEST * ((slot + 1u) % 2u), warp.height, warp.width);
        for (var pixel = local_index; pixel < result.height * result.width; pixel += WORKGROUP) {
            write_pixel(image, warp, result, pixel);
        }
        image = result;
    }
    storageBarrier();
    for (var value = local_index; value < SIZE; value += WORKGROUP) {
        let channel = value % CHANNELS;
        let byte = f32(scratch[image.start + value]);
        x[row * SIZE + value] = byte * normalisation[channel] + normalisation[CHANNELS + channel];
    }
}

fn fetch(row: u32, start: u32, local_index: u32) {
    let size = HEIGHT * WIDTH * CHANNELS;
    let first = select(order[step[0].in_epoch * FULL_BATCH + row], row, STAGED) * STRIDE;
    for (var value = local_index; value < size; value += WORKGROUP) {
        scratch[start + value] = (images[(first + value) / 4u] >> (8u * ((first + value) % 4u))) & 0xffu;
    }
}

fn write_pixel(image: Image, warp: Warp, result: Image, pixel: u32) {
    let at = vec2<i32>(i32(pixel % result.width), i32(pixel / result.width));
    let place = result.start + pixel * CHANNELS;
    switch warp.kind {
        case NEAREST: { write_nearest(image, warp.matrix, at, place); }
        case RESIZE: { write_resized(image, warp.matrix, result, at, place); }
        default: { write_interpolated(image, warp.kind, warp.homography, at, place); }
    }
}

// The value at column `at.x` and row `at.y`, both inside.
fn load(image: Image, at: vec2<i32>, channel: u32) -> u32 {
    return scratch[image.start + (u32(at.y) * image.width + u32(at.x)) * CHANNELS + channel];
}

// The same, the nearest one for a place outside.
fn load_clamped(image: Image, at: vec2<i32>, channel: u32) -> f32 {
    let last = vec2<i32>(i32(image.width), i32(image.height)) - 1;
    return f32(load(image, clamp(at, vec2<i32>(0, 0), last), channel));
}

// In 16.16 fixed point, as Pillow's affine_fixed.
fn write_nearest(image: Image, matrix: array<i32, 6>, at: vec2<i32>, place: u32) {
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
        scratch[place + channel] = value;
    }
}

// As Pillow's bilinear_filter and bicubic_filter, which cut the fraction of the result off.
fn write_interpolated(image: Image, kind: u32, h: array<f32, 8>, at: vec2<i32>, place: u32) {
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
        scratch[place + channel] = u32(clamp(value, 0.0, 255.0));
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

// Along the rows and then down the columns, as Pillow's resize: the first result is rounded to bytes too.
fn write_resized(image: Image, box: array<i32, 6>, result: Image, at: vec2<i32>, place: u32) {
    let across = taps(u32(at.x), u32(box[2]), result.width);
    let down = taps(u32(at.y), u32(box[3]), result.height);
    for (var channel = 0u; channel < CHANNELS; channel++) {
        var column = 0u;
        for (var y = down.first; y < down.end; y++) {
            var line = 0u;
            for (var x = across.first; x < across.end; x++) {
                let origin = vec2<i32>(box[0] + i32(x), box[1] + i32(y));
                line += load(image, origin, channel) * coefficient(across, x);
            }
            column += rounded(line) * coefficient(down, y);
        }
        scratch[place + channel] = rounded(column);
    }
}
