// Counter-based random bits: a draw depends on its coordinates alone, so backward repeats what forward drew.
// The hash is PCG-RXS-M-XS (Jarzynski & Olano, "Hash Functions for GPU Rendering", JCGT 9(3), 2020).
fn pcg(value: u32) -> u32 {
    let state = value * 747796405u + 2891336453u;
    let word = ((state >> ((state >> 28u) + 4u)) ^ state) * 277803737u;
    return (word >> 22u) ^ word;
}

fn random_bits(seed: u32, step: u32, layer: u32, index: u32) -> u32 {
    return pcg(index + pcg(layer + pcg(step + pcg(seed))));
}
