//! Twin of `shaders/conv2d*`:
//! `y[n, oy, ox, o] = bias[o] + sum over c, ky, kx of weight[o, c, ky, kx] * x[n, oy*SY + ky - PY, ox*SX + kx - PX, c0 + c]`
//! where `x` outside the image is zero, and `c0` the first channel of the group that `o` belongs to.

/// The sizes of one convolution. Pairs are (vertical, horizontal).
#[derive(Clone, Copy, Debug)]
pub struct Conv2d {
    /// Images N.
    pub batch: usize,
    /// Input rows.
    pub height: usize,
    /// Input columns.
    pub width: usize,
    /// Input channels.
    pub in_channels: usize,
    /// Output channels.
    pub out_channels: usize,
    /// Kernel rows and columns.
    pub kernel: [usize; 2],
    /// Step of the kernel.
    pub stride: [usize; 2],
    /// Zeros added above and to the left.
    pub padding: [usize; 2],
    /// Zeros added below and to the right.
    pub padding_end: [usize; 2],
    /// Parts of the channels that are convolved on their own.
    pub groups: usize,
}

impl Conv2d {
    /// Output rows.
    pub fn out_height(&self) -> usize {
        (self.height + self.padding[0] + self.padding_end[0] - self.kernel[0]) / self.stride[0] + 1
    }

    /// Output columns.
    pub fn out_width(&self) -> usize {
        (self.width + self.padding[1] + self.padding_end[1] - self.kernel[1]) / self.stride[1] + 1
    }

    /// Elements of `x` `[N, H, W, CIN]`.
    pub fn x_len(&self) -> usize {
        self.batch * self.height * self.width * self.in_channels
    }

    /// Input channels that an output channel is made of.
    pub fn group_channels(&self) -> usize {
        self.in_channels / self.groups
    }

    /// Elements of `weight` `[COUT, CIN / G, KH, KW]`.
    pub fn weight_len(&self) -> usize {
        self.out_channels * self.group_channels() * self.kernel[0] * self.kernel[1]
    }

    /// Elements of `y` `[N, OH, OW, COUT]`.
    pub fn y_len(&self) -> usize {
        self.batch * self.out_height() * self.out_width() * self.out_channels
    }

    /// Calls `product(x, weight, y)` with the flat index of each factor and of the sum it belongs to, for every
    /// multiplication of the convolution. The forward pass and both gradients are the same products, summed differently.
    fn for_each_product(&self, mut product: impl FnMut(usize, usize, usize)) {
        for n in 0..self.batch {
            for oy in 0..self.out_height() {
                for ox in 0..self.out_width() {
                    for ky in 0..self.kernel[0] {
                        for kx in 0..self.kernel[1] {
                            // Coordinates in the padded image.
                            let iy = oy * self.stride[0] + ky;
                            let ix = ox * self.stride[1] + kx;
                            let inside = (self.padding[0]..self.padding[0] + self.height)
                                .contains(&iy)
                                && (self.padding[1]..self.padding[1] + self.width).contains(&ix);
                            if !inside {
                                continue;
                            }
                            let (iy, ix) = (iy - self.padding[0], ix - self.padding[1]);
                            for c in 0..self.group_channels() {
                                for o in 0..self.out_channels {
                                    let group = o / (self.out_channels / self.groups);
                                    let x = ((n * self.height + iy) * self.width + ix)
                                        * self.in_channels
                                        + group * self.group_channels()
                                        + c;
                                    let weight = ((o * self.group_channels() + c) * self.kernel[0]
                                        + ky)
                                        * self.kernel[1]
                                        + kx;
                                    let y = ((n * self.out_height() + oy) * self.out_width() + ox)
                                        * self.out_channels
                                        + o;
                                    product(x, weight, y);
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// `y` from `x`, `weight` and, where there is one, `bias` `[COUT]`.
pub fn forward(shape: &Conv2d, x: &[f64], weight: &[f64], bias: Option<&[f64]>) -> Vec<f64> {
    assert_eq!(x.len(), shape.x_len());
    assert_eq!(weight.len(), shape.weight_len());
    let mut y = vec![0.0; shape.y_len()];
    if let Some(bias) = bias {
        for (i, y) in y.iter_mut().enumerate() {
            *y = bias[i % shape.out_channels];
        }
    }
    shape.for_each_product(|xi, wi, yi| y[yi] += weight[wi] * x[xi]);
    y
}

/// `dx` from `weight` and `dy`.
pub fn backward_input(shape: &Conv2d, weight: &[f64], dy: &[f64]) -> Vec<f64> {
    assert_eq!(dy.len(), shape.y_len());
    let mut dx = vec![0.0; shape.x_len()];
    shape.for_each_product(|xi, wi, yi| dx[xi] += weight[wi] * dy[yi]);
    dx
}

/// `(dweight, dbias)` from `x` and `dy`.
pub fn backward_weight(shape: &Conv2d, x: &[f64], dy: &[f64]) -> (Vec<f64>, Vec<f64>) {
    assert_eq!(dy.len(), shape.y_len());
    let mut dweight = vec![0.0; shape.weight_len()];
    shape.for_each_product(|xi, wi, yi| dweight[wi] += x[xi] * dy[yi]);
    let mut dbias = vec![0.0; shape.out_channels];
    for (i, dy) in dy.iter().enumerate() {
        dbias[i % shape.out_channels] += dy;
    }
    (dweight, dbias)
}
