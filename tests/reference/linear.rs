//! Twin of `shaders/linear.wgsl`: `y = x * weight^T + bias`.

/// The sizes of one fully connected layer.
#[derive(Clone, Copy, Debug)]
pub struct Linear {
    /// Rows N of `x` and `y`.
    pub batch: usize,
    /// Columns of `x`.
    pub in_features: usize,
    /// Columns of `y`.
    pub out_features: usize,
}

/// `y` `[N, OUT]` from `x` `[N, IN]`, `weight` `[OUT, IN]` and `bias` `[OUT]`.
pub fn forward(shape: &Linear, x: &[f64], weight: &[f64], bias: &[f64]) -> Vec<f64> {
    assert_eq!(x.len(), shape.batch * shape.in_features);
    assert_eq!(weight.len(), shape.out_features * shape.in_features);
    let mut y = vec![0.0; shape.batch * shape.out_features];
    for n in 0..shape.batch {
        for o in 0..shape.out_features {
            let mut sum = bias[o];
            for i in 0..shape.in_features {
                sum += x[n * shape.in_features + i] * weight[o * shape.in_features + i];
            }
            y[n * shape.out_features + o] = sum;
        }
    }
    y
}

/// `dx = dy * weight`.
pub fn backward_input(shape: &Linear, weight: &[f64], dy: &[f64]) -> Vec<f64> {
    assert_eq!(dy.len(), shape.batch * shape.out_features);
    let mut dx = vec![0.0; shape.batch * shape.in_features];
    for n in 0..shape.batch {
        for i in 0..shape.in_features {
            for o in 0..shape.out_features {
                dx[n * shape.in_features + i] +=
                    dy[n * shape.out_features + o] * weight[o * shape.in_features + i];
            }
        }
    }
    dx
}

/// `(dweight, dbias)`: `dweight = dy^T * x`, `dbias = sum over the batch of dy`.
pub fn backward_weight(shape: &Linear, x: &[f64], dy: &[f64]) -> (Vec<f64>, Vec<f64>) {
    assert_eq!(dy.len(), shape.batch * shape.out_features);
    let mut dweight = vec![0.0; shape.out_features * shape.in_features];
    let mut dbias = vec![0.0; shape.out_features];
    for n in 0..shape.batch {
        for o in 0..shape.out_features {
            let dy = dy[n * shape.out_features + o];
            dbias[o] += dy;
            for i in 0..shape.in_features {
                dweight[o * shape.in_features + i] += dy * x[n * shape.in_features + i];
            }
        }
    }
    (dweight, dbias)
}
