//! Twin of `shaders/lib/random.wgsl`: random bits as a function of what they are for, with no state to carry.
//!
//! The hash is PCG-RXS-M-XS-32 (Jarzynski and Olano, "Hash Functions for GPU Rendering", JCGT 9(3), 2020).

/// Mixes the bits of `v`; a bijection of the 32-bit integers.
pub fn pcg(v: u32) -> u32 {
    let state = v.wrapping_mul(747_796_405).wrapping_add(2_891_336_453);
    let word = ((state >> ((state >> 28) + 4)) ^ state).wrapping_mul(277_803_737);
    (word >> 22) ^ word
}

/// 32 random bits for draw `index` of layer `layer` in training step `step` of a run seeded with `seed`.
pub fn random_bits(seed: u32, step: u32, layer: u32, index: u32) -> u32 {
    let mut bits = pcg(seed);
    for counter in [step, layer, index] {
        bits = pcg(counter.wrapping_add(bits));
    }
    bits
}
