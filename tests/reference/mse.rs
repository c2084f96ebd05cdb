//! Twin of `shaders/mse.wgsl`: `loss = mean over all elements of (x - target)^2`.

/// The loss.
pub fn forward(x: &[f64], target: &[f64]) -> f64 {
    assert_eq!(x.len(), target.len());
    let mut sum = 0.0;
    for i in 0..x.len() {
        sum += (x[i] - target[i]) * (x[i] - target[i]);
    }
    sum / x.len() as f64
}

/// `dx = 2 (x - target) / count`.
pub fn backward(x: &[f64], target: &[f64]) -> Vec<f64> {
    assert_eq!(x.len(), target.len());
    (0..x.len())
        .map(|i| 2.0 * (x[i] - target[i]) / x.len() as f64)
        .collect()
}
