//! Random data for benches, the same at every run.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A stream of random numbers.
pub struct Noise(ChaCha8Rng);

impl Noise {
    /// The stream of a seed.
    pub fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// The stream of a name.
    pub fn named(name: &str) -> Self {
        let mix = |key: u64, byte: u8| (key ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        Self::new(name.bytes().fold(0xcbf2_9ce4_8422_2325, mix))
    }

    /// Numbers of [-1, 1).
    pub fn values(&mut self, count: usize) -> Vec<f32> {
        let unit = |bits: u32| (bits >> 8) as f32 / 8_388_608.0 - 1.0;
        (0..count).map(|_| unit(self.0.next_u32())).collect()
    }

    /// Bytes below `end`.
    pub fn bytes(&mut self, count: usize, end: u32) -> Vec<u8> {
        (0..count)
            .map(|_| (self.0.next_u32() % end) as u8)
            .collect()
    }
}
