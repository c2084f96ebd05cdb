//! Twin of `shaders/clip.wgsl`: clipping by the norm of all gradients, as `torch.nn.utils.clip_grad_norm_`.

/// The norm of all gradients together.
pub fn norm(gradients: &[f64]) -> f64 {
    gradients
        .iter()
        .map(|gradient| gradient * gradient)
        .sum::<f64>()
        .sqrt()
}

/// What the gradients are multiplied by: `max_norm / (norm + 1e-6)`, at most 1.
pub fn coefficient(max_norm: f64, gradients: &[f64]) -> f64 {
    (max_norm / (norm(gradients) + 1e-6)).min(1.0)
}
