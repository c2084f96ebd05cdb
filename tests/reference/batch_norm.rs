//! Twin of `shaders/batch_norm.wgsl`: each channel is normalised over its rows, scaled, shifted and activated.

use super::activation::Activation;

/// The sizes of one normalisation.
#[derive(Clone, Copy, Debug)]
pub struct BatchNorm {
    /// Rows: samples, or the pixels of all images.
    pub rows: usize,
    /// Channels, normalised one by one.
    pub channels: usize,
    /// The function phi behind it.
    pub activation: Activation,
    /// Added to the variance.
    pub eps: f64,
    /// The share of a new batch in the running statistics.
    pub momentum: f64,
    /// Whether the statistics are constants.
    pub frozen: bool,
}

impl BatchNorm {
    /// With PyTorch's defaults, through the statistics of the batch.
    pub fn new(rows: usize, channels: usize, activation: Activation) -> Self {
        Self {
            rows,
            channels,
            activation,
            eps: 1e-5,
            momentum: 0.1,
            frozen: false,
        }
    }
}

/// Mean and variance of every channel: those of a batch, divided by the rows, or the running ones.
#[derive(Clone, Debug)]
pub struct Statistics {
    /// `[C]`.
    pub mean: Vec<f64>,
    /// `[C]`.
    pub var: Vec<f64>,
}

/// What a channel is shifted and divided by.
#[derive(Clone, Debug)]
pub struct Normalisation {
    /// `[C]`.
    pub mean: Vec<f64>,
    /// `1 / sqrt(var + eps)`, `[C]`.
    pub rstd: Vec<f64>,
}

/// What [`backward`] gives.
#[derive(Clone, Debug)]
pub struct Gradients {
    /// Like x.
    pub dx: Vec<f64>,
    /// `[C]`.
    pub dweight: Vec<f64>,
    /// `[C]`.
    pub dbias: Vec<f64>,
}

impl Statistics {
    /// The normalisation that they give.
    pub fn normalisation(&self, shape: &BatchNorm) -> Normalisation {
        Normalisation {
            mean: self.mean.clone(),
            rstd: self
                .var
                .iter()
                .map(|var| 1.0 / (var + shape.eps).sqrt())
                .collect(),
        }
    }

    /// What these running statistics are after a batch, whose unbiased variance they take.
    pub fn after(&self, batch: &Self, shape: &BatchNorm) -> Self {
        let (rows, momentum) = (shape.rows as f64, shape.momentum);
        let unbiased = rows / (rows - 1.0);
        let mix = |old: &[f64], new: &[f64], factor: f64| -> Vec<f64> {
            let both = old.iter().zip(new);
            both.map(|(old, new)| (1.0 - momentum) * old + momentum * factor * new)
                .collect()
        };
        Self {
            mean: mix(&self.mean, &batch.mean, 1.0),
            var: mix(&self.var, &batch.var, unbiased),
        }
    }
}

/// The statistics of a batch `x` `[rows, C]`.
pub fn statistics(shape: &BatchNorm, x: &[f64]) -> Statistics {
    assert_eq!(x.len(), shape.rows * shape.channels);
    let rows = shape.rows as f64;
    let mut mean = vec![0.0; shape.channels];
    let mut var = vec![0.0; shape.channels];
    for c in 0..shape.channels {
        for row in 0..shape.rows {
            mean[c] += x[row * shape.channels + c] / rows;
        }
        for row in 0..shape.rows {
            let difference = x[row * shape.channels + c] - mean[c];
            var[c] += difference * difference / rows;
        }
    }
    Statistics { mean, var }
}

/// `y` `[rows, C]`.
pub fn forward(
    shape: &BatchNorm,
    x: &[f64],
    norm: &Normalisation,
    weight: &[f64],
    bias: &[f64],
) -> Vec<f64> {
    let mut y = vec![0.0; x.len()];
    for row in 0..shape.rows {
        for c in 0..shape.channels {
            let i = row * shape.channels + c;
            let xhat = (x[i] - norm.mean[c]) * norm.rstd[c];
            y[i] = shape.activation.activate(xhat * weight[c] + bias[c]);
        }
    }
    y
}

/// Gradients through the statistics, unless these are constants, from the output `y` of [`forward`] and its gradient.
pub fn backward(
    shape: &BatchNorm,
    x: &[f64],
    norm: &Normalisation,
    weight: &[f64],
    y: &[f64],
    dy: &[f64],
) -> Gradients {
    let share = if shape.frozen {
        0.0
    } else {
        1.0 / shape.rows as f64
    };
    let mut dx = vec![0.0; x.len()];
    let mut dweight = vec![0.0; shape.channels];
    let mut dbias = vec![0.0; shape.channels];
    for c in 0..shape.channels {
        let xhat = |i: usize| (x[i] - norm.mean[c]) * norm.rstd[c];
        let dz = |i: usize| shape.activation.derivative(y[i]) * dy[i];
        for row in 0..shape.rows {
            let i = row * shape.channels + c;
            dbias[c] += dz(i);
            dweight[c] += dz(i) * xhat(i);
        }
        for row in 0..shape.rows {
            let i = row * shape.channels + c;
            let means = share * (dbias[c] + xhat(i) * dweight[c]);
            dx[i] = weight[c] * norm.rstd[c] * (dz(i) - means);
        }
    }
    Gradients { dx, dweight, dbias }
}
