// Library: index
// y[n, oy, ox, c] = mean of x over window (oy, ox)                   forward
// dx[n, iy, ix, c] = sum of dy / size over the windows that hold it   backward
//
// PyTorch's AdaptiveAvgPool2d: window o of an axis runs from floor(o * SIZE / OUT) to ceil((o + 1) * SIZE / OUT).

override BATCH: u32;
override HEIGHT: u32;
override WIDTH: u32;
override CHANNELS: u32;
override OUT_HEIGHT: u32;
override OUT_WIDTH: u32;
override ACCUMULATE: bool;

@group(0) @binding(0) var<storage, read> x: array<f32>;               // [BATCH, HEIGHT, WIDTH, CHANNELS]
@group(0) @binding(1) var<storage, read_write> y: array<f32>;         // [BATCH, OUT_HEIGHT, OUT_WIDTH, CHANNELS]

// First index and end of window `o` of an axis.
fn window(o: u32, size: u32, out: u32) -> vec2<u32> {
    return vec2<u32>(o * size / out, ((o + 1u) * size + out - 1u) / out);
}

// The largest window.
override LONGEST_H = (HEIGHT + OUT_HEIGHT - 1u) / OUT_HEIGHT + 1u;
override LONGEST_W = (WIDTH + OUT_WIDTH - 1u) / OUT_WIDTH + 1u;

override ITERATIONS_FORWARD: u32 = LONGEST_H * (1u + LONGEST_W);

@compute @workgroup_size(64)
fn forward(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let index = flat_index(workgroup_id, workgroups, local_index, 64u);
    if index >= BATCH * OUT_HEIGHT * OUT_WIDTH * CHANNELS {
        return;
    }
    let channel = index % CHANNELS;
    let columns = window(index / CHANNELS % OUT_WIDTH, WIDTH, OUT_WIDTH);
    let rows = window(index / (CHANNELS * OUT_WIDTH) % OUT_HEIGHT, HEIGHT, OUT_HEIGHT);
    let image = index / (CHANNELS * OUT_WIDTH * OUT_HEIGHT);
    var sum = 0.0;
    for (var iy = rows.x; iy < rows.y; iy++) {
        for (var ix = columns.x; ix < columns.y; ix++) {
            sum += x[((image * HEIGHT + iy) * WIDTH + ix) * CHANNELS + channel];
        }
    }
    y[index] = sum / f32((rows.y - rows.x) * (columns.y - columns.x));
}

@group(0) @binding(0) var<storage, read> dy: array<f32>;              // like y
@group(0) @binding(1) var<storage, read_write> dx: array<f32>;        // like x

// Windows that hold a pixel, at most.
override REACHING_H = (OUT_HEIGHT + HEIGHT - 1u) / HEIGHT + 1u;
override REACHING_W = (OUT_WIDTH + WIDTH - 1u) / WIDTH + 1u;

override ITERATIONS_BACKWARD: u32 = REACHING_H * (1u + REACHING_W);

@compute @workgroup_size(64)
fn backward(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let index = flat_index(workgroup_id, workgroups, local_index, 64u);
    if index >= BATCH * HEIGHT * WIDTH * CHANNELS {
        return;
    }
    let channel = index % CHANNELS;
    let ix = index / CHANNELS % WIDTH;
    let iy = index / (CHANNELS * WIDTH) % HEIGHT;
    let image = index / (CHANNELS * WIDTH * HEIGHT);
    // The windows that hold index i of an axis are those from floor(i * OUT / SIZE) to ceil((i + 1) * OUT / SIZE).
    let columns = window(ix, OUT_WIDTH, WIDTH);
    let rows = window(iy, OUT_HEIGHT, HEIGHT);
    var gradient = select(0.0, dx[index], ACCUMULATE);
    for (var oy = rows.x; oy < rows.y; oy++) {
        let height = window(oy, HEIGHT, OUT_HEIGHT);
        for (var ox = columns.x; ox < columns.y; ox++) {
            let width = window(ox, WIDTH, OUT_WIDTH);
            let size = f32((height.y - height.x) * (width.y - width.x));
            gradient += dy[((image * OUT_HEIGHT + oy) * OUT_WIDTH + ox) * CHANNELS + channel] / size;
        }
    }
    dx[index] = gradient;
}
