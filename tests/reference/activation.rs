//! Twin of the activation shaders: `y = phi(x)`, `dx = phi'(x) * dy` with `phi'` expressed by the output `y`.

/// Slope of LeakyReLU for negative inputs (PyTorch's default).
pub const LEAKY_SLOPE: f64 = 0.01;

/// The activation functions a layer can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// `y = x`.
    Identity,
    /// `y = max(x, 0)`; NaN stays.
    Relu,
    /// `y = x` above zero, `0.01 x` elsewhere.
    LeakyRelu,
    /// `y = 1 / (1 + exp(-x))`.
    Sigmoid,
    /// `y = tanh(x)`.
    Tanh,
    /// `y = min(max(x, 0), 6)`; NaN stays.
    Relu6,
}

impl Activation {
    /// Every activation, for tests that walk through them.
    pub const ALL: [Self; 6] = [
        Self::Identity,
        Self::Relu,
        Self::LeakyRelu,
        Self::Sigmoid,
        Self::Tanh,
        Self::Relu6,
    ];

    /// `phi(x)`.
    pub fn activate(self, x: f64) -> f64 {
        match self {
            Self::Identity => x,
            Self::Relu => {
                if x <= 0.0 {
                    0.0
                } else {
                    x
                }
            }
            Self::LeakyRelu => {
                if x > 0.0 {
                    x
                } else {
                    LEAKY_SLOPE * x
                }
            }
            Self::Sigmoid => 1.0 / (1.0 + (-x).exp()),
            Self::Tanh => x.tanh(),
            Self::Relu6 => x.clamp(0.0, 6.0),
        }
    }

    /// `phi'` at the input whose output is `y`. At a kink of ReLU, LeakyReLU or ReLU6: the slope of the outer side.
    pub fn derivative(self, y: f64) -> f64 {
        match self {
            Self::Identity => 1.0,
            Self::Relu => {
                if y <= 0.0 {
                    0.0
                } else {
                    1.0
                }
            }
            Self::LeakyRelu => {
                if y > 0.0 {
                    1.0
                } else {
                    LEAKY_SLOPE
                }
            }
            Self::Sigmoid => y * (1.0 - y),
            Self::Tanh => 1.0 - y * y,
            Self::Relu6 => {
                if y <= 0.0 || y >= 6.0 {
                    0.0
                } else {
                    1.0
                }
            }
        }
    }
}

/// `y = phi(x)`, element by element.
pub fn forward(activation: Activation, x: &[f64]) -> Vec<f64> {
    x.iter().map(|&x| activation.activate(x)).collect()
}

/// `dx = phi' * dy`, from the output `y` of [`forward`].
pub fn backward(activation: Activation, y: &[f64], dy: &[f64]) -> Vec<f64> {
    assert_eq!(y.len(), dy.len());
    y.iter()
        .zip(dy)
        .map(|(&y, &dy)| activation.derivative(y) * dy)
        .collect()
}
