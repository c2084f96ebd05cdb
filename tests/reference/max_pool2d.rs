//! Twin of `shaders/max_pool2d.wgsl`: the maximum of each window, per channel; what it holds of the padding counts as -inf,
//! incomplete windows are dropped.
//! The gradient goes to the first maximum of a window in row-major order, or to its last NaN, as PyTorch does on a CPU.

use std::ops::Range;

/// The sizes of one pooling. Pairs are (vertical, horizontal).
#[derive(Clone, Copy, Debug)]
pub struct MaxPool2d {
    /// Images N.
    pub batch: usize,
    /// Input rows.
    pub height: usize,
    /// Input columns.
    pub width: usize,
    /// Channels, pooled one by one.
    pub channels: usize,
    /// Window rows and columns.
    pub window: [usize; 2],
    /// Step of the window. Smaller than the window: windows overlap.
    pub stride: [usize; 2],
    /// Rows above and below, and columns on both sides.
    pub padding: [usize; 2],
}

impl MaxPool2d {
    /// Output rows.
    pub fn out_height(&self) -> usize {
        (self.height + 2 * self.padding[0] - self.window[0]) / self.stride[0] + 1
    }

    /// Output columns.
    pub fn out_width(&self) -> usize {
        (self.width + 2 * self.padding[1] - self.window[1]) / self.stride[1] + 1
    }

    /// Elements of `x` `[N, H, W, C]`.
    pub fn x_len(&self) -> usize {
        self.batch * self.height * self.width * self.channels
    }

    /// Elements of `y` `[N, OH, OW, C]`.
    pub fn y_len(&self) -> usize {
        self.batch * self.out_height() * self.out_width() * self.channels
    }

    /// What window `o` covers of an axis of the image of `size`.
    fn inside(&self, axis: usize, o: usize, size: usize) -> Range<usize> {
        let start = o * self.stride[axis];
        let end = start + self.window[axis];
        start.saturating_sub(self.padding[axis])..(end - self.padding[axis]).min(size)
    }

    /// For every element of `y` in order: the index in `x` of its first maximum, or of its last NaN.
    pub fn first_maxima(&self, x: &[f64]) -> Vec<usize> {
        assert_eq!(x.len(), self.x_len());
        let mut maxima = Vec::with_capacity(self.y_len());
        for n in 0..self.batch {
            for oy in 0..self.out_height() {
                for ox in 0..self.out_width() {
                    for c in 0..self.channels {
                        let rows = self.inside(0, oy, self.height);
                        let columns = self.inside(1, ox, self.width);
                        let index =
                            |iy, ix| ((n * self.height + iy) * self.width + ix) * self.channels + c;
                        let mut best = index(rows.start, columns.start);
                        for iy in rows {
                            for ix in columns.clone() {
                                let value = x[index(iy, ix)];
                                if value > x[best] || value.is_nan() {
                                    best = index(iy, ix);
                                }
                            }
                        }
                        maxima.push(best);
                    }
                }
            }
        }
        maxima
    }
}

/// `y`, the maximum of each window of `x`.
pub fn forward(shape: &MaxPool2d, x: &[f64]) -> Vec<f64> {
    shape.first_maxima(x).into_iter().map(|i| x[i]).collect()
}

/// `dx` from `x` and `dy`; where windows overlap their gradients add up.
pub fn backward(shape: &MaxPool2d, x: &[f64], dy: &[f64]) -> Vec<f64> {
    assert_eq!(dy.len(), shape.y_len());
    let mut dx = vec![0.0; shape.x_len()];
    for (i, dy) in shape.first_maxima(x).into_iter().zip(dy) {
        dx[i] += dy;
    }
    dx
}
