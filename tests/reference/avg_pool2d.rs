//! Twin of `shaders/avg_pool2d.wgsl`: the mean of each window, per channel; the windows cover the image and overlap where
//! its size is no multiple of theirs, as PyTorch's `AdaptiveAvgPool2d` has them.

use std::ops::Range;

/// The sizes of one pooling.
#[derive(Clone, Copy, Debug)]
pub struct AvgPool2d {
    /// Images N.
    pub batch: usize,
    /// Input rows.
    pub height: usize,
    /// Input columns.
    pub width: usize,
    /// Channels, pooled one by one.
    pub channels: usize,
    /// Output rows and columns.
    pub out: [usize; 2],
}

/// What window `o` of `out` covers of an axis of `size`.
fn window(o: usize, size: usize, out: usize) -> Range<usize> {
    o * size / out..((o + 1) * size).div_ceil(out)
}

impl AvgPool2d {
    /// Elements of `x` `[N, H, W, C]`.
    pub fn x_len(&self) -> usize {
        self.batch * self.height * self.width * self.channels
    }

    /// Elements of `y` `[N, OH, OW, C]`.
    pub fn y_len(&self) -> usize {
        self.batch * self.out[0] * self.out[1] * self.channels
    }

    /// The indices in `x` that each element of `y` is the mean of.
    fn windows(&self) -> Vec<Vec<usize>> {
        let mut windows = Vec::with_capacity(self.y_len());
        for n in 0..self.batch {
            for oy in 0..self.out[0] {
                for ox in 0..self.out[1] {
                    for c in 0..self.channels {
                        let mut indices = Vec::new();
                        for iy in window(oy, self.height, self.out[0]) {
                            for ix in window(ox, self.width, self.out[1]) {
                                let pixel = (n * self.height + iy) * self.width + ix;
                                indices.push(pixel * self.channels + c);
                            }
                        }
                        windows.push(indices);
                    }
                }
            }
        }
        windows
    }
}

/// `y`, the mean of each window of `x`.
pub fn forward(shape: &AvgPool2d, x: &[f64]) -> Vec<f64> {
    assert_eq!(x.len(), shape.x_len());
    let mean = |window: Vec<usize>| {
        let sum: f64 = window.iter().map(|&i| x[i]).sum();
        sum / window.len() as f64
    };
    shape.windows().into_iter().map(mean).collect()
}

/// `dx` from `dy`; where windows overlap their gradients add up.
pub fn backward(shape: &AvgPool2d, dy: &[f64]) -> Vec<f64> {
    assert_eq!(dy.len(), shape.y_len());
    let mut dx = vec![0.0; shape.x_len()];
    for (window, dy) in shape.windows().into_iter().zip(dy) {
        for &i in &window {
            dx[i] += dy / window.len() as f64;
        }
    }
    dx
}
