//! Twin of `shaders/dropout.wgsl`: an element is zero with probability `p`, otherwise scaled by `1 / (1 - p)`.
//! The mask is a function of its counters, so backward is the same multiplication applied to `dy`.

use super::random::random_bits;

/// One dropout layer in one training step.
#[derive(Clone, Copy, Debug)]
pub struct Dropout {
    /// Probability of zero, in `[0, 1)`.
    pub p: f64,
    /// Seed of the run.
    pub seed: u32,
    /// Training step.
    pub step: u32,
    /// Number of this dropout layer in its network.
    pub layer: u32,
}

impl Dropout {
    /// The factor, 0 or `1 / (1 - p)`, that draw `index` gives.
    pub fn factor(&self, index: u32) -> f64 {
        let threshold = (self.p * 2f64.powi(32)).floor() as u32;
        if random_bits(self.seed, self.step, self.layer, index) >= threshold {
            1.0 / (1.0 - self.p)
        } else {
            0.0
        }
    }
}

/// Dropout: one draw per element.
pub fn forward(dropout: &Dropout, x: &[f64]) -> Vec<f64> {
    (0..x.len())
        .map(|i| x[i] * dropout.factor(i as u32))
        .collect()
}

/// `dx` of [`forward`].
pub fn backward(dropout: &Dropout, dy: &[f64]) -> Vec<f64> {
    forward(dropout, dy)
}

/// The sizes of a batch of images `[N, H, W, C]` for channel-wise dropout.
#[derive(Clone, Copy, Debug)]
pub struct Images {
    /// Images N.
    pub batch: usize,
    /// Positions H * W.
    pub pixels: usize,
    /// Channels C.
    pub channels: usize,
}

/// Dropout2d: one draw per image and channel, with index `n * C + c`; a channel is kept or lost as a whole.
pub fn forward_2d(dropout: &Dropout, shape: &Images, x: &[f64]) -> Vec<f64> {
    assert_eq!(x.len(), shape.batch * shape.pixels * shape.channels);
    let mut y = vec![0.0; x.len()];
    for n in 0..shape.batch {
        for pixel in 0..shape.pixels {
            for c in 0..shape.channels {
                let i = (n * shape.pixels + pixel) * shape.channels + c;
                y[i] = x[i] * dropout.factor((n * shape.channels + c) as u32);
            }
        }
    }
    y
}

/// `dx` of [`forward_2d`].
pub fn backward_2d(dropout: &Dropout, shape: &Images, dy: &[f64]) -> Vec<f64> {
    forward_2d(dropout, shape, dy)
}
