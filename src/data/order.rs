//! The order in which an epoch visits the training images.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// First of the ChaCha streams used here, so that another use of the same seed draws other bits.
const STREAM: u64 = u64::from_be_bytes(*b"order\0\0\0");

/// A random permutation of `0..count` (Fisher-Yates), the same on every machine for the same
/// `seed` and `epoch`, and independent between epochs.
pub fn shuffled_order(count: usize, seed: u64, epoch: u64) -> Vec<u32> {
    shuffled(count, seed, STREAM.wrapping_add(epoch))
}

/// A random permutation of `0..count` by a stream of the seed.
pub(super) fn shuffled(count: usize, seed: u64, stream: u64) -> Vec<u32> {
    let count = u32::try_from(count).expect("an index of the data set fits 32 bits");
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(stream);
    let mut order: Vec<u32> = (0..count).collect();
    for last in (1..order.len()).rev() {
        order.swap(last, below(&mut rng, last + 1));
    }
    order
}

/// A uniform draw from `0..bound`: the high half of a 128-bit product, biased by less than
/// `bound` / 2^64.
fn below(rng: &mut ChaCha8Rng, bound: usize) -> usize {
    ((u128::from(rng.next_u64()) * bound as u128) >> 64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_index_appears_once() {
        for count in [0, 1, 2, 3, 64, 60_000] {
            let mut order = shuffled_order(count, 7, 3);
            order.sort_unstable();
            assert!(order.into_iter().eq(0..count as u32));
        }
    }

    #[test]
    fn seed_and_epoch_decide_the_order() {
        let order = shuffled_order(1000, 1, 1);
        assert_eq!(order, shuffled_order(1000, 1, 1));
        assert_ne!(order, shuffled_order(1000, 1, 2));
        assert_ne!(order, shuffled_order(1000, 2, 1));
    }

    /// Pinned so that a change of generator, which would change every recorded run, is noticed.
    #[test]
    fn the_order_is_pinned() {
        assert_eq!(shuffled_order(8, 0, 0), [4, 1, 2, 7, 5, 3, 6, 0]);
    }

    /// Each of the 6 orders of three is drawn with probability 1/6: 6000 draws, 5 sigma = 145.
    #[test]
    fn all_orders_are_equally_likely() {
        let mut seen = std::collections::BTreeMap::new();
        for epoch in 0..6000 {
            *seen.entry(shuffled_order(3, 0, epoch)).or_insert(0i32) += 1;
        }
        assert_eq!(seen.len(), 6);
        assert!(seen.values().all(|n| (n - 1000).abs() < 145), "{seen:?}");
    }
}
