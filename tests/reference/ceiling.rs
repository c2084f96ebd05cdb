//! Twin of `shaders/ceiling.wgsl`: a copy, and chains of multiply-adds.

/// Chains of each component, and links of a chain in a round.
const CHAINS: usize = 4;
const LINKS: u32 = 4;

/// `y`: what `x` is.
pub fn copy(x: &[f64]) -> Vec<f64> {
    x.to_vec()
}

/// `y` of `vectors` vectors of four after `rounds` rounds.
pub fn multiply_add(vectors: usize, rounds: u32) -> Vec<f64> {
    let mut y = vec![0.0; 4 * vectors];
    for i in 0..vectors {
        for k in 0..4 {
            for c in 0..CHAINS {
                let mut s = (i % 256 + k + 4 * c) as f64 / 256.0;
                for _ in 0..LINKS * rounds {
                    s = 0.75 * s + 0.125;
                }
                y[4 * i + k] += s;
            }
        }
    }
    y
}
