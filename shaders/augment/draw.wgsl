// Library: index, random, step, warp
// warps[n, SLOT] = what one operation does to sample n of this step
//
// One entry point for each of torchvision's operations, with its parameters and its distribution. Everything is drawn from
// (seed, step, operation, place of the sample in the step), and so nothing of it is stored from step to step.

override BATCH: u32;
override SLOTS: u32;           // operations of the augmentation
override SLOT: u32;            // the place of this one
override STREAM: u32;          // of the random draws
override HEIGHT: u32;          // of the image it is given
override WIDTH: u32;
override OUT_HEIGHT: u32;      // of the image that it makes
override OUT_WIDTH: u32;

@group(0) @binding(0) var<storage, read> step: array<Step>;          // [1]
@group(0) @binding(1) var<storage, read_write> warps: array<Warp>;   // [BATCH, SLOTS]

const DRAWS = 64u;             // random numbers that one sample may take
const ONE = 65536;             // 1 in the fixed point of a matrix
const NO_HOMOGRAPHY = array<f32, 8>();

fn bits(row: u32, draw: u32) -> u32 {
    return random_bits(step[0].seed, step[0].in_training, STREAM, (step[0].first + row) * DRAWS + draw);
}

// Uniform in [0, 1), a multiple of 2^-24.
fn unit(row: u32, draw: u32) -> f32 {
    return f32(bits(row, draw) >> 8u) / 16777216.0;
}

fn between(row: u32, draw: u32, low: f32, high: f32) -> f32 {
    return low + (high - low) * unit(row, draw);
}

// A whole number below `end`, at most 65536.
fn below(row: u32, draw: u32, end: u32) -> u32 {
    return ((bits(row, draw) >> 16u) * end) >> 16u;
}

fn write(row: u32, kind: u32, matrix: array<i32, 6>, homography: array<f32, 8>) {
    warps[row * SLOTS + SLOT] = Warp(kind, OUT_HEIGHT, OUT_WIDTH, matrix, homography);
}

// A nearest-pixel map of whole pixels: x -> x_sign x + x_shift, y -> y_sign y + y_shift.
fn write_whole(row: u32, sign: vec2<i32>, shift: vec2<i32>) {
    let half = ONE / 2;
    let matrix = array<i32, 6>(sign.x * ONE, 0, shift.x * ONE + half, 0, sign.y * ONE, shift.y * ONE + half);
    write(row, NEAREST, matrix, NO_HOMOGRAPHY);
}

override P: f32;               // how often an operation happens at all

// RandomHorizontalFlip and RandomVerticalFlip.
override VERTICAL: bool;

@compute @workgroup_size(64)
fn flip(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let row = flat_index(workgroup_id, workgroups, local_index, 64u);
    if row >= BATCH {
        return;
    }
    if unit(row, 0u) >= P {
        write_whole(row, vec2<i32>(1, 1), vec2<i32>(0, 0));
    } else if VERTICAL {
        write_whole(row, vec2<i32>(1, -1), vec2<i32>(0, i32(HEIGHT) - 1));
    } else {
        write_whole(row, vec2<i32>(-1, 1), vec2<i32>(i32(WIDTH) - 1, 0));
    }
}

// RandomCrop, after padding on all sides.
override PADDING: u32;

@compute @workgroup_size(64)
fn crop(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let row = flat_index(workgroup_id, workgroups, local_index, 64u);
    if row < BATCH {
        let padded = vec2<u32>(WIDTH, HEIGHT) + 2u * PADDING;
        let places = padded - vec2<u32>(OUT_WIDTH, OUT_HEIGHT) + 1u;
        let corner = vec2<u32>(below(row, 0u, places.x), below(row, 1u, places.y));
        write_whole(row, vec2<i32>(1, 1), vec2<i32>(corner) - i32(PADDING));
    }
}

// CenterCrop. Nothing is drawn.
override TOP: i32;
override LEFT: i32;

@compute @workgroup_size(64)
fn center_crop(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let row = flat_index(workgroup_id, workgroups, local_index, 64u);
    if row < BATCH {
        write_whole(row, vec2<i32>(1, 1), vec2<i32>(LEFT, TOP));
    }
}

