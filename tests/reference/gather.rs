//! Twin of `shaders/gather.wgsl`: picks a batch out of the resident 8-bit images and normalises it.

/// Which images, and how they are normalised.
#[derive(Clone, Debug)]
pub struct Gather {
    /// Images N of the batch.
    pub batch: usize,
    /// Positions H * W of an image.
    pub pixels: usize,
    /// Place of the batch's first image in the order.
    pub start: usize,
    /// Mean of each channel, in units of full brightness; its length is the number of channels.
    pub mean: Vec<f64>,
    /// Standard deviation of each channel, in the same units.
    pub std: Vec<f64>,
}

/// `x[n, pixel, c] = (images[order[start + n], pixel, c] / 255 - mean[c]) / std[c]`; `images` is `[COUNT, H * W, C]`.
pub fn forward(gather: &Gather, images: &[u8], order: &[u32]) -> Vec<f64> {
    let channels = gather.mean.len();
    let mut x = vec![0.0; gather.batch * gather.pixels * channels];
    for n in 0..gather.batch {
        let image = order[gather.start + n] as usize;
        for pixel in 0..gather.pixels {
            for c in 0..channels {
                let byte = images[(image * gather.pixels + pixel) * channels + c];
                x[(n * gather.pixels + pixel) * channels + c] =
                    (f64::from(byte) / 255.0 - gather.mean[c]) / gather.std[c];
            }
        }
    }
    x
}
