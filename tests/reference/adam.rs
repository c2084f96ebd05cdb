//! Twin of `shaders/adam.wgsl`: Adam (Kingma and Ba, arXiv 1412.6980) as `torch.optim.Adam` and, decoupled,
//! `torch.optim.AdamW`.

/// Hyper-parameters.
#[derive(Clone, Copy, Debug)]
pub struct Adam {
    /// Learning rate.
    pub lr: f64,
    /// Decay of the mean of gradients.
    pub beta1: f64,
    /// Decay of the mean of squared gradients.
    pub beta2: f64,
    /// Added to the denominator.
    pub eps: f64,
    /// L2 penalty: added to the gradient as `weight_decay * parameter`.
    pub weight_decay: f64,
    /// Whether instead the parameter is multiplied by `1 - lr * weight_decay` before the step.
    pub decoupled: bool,
}

/// Parameters with their two moments, which start at 0.
#[derive(Clone, Debug)]
pub struct State {
    /// The parameters.
    pub parameter: Vec<f64>,
    /// Running mean of the gradient.
    pub m: Vec<f64>,
    /// Running mean of the squared gradient.
    pub v: Vec<f64>,
}

/// Step number `t`, counted from 1.
pub fn update(adam: &Adam, t: i32, state: &mut State, dparameter: &[f64]) {
    assert_eq!(state.parameter.len(), dparameter.len());
    let correction1 = 1.0 - adam.beta1.powi(t);
    let correction2 = 1.0 - adam.beta2.powi(t);
    for i in 0..dparameter.len() {
        let mut gradient = dparameter[i];
        if adam.decoupled {
            state.parameter[i] *= 1.0 - adam.lr * adam.weight_decay;
        } else {
            gradient += adam.weight_decay * state.parameter[i];
        }
        state.m[i] = adam.beta1 * state.m[i] + (1.0 - adam.beta1) * gradient;
        state.v[i] = adam.beta2 * state.v[i] + (1.0 - adam.beta2) * gradient * gradient;
        let mean = state.m[i] / correction1;
        let deviation = (state.v[i] / correction2).sqrt();
        state.parameter[i] -= adam.lr * mean / (deviation + adam.eps);
    }
}
