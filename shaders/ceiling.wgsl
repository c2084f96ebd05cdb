// Library: index
// y = x                                          copy
// y[i] = sum_c s_c(4 ROUNDS),   c = 0..3         multiply_add
// s_c(0)[k] = (i mod 256 + k + 4 c) / 256,   s_c(n + 1) = FACTOR * s_c(n) + SUMMAND
//
// What an adapter can do at most: move memory, and multiply and add in registers.

override ELEMENTS: u32;  // vectors of four
override ROUNDS: u32;

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;        // [ELEMENTS]
@group(0) @binding(1) var<storage, read_write> y: array<vec4<f32>>;  // [ELEMENTS]

@compute @workgroup_size(64)
fn copy(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let index = flat_index(workgroup_id, workgroups, local_index, 64u);
    if index < ELEMENTS {
        y[index] = x[index];
    }
}

const FACTOR = 0.75;
const SUMMAND = 0.125;

// Multiplications of an invocation in one round: four chains of vectors of four, four links each.
const MULTIPLICATIONS = 64u;

alias Chains = array<vec4<f32>, 4>;

fn link(chains: Chains, factor: vec4<f32>) -> Chains {
    const summand = vec4<f32>(SUMMAND);
    return Chains(
        fma(chains[0], factor, summand),
        fma(chains[1], factor, summand),
        fma(chains[2], factor, summand),
        fma(chains[3], factor, summand),
    );
}

override ITERATIONS_MULTIPLY_ADD: u32 = ROUNDS;

@compute @workgroup_size(64)
fn multiply_add(
    @builtin(workgroup_id) workgroup_id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local_index: u32,
) {
    let index = flat_index(workgroup_id, workgroups, local_index, 64u);
    // Not known before the run, so that no compiler multiplies the links out.
    let factor = vec4<f32>(select(1.0, FACTOR, index < ELEMENTS));
    let first = (vec4<f32>(f32(index % 256u)) + vec4<f32>(0.0, 1.0, 2.0, 3.0)) / 256.0;
    const next = vec4<f32>(4.0 / 256.0);
    var chains = Chains(first, first + next, first + 2.0 * next, first + 3.0 * next);
    for (var round = 0u; round < ROUNDS; round++) {
        chains = link(link(link(link(chains, factor), factor), factor), factor);
    }
    if index < ELEMENTS {
        y[index] = (chains[0] + chains[1]) + (chains[2] + chains[3]);
    }
}
