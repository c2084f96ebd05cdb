//! Twin of `shaders/add.wgsl`: `y = a + b`.

/// `y`, element by element.
pub fn forward(a: &[f64], b: &[f64]) -> Vec<f64> {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| a + b).collect()
}

/// `(da, db)`: both are `dy`.
pub fn backward(dy: &[f64]) -> (Vec<f64>, Vec<f64>) {
    (dy.to_vec(), dy.to_vec())
}