// Cosine and sine, by their series on [-45, 45] degrees: better than what WGSL promises of its own.
fn cosine_sine(degrees: f32) -> vec2<f32> {
    let quarter = round(degrees / 90.0);
    let angle = (degrees - 90.0 * quarter) * 0.017453292519943295;
    let s = angle * angle;
    let cosine = 1.0 + s * (-1.0 / 2.0 + s * (1.0 / 24.0 + s * (-1.0 / 720.0 + s * (1.0 / 40320.0 - s / 3628800.0))));
    let sine = angle * (1.0 + s * (-1.0 / 6.0 + s * (1.0 / 120.0 + s * (-1.0 / 5040.0 + s / 362880.0))));
    switch i32(quarter) & 3 {
        case 0: { return vec2<f32>(cosine, sine); }
        case 1: { return vec2<f32>(-sine, cosine); }
        case 2: { return vec2<f32>(-cosine, -sine); }
        default: { return vec2<f32>(sine, -cosine); }
    }
}

fn fixed(value: f32) -> i32 {
    return i32(floor(value * f32(ONE) + 0.5));
}

// The image turned clockwise about its centre, then moved: the map goes back from the result.
fn write_turned(row: u32, cosine: f32, sine: f32, shift: vec2<f32>) {
    let centre = vec2<f32>(f32(WIDTH), f32(HEIGHT)) / 2.0;
    let origin = vec2<f32>(0.5, 0.5) - centre - shift;
    let matrix = array<i32, 6>(
        fixed(cosine), fixed(sine), fixed(cosine * origin.x + sine * origin.y + centre.x),
        fixed(-sine), fixed(cosine), fixed(cosine * origin.y - sine * origin.x + centre.y),
    );
    write(row, NEAREST, matrix, NO_HOMOGRAPHY);
}

override DEGREES: f32;         // the largest angle

// RandomRotation: counter-clockwise.
@compute @workgroup_size(64)
fn rotation(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let row = flat_index(workgroup_id, workgroups, local_index, 64u);
    if row < BATCH {
        let turn = cosine_sine(between(row, 0u, -DEGREES, DEGREES));
        write_turned(row, turn.x, -turn.y, vec2<f32>(0.0, 0.0));
    }
}

// RandomAffine of a rotation, clockwise, and a translation by whole pixels.
override TRANSLATE_X: f32;     // pixels
override TRANSLATE_Y: f32;

@compute @workgroup_size(64)
fn affine(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let row = flat_index(workgroup_id, workgroups, local_index, 64u);
    if row < BATCH {
        let turn = cosine_sine(between(row, 0u, -DEGREES, DEGREES));
        let x = round(between(row, 1u, -TRANSLATE_X, TRANSLATE_X));
        let y = round(between(row, 2u, -TRANSLATE_Y, TRANSLATE_Y));
        write_turned(row, turn.x, turn.y, vec2<f32>(x, y));
    }
}

// RandomPerspective: each corner moves inwards by whole pixels.
override INTERPOLATION: u32;   // BILINEAR or BICUBIC
override DISTORTION_X: u32;    // the furthest that a corner moves
override DISTORTION_Y: u32;

override ITERATIONS_PERSPECTIVE: u32 = 4u;

@compute @workgroup_size(64)
fn perspective(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let row = flat_index(workgroup_id, workgroups, local_index, 64u);
    if row >= BATCH {
        return;
    }
    if unit(row, 0u) >= P {
        write_whole(row, vec2<i32>(1, 1), vec2<i32>(0, 0));
        return;
    }
    var corners: array<vec2<f32>, 4>;
    for (var corner = 0u; corner < 4u; corner++) {
        let x = below(row, 1u + 2u * corner, DISTORTION_X + 1u);
        let y = below(row, 2u + 2u * corner, DISTORTION_Y + 1u);
        let right = corner == 1u || corner == 2u;
        let low = corner >= 2u;
        corners[corner] = vec2<f32>(
            f32(select(x, WIDTH - 1u - DISTORTION_X + x, right)),
            f32(select(y, HEIGHT - 1u - DISTORTION_Y + y, low)),
        );
    }
    write(row, INTERPOLATION, array<i32, 6>(), homography_from(corners));
}

