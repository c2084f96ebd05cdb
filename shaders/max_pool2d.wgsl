// Library: activation, nan, index
// y[n, oy, ox, c] = phi(max over the window of x)                forward, which also notes where the maximum was
// dx[n, iy, ix, c] = sum of phi' * dy over the windows it won    backward, with phi' expressed by y
//
// phi is one of lib/activation.wgsl. Windows that do not fit into the padded image are left out (floor), and what they hold of
// the padding, at most half of a window, is not looked at. The first maximum in row-major order wins, but NaN before all, as in
// PyTorch.

override BATCH: u32;
override HEIGHT: u32;
override WIDTH: u32;
override CHANNELS: u32;
override OUT_HEIGHT: u32;
override OUT_WIDTH: u32;
override WINDOW_H: u32;
override WINDOW_W: u32;
override STRIDE_H: u32;
override STRIDE_W: u32;
override PADDING_H: u32;
override PADDING_W: u32;
override ACTIVATION: u32;
override ACCUMULATE: bool;

@group(0) @binding(0) var<storage, read> x: array<f32>;               // [BATCH, HEIGHT, WIDTH, CHANNELS]
@group(0) @binding(1) var<storage, read_write> y: array<f32>;         // [BATCH, OUT_HEIGHT, OUT_WIDTH, CHANNELS]
@group(0) @binding(2) var<storage, read_write> winner: array<u32>;    // like y: place of the maximum in its window

override ITERATIONS_FORWARD: u32 = WINDOW_H * (1u + WINDOW_W);

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
    let ox = index / CHANNELS % OUT_WIDTH;
    let oy = index / (CHANNELS * OUT_WIDTH) % OUT_HEIGHT;
    let image = index / (CHANNELS * OUT_WIDTH * OUT_HEIGHT);

    // The places of the window that lie in the image: first <= k < end in each direction.
    let first_ky = max(oy * STRIDE_H, PADDING_H) - oy * STRIDE_H;
    let first_kx = max(ox * STRIDE_W, PADDING_W) - ox * STRIDE_W;
    let end_ky = min(HEIGHT + PADDING_H - oy * STRIDE_H, WINDOW_H);
    let end_kx = min(WIDTH + PADDING_W - ox * STRIDE_W, WINDOW_W);
    let corner = (image * HEIGHT + oy * STRIDE_H - PADDING_H) * WIDTH + ox * STRIDE_W - PADDING_W;  // may wrap
    var best = x[(corner + first_ky * WIDTH + first_kx) * CHANNELS + channel];
    var place = first_ky * WINDOW_W + first_kx;
    for (var ky = first_ky; ky < end_ky; ky++) {
        for (var kx = first_kx; kx < end_kx; kx++) {
            let candidate = x[(corner + ky * WIDTH + kx) * CHANNELS + channel];
            if exceeds(candidate, best) {
                best = candidate;
                place = ky * WINDOW_W + kx;
            }
        }
    }
    y[index] = activate(ACTIVATION, best);
    winner[index] = place;
}

@group(0) @binding(0) var<storage, read> dy: array<f32>;              // like y
@group(0) @binding(1) var<storage, read> winners: array<u32>;         // the winner of forward
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;        // like x
@group(0) @binding(3) var<storage, read> output: array<f32>;          // the y of forward

// Windows that hold a pixel, at most.
override REACHING_H = (WINDOW_H + STRIDE_H - 1u) / STRIDE_H;
override REACHING_W = (WINDOW_W + STRIDE_W - 1u) / STRIDE_W;

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
    let ix = index / CHANNELS % WIDTH + PADDING_W;
    let iy = index / (CHANNELS * WIDTH) % HEIGHT + PADDING_H;
    let image = index / (CHANNELS * WIDTH * HEIGHT);

    // The windows that hold (iy, ix) of the padded image: first <= o < end in each direction.
    let first_oy = select(0u, (iy - WINDOW_H) / STRIDE_H + 1u, iy >= WINDOW_H);
    let first_ox = select(0u, (ix - WINDOW_W) / STRIDE_W + 1u, ix >= WINDOW_W);
    let end_oy = min(iy / STRIDE_H + 1u, OUT_HEIGHT);
    let end_ox = min(ix / STRIDE_W + 1u, OUT_WIDTH);
    var gradient = select(0.0, dx[index], ACCUMULATE);
    for (var oy = first_oy; oy < end_oy; oy++) {
        for (var ox = first_ox; ox < end_ox; ox++) {
            let window = ((image * OUT_HEIGHT + oy) * OUT_WIDTH + ox) * CHANNELS + channel;
            let place = (iy - oy * STRIDE_H) * WINDOW_W + ix - ox * STRIDE_W;
            if winners[window] == place {
                gradient += activation_slope(ACTIVATION, output[window]) * dy[window];
            }
        }
    }
    dx[index] = gradient;
}
