// Library: nan
// Activation functions by number. The host reads these numbers from here by their names.
const IDENTITY: u32 = 0u;
const RELU: u32 = 1u;
const LEAKY_RELU: u32 = 2u;
const SIGMOID: u32 = 3u;
const TANH: u32 = 4u;
const RELU6: u32 = 5u;

const LEAKY_RELU_SLOPE = 0.01;
const RELU6_TOP = 6.0;

fn activate(activation: u32, x: f32) -> f32 {
    switch activation {
        case RELU: { return relu(x); }
        case LEAKY_RELU: { return select(LEAKY_RELU_SLOPE * x, x, x > 0.0); }
        case SIGMOID: { return select(1.0 / (1.0 + exp(-x)), x, is_nan(x)); }
        case TANH: { return select(hyperbolic_tangent(x), x, is_nan(x)); }
        case RELU6: { return select(min(relu(x), RELU6_TOP), x, is_nan(x)); }
        default: { return x; }
    }
}

// max(x, 0), but NaN stays.
fn relu(x: f32) -> f32 {
    return select(x, 0.0, is_negative(x));
}

// d activate(x) / dx from y = activate(x). That of NaN lets gradients through.
fn activation_slope(activation: u32, y: f32) -> f32 {
    switch activation {
        case RELU: { return select(1.0, 0.0, bitcast<u32>(y) == 0u); }
        case LEAKY_RELU: { return select(LEAKY_RELU_SLOPE, 1.0, y > 0.0); }
        case SIGMOID: { return y * (1.0 - y); }
        case TANH: { return 1.0 - y * y; }
        case RELU6: { return select(1.0, 0.0, bitcast<u32>(y) == 0u || y == RELU6_TOP); }
        default: { return 1.0; }
    }
}

// tanh that neither overflows for large |x| nor cancels for small |x|: the odd series below 0.2 (next term < 1e-8 of x),
// 1 - 2 / (exp(2|x|) + 1) above.
fn hyperbolic_tangent(x: f32) -> f32 {
    let magnitude = min(abs(x), 20.0);
    let square = x * x;
    let series = x * (1.0 + square * (-0.33333334 + square * (0.13333334 + square * (-0.05396825 + square * 0.021869488))));
    let exact = sign(x) * (1.0 - 2.0 / (exp(2.0 * magnitude) + 1.0));
    return select(exact, series, magnitude < 0.2);
}