// The homography that takes four points (clockwise from the top left) to the corners of the image. Heckbert
// ("Fundamentals of Texture Mapping and Image Warping", 1989, 2.2.3) gives the one from the unit square to the points, times
// its determinant; whole numbers stay exact. Its adjugate is the way back, up to a factor.
fn homography_from(p: array<vec2<f32>, 4>) -> array<f32, 8> {
    let d1 = p[1] - p[2];
    let d2 = p[3] - p[2];
    let sum = p[0] - p[1] + p[2] - p[3];
    let i = cross2(d1, d2);
    let g = cross2(sum, d2);
    let h = cross2(d1, sum);
    let u = (p[1] - p[0]) * i + g * p[1];
    let v = (p[3] - p[0]) * i + h * p[3];
    let t = p[0] * i;

    let scale = vec2<f32>(f32(WIDTH - 1u), f32(HEIGHT - 1u)) / cross2(u, v);
    let one = 1.0 / cross2(u, v);
    return array<f32, 8>(
        (v.y * i - t.y * h) * scale.x, (t.x * h - v.x * i) * scale.x, cross2(v, t) * scale.x,
        (t.y * g - u.y * i) * scale.y, (u.x * i - t.x * g) * scale.y, cross2(t, u) * scale.y,
        (u.y * h - v.y * g) * one, (v.x * g - u.x * h) * one,
    );
}

fn cross2(a: vec2<f32>, b: vec2<f32>) -> f32 {
    return a.x * b.y - a.y * b.x;
}

// RandomResizedCrop: a box of random area and aspect ratio.
override SCALE_LOW: f32;       // the area of the box, as a part of the image's
override SCALE_HIGH: f32;
override LOG_RATIO_LOW: f32;   // ln(width / height) of the box
override LOG_RATIO_HIGH: f32;
override FALLBACK_WIDTH: u32;  // the box if ten tries did not fit
override FALLBACK_HEIGHT: u32;

const TRIES = 10u;

override ITERATIONS_RESIZED_CROP: u32 = TRIES;

@compute @workgroup_size(64)
fn resized_crop(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let row = flat_index(workgroup_id, workgroups, local_index, 64u);
    if row >= BATCH {
        return;
    }
    var box = vec2<u32>(FALLBACK_WIDTH, FALLBACK_HEIGHT);
    var corner = (vec2<u32>(WIDTH, HEIGHT) - box) / 2u;
    for (var draw = 0u; draw < 4u * TRIES; draw += 4u) {
        let area = f32(WIDTH * HEIGHT) * between(row, draw, SCALE_LOW, SCALE_HIGH);
        let ratio = exp(between(row, draw + 1u, LOG_RATIO_LOW, LOG_RATIO_HIGH));
        let tried = vec2<u32>(round(sqrt(vec2<f32>(area * ratio, area / ratio))));
        if all(tried > vec2<u32>(0u, 0u)) && all(tried <= vec2<u32>(WIDTH, HEIGHT)) {
            box = tried;
            corner = vec2<u32>(below(row, draw + 3u, WIDTH - box.x + 1u), below(row, draw + 2u, HEIGHT - box.y + 1u));
            break;
        }
    }
    let numbers = array<i32, 6>(i32(corner.x), i32(corner.y), i32(box.x), i32(box.y), 0, 0);
    write(row, RESIZE, numbers, NO_HOMOGRAPHY);
}

// Resize: the whole image. Nothing is drawn.
@compute @workgroup_size(64)
fn resize(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let row = flat_index(workgroup_id, workgroups, local_index, 64u);
    if row < BATCH {
        let numbers = array<i32, 6>(0, 0, i32(WIDTH), i32(HEIGHT), 0, 0);
        write(row, RESIZE, numbers, NO_HOMOGRAPHY);
    }
}
