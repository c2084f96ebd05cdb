// Library: index, step
// velocity = MOMENTUM * velocity + g,   parameter -= lr * velocity      update (PyTorch's SGD without dampening)
// or, if NESTEROV,                      parameter -= lr * (g + MOMENTUM * velocity)
//
// g is the gradient plus WEIGHT_DECAY * parameter, lr the rate of the schedule times RATE. One dispatch updates all parameters
// of one RATE.

override QUADS: u32;  // parameters, in fours
override RATE: f32;
override MOMENTUM: f32;
override NESTEROV: bool;
override WEIGHT_DECAY: f32;

@group(0) @binding(0) var<storage, read> step: array<Step>;                // [1]
@group(0) @binding(1) var<storage, read> schedule: array<Schedule>;        // [steps of an epoch]
@group(0) @binding(2) var<storage, read> gradients: array<vec4<f32>>;        // [QUADS]
@group(0) @binding(3) var<storage, read_write> velocity: array<vec4<f32>>;   // [QUADS]
@group(0) @binding(4) var<storage, read_write> parameters: array<vec4<f32>>; // [QUADS]

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
    let parameter = parameters[index];
    let gradient = gradients[index] + WEIGHT_DECAY * parameter;
    let v = MOMENTUM * velocity[index] + gradient;
    velocity[index] = v;
    let direction = select(v, gradient + MOMENTUM * v, NESTEROV);
    let lr = RATE * schedule[step[0].in_epoch].lr;
    parameters[index] = parameter - lr * direction;
}
