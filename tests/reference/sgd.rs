//! Twin of `shaders/sgd.wgsl`: stochastic gradient descent with momentum, as `torch.optim.SGD` (no dampening).

/// Hyper-parameters.
#[derive(Clone, Copy, Debug)]
pub struct Sgd {
    /// Learning rate.
    pub lr: f64,
    /// Part of the velocity that is kept.
    pub momentum: f64,
    /// Whether the step looks ahead: by `g + momentum * v` instead of `v`.
    pub nesterov: bool,
    /// L2 penalty: added to the gradient as `weight_decay * parameter`.
    pub weight_decay: f64,
}

/// One step: `v = momentum * v + g`, `p -= lr * v` (Nesterov: `p -= lr * (g + momentum * v)`), where `g = dparameter + weight_decay * p`. The first `velocity` is 0.
pub fn update(sgd: &Sgd, parameter: &mut [f64], velocity: &mut [f64], dparameter: &[f64]) {
    assert_eq!(parameter.len(), dparameter.len());
    for i in 0..parameter.len() {
        let gradient = dparameter[i] + sgd.weight_decay * parameter[i];
        velocity[i] = sgd.momentum * velocity[i] + gradient;
        let direction = if sgd.nesterov {
            gradient + sgd.momentum * velocity[i]
        } else {
            velocity[i]
        };
        parameter[i] -= sgd.lr * direction;
    }
}
