// Library: index, step
// m = BETA1 * m + (1 - BETA1) * g,   v = BETA2 * v + (1 - BETA2) * g^2
// parameter -= lr * (m / correction1) / (sqrt(v / correction2) + EPS)       update (PyTorch's Adam)
//
// g is the gradient plus WEIGHT_DECAY * parameter; or, if DECOUPLED, it is the gradient alone, and the parameter is first
// multiplied by 1 - lr * WEIGHT_DECAY (PyTorch's AdamW). lr is the rate of the schedule times RATE. One dispatch updates all
// parameters of one RATE.

override QUADS: u32;            // parameters, in fours
override RATE: f32;
override BETA1: f32;
override BETA2: f32;
override ONE_MINUS_BETA1: f32;  // given, because in f32 1 - 0.999 is 0.0009999871
override ONE_MINUS_BETA2: f32;
override EPS: f32;
override WEIGHT_DECAY: f32;
override DECOUPLED: bool;

@group(0) @binding(0) var<storage, read> step: array<Step>;                // [1]
@group(0) @binding(1) var<storage, read> schedule: array<Schedule>;        // [steps of an epoch]
@group(0) @binding(2) var<storage, read> gradients: array<vec4<f32>>;        // [QUADS]
@group(0) @binding(3) var<storage, read_write> m: array<vec4<f32>>;          // [QUADS]
@group(0) @binding(4) var<storage, read_write> v: array<vec4<f32>>;          // [QUADS]
@group(0) @binding(5) var<storage, read_write> parameters: array<vec4<f32>>; // [QUADS]

@compute @workgroup_size(64)
fn update(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let index = flat_index(workgroup_id, workgroups, local_index, 64u);
    if index >= QUADS {
        return;
    }
    let now = schedule[step[0].in_epoch];
    let lr = RATE * now.lr;
    let before = parameters[index];
    let decay = WEIGHT_DECAY * before;
    let gradient = gradients[index] + select(decay, vec4<f32>(), DECOUPLED);
    let parameter = before - select(vec4<f32>(), lr * decay, DECOUPLED);
    let mean = BETA1 * m[index] + ONE_MINUS_BETA1 * gradient;
    let square = BETA2 * v[index] + ONE_MINUS_BETA2 * gradient * gradient;
    m[index] = mean;
    v[index] = square;
    let denominator = sqrt(square / now.bias_correction2) + EPS;
    parameters[index] = parameter - lr * (mean / now.bias_correction1) / denominator;
}
