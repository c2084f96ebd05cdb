//! Checks the f64 twins themselves: every backward against central differences of its forward, every forward and update
//! against small numbers from PyTorch or the paper's specification. No adapter is needed.

mod reference;

use reference::activation::{self, Activation};
use reference::adam::{self, Adam};
use reference::add;
use reference::avg_pool2d::{self, AvgPool2d};
use reference::batch_norm::{self, BatchNorm, Statistics};
use reference::ceiling;
use reference::clip;
use reference::concat::{self, Concat};
use reference::conv2d::{self, Conv2d};
use reference::cross_entropy;
use reference::dropout::{self, Dropout, Images};
use reference::gather::{self, Gather};
use reference::linear::{self, Linear};
use reference::max_pool2d::{self, MaxPool2d};
use reference::mse;
use reference::random::{pcg, random_bits};
use reference::sgd::{self, Sgd};
use reference::spinal::{self, Chain};
use reference::winograd::Winograd;

/// Knuth's 64-bit linear congruential generator: repeatable test inputs, unrelated to the hash under test.
struct Random(u64);

impl Random {
    /// Uniform in `[-1, 1)`.
    fn uniform(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / 2f64.powi(52) - 1.0
    }

    /// `len` numbers, uniform in `[-1, 1)`.
    fn uniforms(&mut self, len: usize) -> Vec<f64> {
        (0..len).map(|_| self.uniform()).collect()
    }

    /// `0, 1, ..., len - 1` in random order: no two values close to each other.
    fn shuffled(&mut self, len: usize) -> Vec<f64> {
        let mut values: Vec<_> = (0..len).map(|i| i as f64).collect();
        for i in (1..len).rev() {
            let j = ((self.uniform() + 1.0) / 2.0 * (i + 1) as f64) as usize;
            values.swap(i, j);
        }
        values
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Asserts that `gradient` is the derivative of `f(x) = sum over i of dy[i] * forward(x)[i]`.
///
/// The central difference with step h = cbrt(EPSILON) errs by at most
/// - h^2 / 6 * |f'''| from the expansion, where |f'''| is taken as `6 * scale`: inputs and weights are of order one, and
/// - terms * EPSILON * scale / h from rounding the sum,
///
/// where `scale = 1 + sum |dy * y|` bounds the summands and `terms` counts them. The inputs are drawn so that no kink
/// lies within h of any of them.
fn assert_gradient(
    name: &str,
    x: &[f64],
    dy: &[f64],
    gradient: &[f64],
    forward: impl Fn(&[f64]) -> Vec<f64>,
) {
    assert_eq!(x.len(), gradient.len(), "{name}: shape of the gradient");
    let h = f64::EPSILON.cbrt();
    let y = forward(x);
    let scale = 1.0 + y.iter().zip(dy).map(|(y, dy)| (y * dy).abs()).sum::<f64>();
    let terms = y.len() as f64;
    let tolerance = scale * (h * h + terms * f64::EPSILON / h);
    for i in 0..x.len() {
        let shifted = |step: f64| {
            let mut x = x.to_vec();
            x[i] += step;
            dot(dy, &forward(&x))
        };
        let difference = (shifted(h) - shifted(-h)) / (2.0 * h);
        assert!(
            (gradient[i] - difference).abs() <= tolerance,
            "{name}: element {i}: backward {} but central difference {difference}, tolerance {tolerance:e}",
            gradient[i],
        );
    }
}

/// Asserts equality up to a few roundings.
fn assert_close(name: &str, got: &[f64], expected: &[f64]) {
    assert_eq!(got.len(), expected.len(), "{name}: length");
    for (i, (got, expected)) in got.iter().zip(expected).enumerate() {
        let tolerance = 16.0 * f64::EPSILON * (1.0 + expected.abs());
        assert!(
            (got - expected).abs() <= tolerance,
            "{name}: element {i}: {got}, expected {expected}",
        );
    }
}

const CONVOLUTIONS: [Conv2d; 8] = [
    Conv2d {
        batch: 1,
        height: 1,
        width: 1,
        in_channels: 1,
        out_channels: 1,
        kernel: [1, 1],
        stride: [1, 1],
        padding: [0, 0],
        padding_end: [0, 0],
        groups: 1,
    },
    Conv2d {
        batch: 2,
        height: 7,
        width: 6,
        in_channels: 3,
        out_channels: 2,
        kernel: [5, 5],
        stride: [1, 1],
        padding: [0, 0],
        padding_end: [0, 0],
        groups: 1,
    },
    Conv2d {
        batch: 2,
        height: 5,
        width: 5,
        in_channels: 2,
        out_channels: 3,
        kernel: [3, 3],
        stride: [2, 2],
        padding: [1, 1],
        padding_end: [1, 1],
        groups: 1,
    },
    // The last column is never read; the kernel is not square.
    Conv2d {
        batch: 1,
        height: 7,
        width: 8,
        in_channels: 1,
        out_channels: 5,
        kernel: [2, 3],
        stride: [3, 2],
        padding: [0, 0],
        padding_end: [0, 0],
        groups: 1,
    },
    // Windows that lie in the padding entirely.
    Conv2d {
        batch: 3,
        height: 2,
        width: 3,
        in_channels: 2,
        out_channels: 1,
        kernel: [1, 2],
        stride: [1, 3],
        padding: [2, 3],
        padding_end: [2, 3],
        groups: 1,
    },
    // Padding on one side, as TensorFlow's "same" has it.
    Conv2d {
        batch: 2,
        height: 6,
        width: 5,
        in_channels: 2,
        out_channels: 3,
        kernel: [3, 4],
        stride: [2, 1],
        padding: [0, 1],
        padding_end: [1, 2],
        groups: 1,
    },
    // Groups, and each channel on its own.
    Conv2d {
        batch: 2,
        height: 4,
        width: 5,
        in_channels: 6,
        out_channels: 4,
        kernel: [3, 2],
        stride: [1, 2],
        padding: [1, 0],
        padding_end: [1, 0],
        groups: 2,
    },
    Conv2d {
        batch: 1,
        height: 5,
        width: 4,
        in_channels: 3,
        out_channels: 6,
        kernel: [3, 3],
        stride: [2, 2],
        padding: [0, 0],
        padding_end: [1, 1],
        groups: 3,
    },
];

#[test]
fn conv2d_gradients() {
    for shape in CONVOLUTIONS {
        let mut random = Random(1);
        let x = random.uniforms(shape.x_len());
        let weight = random.uniforms(shape.weight_len());
        let bias = random.uniforms(shape.out_channels);
        let dy = random.uniforms(shape.y_len());
        let dx = conv2d::backward_input(&shape, &weight, &dy);
        let (dweight, dbias) = conv2d::backward_weight(&shape, &x, &dy);
        assert_gradient(&format!("dx of {shape:?}"), &x, &dy, &dx, |x| {
            conv2d::forward(&shape, x, &weight, None)
        });
        let name = format!("dweight of {shape:?}");
        assert_gradient(&name, &weight, &dy, &dweight, |weight| {
            conv2d::forward(&shape, &x, weight, Some(&bias))
        });
        let name = format!("dbias of {shape:?}");
        assert_gradient(&name, &bias, &dy, &dbias, |bias| {
            conv2d::forward(&shape, &x, &weight, Some(bias))
        });
    }
}

/// Winograd's products are the plain sums, in another order: in f64 they agree to 1e-12.
#[test]
fn winograd_is_convolution() {
    let paddings = [[1, 1], [0, 2], [2, 1]];
    for (tile, padding, padding_end) in [
        (2, paddings[0], paddings[0]),
        (4, paddings[1], paddings[1]),
        (4, paddings[2], paddings[1]),
    ] {
        let shape = Conv2d {
            batch: 2,
            height: 7,
            width: 5,
            in_channels: 3,
            out_channels: 2,
            kernel: [3, 3],
            stride: [1, 1],
            padding,
            padding_end,
            groups: 1,
        };
        let mut random = Random(1);
        let (x, weight) = (
            random.uniforms(shape.x_len()),
            random.uniforms(shape.weight_len()),
        );
        let dy = random.uniforms(shape.y_len());
        let winograd = Winograd::new(tile);
        let same = |got: Vec<f64>, expected: Vec<f64>| {
            assert_eq!(got.len(), expected.len());
            let pairs = got.iter().zip(&expected);
            assert!(
                pairs
                    .map(|(got, expected)| (got - expected).abs())
                    .all(|d| d < 1e-12)
            );
        };
        let y = conv2d::forward(&shape, &x, &weight, None);
        same(winograd.forward(&shape, &x, &weight), y);
        let dx = conv2d::backward_input(&shape, &weight, &dy);
        same(winograd.backward_input(&shape, &weight, &dy), dx);
        let (dweight, _) = conv2d::backward_weight(&shape, &x, &dy);
        same(winograd.backward_weight(&shape, &x, &dy), dweight);
    }
}

/// Integers, so exact; `torch.nn.functional.conv2d` on the same arrays.
#[test]
fn conv2d_equals_pytorch() {
    let shape = Conv2d {
        batch: 1,
        height: 3,
        width: 4,
        in_channels: 2,
        out_channels: 2,
        kernel: [2, 3],
        stride: [1, 2],
        padding: [1, 0],
        padding_end: [1, 0],
        groups: 1,
    };
    let x: Vec<_> = (0..24).map(|i| f64::from(i % 7 - 3)).collect();
    let weight: Vec<_> = (0..24).map(|i| f64::from(i % 5 - 2)).collect();
    let y = conv2d::forward(&shape, &x, &weight, Some(&[1.0, -1.0]));
    assert_eq!(y, [-12.0, 10.0, -1.0, 2.0, 3.0, -4.0, -1.0, 16.0]);
}

/// The same in two groups, on an image padded above, below and to the right.
#[test]
fn conv2d_in_groups_equals_pytorch() {
    let shape = Conv2d {
        batch: 1,
        height: 3,
        width: 4,
        in_channels: 4,
        out_channels: 4,
        kernel: [2, 3],
        stride: [2, 1],
        padding: [1, 0],
        padding_end: [2, 1],
        groups: 2,
    };
    let x: Vec<_> = (0..48).map(|i| f64::from(i % 7 - 3)).collect();
    let weight: Vec<_> = (0..48).map(|i| f64::from(i % 5 - 2)).collect();
    let y = conv2d::forward(&shape, &x, &weight, Some(&[1.0, -1.0, 2.0, 0.0]));
    #[rustfmt::skip]
    let expected = [
        -3.0,  5.0,  -3.0, -5.0, -3.0,   0.0, -1.0, 14.0, -5.0,  2.0, -4.0, 6.0,
        -3.0, -5.0,   0.0, 20.0, -8.0,  -1.0, -14.0, 9.0,  9.0, -13.0, 5.0, -8.0,
         1.0, -1.0,   2.0,  0.0,  1.0,  -1.0,  2.0,  0.0,  1.0, -1.0,  2.0,  0.0,
    ];
    assert_eq!(y, expected);
}

const POOLINGS: [MaxPool2d; 5] = [
    MaxPool2d {
        batch: 1,
        height: 1,
        width: 1,
        channels: 1,
        window: [1, 1],
        stride: [1, 1],
        padding: [0, 0],
    },
    // The last row and column are dropped.
    MaxPool2d {
        batch: 2,
        height: 7,
        width: 5,
        channels: 3,
        window: [2, 2],
        stride: [2, 2],
        padding: [0, 0],
    },
    // Windows overlap.
    MaxPool2d {
        batch: 2,
        height: 5,
        width: 7,
        channels: 2,
        window: [3, 2],
        stride: [1, 1],
        padding: [0, 0],
    },
    // Windows leave gaps.
    MaxPool2d {
        batch: 1,
        height: 11,
        width: 8,
        channels: 1,
        window: [2, 1],
        stride: [3, 4],
        padding: [0, 0],
    },
    // Windows that stand out of the image.
    MaxPool2d {
        batch: 2,
        height: 6,
        width: 5,
        channels: 2,
        window: [3, 4],
        stride: [2, 1],
        padding: [1, 2],
    },
];

#[test]
fn max_pool2d_gradient() {
    for shape in POOLINGS {
        let mut random = Random(2);
        // The values of a window differ by 1 at least: no central difference crosses a tie.
        let x = random.shuffled(shape.x_len());
        let dy = random.uniforms(shape.y_len());
        let dx = max_pool2d::backward(&shape, &x, &dy);
        assert_gradient(&format!("dx of {shape:?}"), &x, &dy, &dx, |x| {
            max_pool2d::forward(&shape, x)
        });
    }
}

/// Overlapping windows full of ties; `torch.nn.functional.max_pool2d` on the same arrays.
#[test]
fn max_pool2d_ties_go_to_the_first_maximum() {
    let shape = MaxPool2d {
        batch: 1,
        height: 3,
        width: 5,
        channels: 1,
        window: [2, 3],
        stride: [1, 2],
        padding: [0, 0],
    };
    #[rustfmt::skip]
    let x = [
        1.0, 2.0, 2.0, 0.0, 1.0,
        2.0, 2.0, 0.0, 0.0, 3.0,
        5.0, 5.0, 5.0, 5.0, 3.0,
    ];
    #[rustfmt::skip]
    let dx = [
        0.0, 1.0, 0.0, 0.0, 0.0,
        0.0, 0.0, 0.0, 0.0, 2.0,
        3.0, 0.0, 4.0, 0.0, 0.0,
    ];
    assert_eq!(max_pool2d::forward(&shape, &x), [2.0, 3.0, 5.0, 5.0]);
    assert_eq!(max_pool2d::backward(&shape, &x, &[1.0, 2.0, 3.0, 4.0]), dx);
}

/// Windows that stand out of the image, ties among them, and a NaN; `torch.nn.functional.max_pool2d` on the same arrays.
#[test]
fn max_pool2d_with_padding_equals_pytorch() {
    let shape = MaxPool2d {
        batch: 1,
        height: 4,
        width: 5,
        channels: 1,
        window: [3, 3],
        stride: [2, 2],
        padding: [1, 1],
    };
    #[rustfmt::skip]
    let mut x = [
        5.0, 5.0,  1.0,  2.0, 2.0,
        5.0, 4.0,  3.0,  2.0, 1.0,
        0.0, 7.0,  7.0,  7.0, 0.0,
        7.0, 7.0, -1.0, -1.0, 0.0,
    ];
    #[rustfmt::skip]
    let mut dx = [
        1.0, 2.0, 0.0, 3.0, 0.0,
        0.0, 0.0, 0.0, 0.0, 0.0,
        0.0, 9.0, 0.0, 6.0, 0.0,
        0.0, 0.0, 0.0, 0.0, 0.0,
    ];
    let dy = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
    let y = max_pool2d::forward(&shape, &x);
    assert_eq!(y, [5.0, 5.0, 2.0, 7.0, 7.0, 7.0]);
    assert_eq!(max_pool2d::backward(&shape, &x, &dy), dx);
    x[4] = f64::NAN;
    dx.swap(3, 4);
    assert!(max_pool2d::forward(&shape, &x)[2].is_nan());
    assert_eq!(max_pool2d::backward(&shape, &x, &dy), dx);
}

const AVERAGES: [AvgPool2d; 5] = [
    AvgPool2d {
        batch: 1,
        height: 1,
        width: 1,
        channels: 1,
        out: [1, 1],
    },
    // All of the image.
    AvgPool2d {
        batch: 2,
        height: 7,
        width: 5,
        channels: 3,
        out: [1, 1],
    },
    // Windows side by side.
    AvgPool2d {
        batch: 1,
        height: 4,
        width: 6,
        channels: 2,
        out: [2, 3],
    },
    // Windows overlap.
    AvgPool2d {
        batch: 2,
        height: 5,
        width: 7,
        channels: 2,
        out: [3, 4],
    },
    // More windows than pixels.
    AvgPool2d {
        batch: 1,
        height: 2,
        width: 3,
        channels: 1,
        out: [5, 3],
    },
];

#[test]
fn avg_pool2d_gradient() {
    for shape in AVERAGES {
        let mut random = Random(11);
        let x = random.uniforms(shape.x_len());
        let dy = random.uniforms(shape.y_len());
        let dx = avg_pool2d::backward(&shape, &dy);
        assert_gradient(&format!("dx of {shape:?}"), &x, &dy, &dx, |x| {
            avg_pool2d::forward(&shape, x)
        });
    }
}

/// Windows of 2 rows that overlap, and of 2, 3 and 2 columns; `torch.nn.functional.adaptive_avg_pool2d` on the same arrays.
#[test]
fn avg_pool2d_equals_pytorch() {
    let shape = AvgPool2d {
        batch: 1,
        height: 3,
        width: 5,
        channels: 1,
        out: [2, 3],
    };
    let x: Vec<_> = (0..15).map(|i| f64::from(7 * i % 11)).collect();
    let y = avg_pool2d::forward(&shape, &x);
    let expected = [4.5, 35.0 / 6.0, 6.25, 3.75, 25.0 / 6.0, 5.5];
    assert_close("y", &y, &expected);
    let dy: Vec<_> = (1..=6).map(|i| f64::from(12 * i)).collect();
    #[rustfmt::skip]
    let dx = [
         3.0,  7.0,  4.0, 13.0,  9.0,
        15.0, 29.0, 14.0, 41.0, 27.0,
        12.0, 22.0, 10.0, 28.0, 18.0,
    ];
    assert_close("dx", &avg_pool2d::backward(&shape, &dy), &dx);
}

#[test]
fn batch_norm_gradients() {
    for (rows, channels) in [(2, 1), (3, 5), (17, 3)] {
        for activation in Activation::ALL {
            for frozen in [false, true] {
                let shape = BatchNorm {
                    frozen,
                    eps: 1e-3,
                    ..BatchNorm::new(rows, channels, activation)
                };
                let mut random = Random(12);
                let x: Vec<_> = random
                    .uniforms(rows * channels)
                    .iter()
                    .map(|x| 4.0 * x)
                    .collect();
                let (weight, bias) = (random.uniforms(channels), random.uniforms(channels));
                let dy = random.uniforms(x.len());
                let norm = batch_norm::statistics(&shape, &x).normalisation(&shape);
                let forward = |values: &[f64], weight: &[f64], bias: &[f64]| {
                    let of_batch = batch_norm::statistics(&shape, values).normalisation(&shape);
                    let norm = if frozen { &norm } else { &of_batch };
                    batch_norm::forward(&shape, values, norm, weight, bias)
                };
                let y = forward(&x, &weight, &bias);
                let gradients = batch_norm::backward(&shape, &x, &norm, &weight, &y, &dy);
                let name = |of: &str| format!("{of} of {shape:?}");
                assert_gradient(&name("dx"), &x, &dy, &gradients.dx, |x| {
                    forward(x, &weight, &bias)
                });
                assert_gradient(&name("dweight"), &weight, &dy, &gradients.dweight, |w| {
                    forward(&x, w, &bias)
                });
                assert_gradient(&name("dbias"), &bias, &dy, &gradients.dbias, |bias| {
                    forward(&x, &weight, bias)
                });
            }
        }
    }
}

/// `torch.nn.BatchNorm1d(2)` with ReLU behind it, in float64 on the same arrays: a step of training, and an evaluation
/// with the statistics from before it.
#[test]
fn batch_norm_equals_pytorch() {
    let shape = BatchNorm::new(4, 2, Activation::Relu);
    let x = [1.0, -2.0, 2.0, 0.5, 4.0, 1.0, -3.0, 3.0];
    let (weight, bias) = ([2.0, -0.5], [0.25, 1.0]);
    let running = Statistics {
        mean: vec![0.5, -1.0],
        var: vec![2.0, 0.25],
    };
    let batch = batch_norm::statistics(&shape, &x);
    let norm = batch.normalisation(&shape);
    let y = batch_norm::forward(&shape, &x, &norm, &weight, &bias);
    #[rustfmt::skip]
    let expected = [
        0.25, 1.736_954_364_960_23, 1.034_463_937_119_170_4, 1.035_093_064_998_106_3,
        2.603_391_811_357_511_6, 0.894_720_805_005_681_4, 0.0, 0.333_231_765_035_982_56,
    ];
    assert_close("y", &y, &expected);

    let dy = [1.0, -1.0, 0.5, 2.0, -2.0, 0.25, 3.0, 1.0];
    let gradients = batch_norm::backward(&shape, &x, &norm, &weight, &y, &dy);
    #[rustfmt::skip]
    let dx = [
        0.882_521_929_259_066_8, 0.157_314_626_657_318_02, 0.656_233_999_791_553_7, -0.416_967_803_945_792_97,
        -0.973_037_764_822_228_4, 0.127_925_331_897_981_05, -0.565_718_164_228_392_2, 0.131_727_845_390_493_87,
    ];
    assert_close("dx", &gradients.dx, &dx);
    let dweight = [-2.157_275_827_077_719, 2.719_712_537_353_229];
    assert_close("dweight", &gradients.dweight, &dweight);
    assert_close("dbias", &gradients.dbias, &[-0.5, 2.25]);

    let after = running.after(&batch, &shape);
    assert_close("running mean", &after.mean, &[0.55, -0.8375]);
    assert_close(
        "running var",
        &after.var,
        &[8.0 / 3.0, 0.647_916_666_666_666_7],
    );

    let shape = BatchNorm {
        activation: Activation::Identity,
        ..shape
    };
    let y = batch_norm::forward(&shape, &x, &running.normalisation(&shape), &weight, &bias);
    #[rustfmt::skip]
    let expected = [
        0.957_105_013_426_223_7, 1.999_980_000_599_98, 2.371_315_040_278_671, -0.499_970_000_899_969_9,
        5.199_735_093_983_565, -0.999_960_001_199_959_9, -4.699_735_093_983_565, -2.999_920_002_399_919_7,
    ];
    assert_close("evaluation", &y, &expected);
}

#[test]
fn activation_gradients() {
    for activation in Activation::ALL {
        let mut random = Random(3);
        let x: Vec<_> = random.uniforms(101).iter().map(|x| 8.0 * x).collect();
        let dy = random.uniforms(x.len());
        let y = activation::forward(activation, &x);
        let dx = activation::backward(activation, &y, &dy);
        assert_gradient(&format!("{activation:?}"), &x, &dy, &dx, |x| {
            activation::forward(activation, x)
        });
    }
}

#[test]
fn activations_at_the_kink() {
    for (activation, x, y, slope) in [
        (Activation::Relu, 0.0, 0.0, 0.0),
        (Activation::LeakyRelu, 0.0, 0.0, 0.01),
        (Activation::Sigmoid, 0.0, 0.5, 0.25),
        (Activation::Tanh, 0.0, 0.0, 1.0),
        (Activation::Relu6, 0.0, 0.0, 0.0),
        (Activation::Relu6, 6.0, 6.0, 0.0),
    ] {
        assert_eq!(activation.activate(x), y, "{activation:?}");
        assert_eq!(activation.derivative(y), slope, "{activation:?}");
    }
}

#[test]
fn linear_gradients() {
    for (batch, in_features, out_features) in [(1, 1, 1), (2, 3, 5), (7, 13, 1), (3, 1, 11)] {
        let shape = Linear {
            batch,
            in_features,
            out_features,
        };
        let mut random = Random(4);
        let x = random.uniforms(batch * in_features);
        let weight = random.uniforms(out_features * in_features);
        let bias = random.uniforms(out_features);
        let dy = random.uniforms(batch * out_features);
        let dx = linear::backward_input(&shape, &weight, &dy);
        let (dweight, dbias) = linear::backward_weight(&shape, &x, &dy);
        assert_gradient(&format!("dx of {shape:?}"), &x, &dy, &dx, |x| {
            linear::forward(&shape, x, &weight, &bias)
        });
        let name = format!("dweight of {shape:?}");
        assert_gradient(&name, &weight, &dy, &dweight, |weight| {
            linear::forward(&shape, &x, weight, &bias)
        });
        let name = format!("dbias of {shape:?}");
        assert_gradient(&name, &bias, &dy, &dbias, |bias| {
            linear::forward(&shape, &x, &weight, bias)
        });
    }
}

/// Computed with unbounded integers.
#[test]
fn random_bits_are_the_published_hash() {
    assert_eq!(pcg(0), 129_708_002);
    assert_eq!(pcg(1), 2_831_084_092);
    assert_eq!(pcg(u32::MAX), 3_861_530_882);
    assert_eq!(random_bits(0, 0, 0, 0), 2_368_882_721);
    assert_eq!(random_bits(1, 2, 3, 4), 1_787_075_052);
    assert_eq!(random_bits(u32::MAX, 7, u32::MAX, 12345), 3_891_418_391);
}

#[test]
fn dropout_keeps_its_share_and_scales_it() {
    const LEN: usize = 20_011;
    let ones = vec![1.0; LEN];
    for p in [0.0, 0.02, 0.1, 0.5, 0.9] {
        let layer = Dropout {
            p,
            seed: 11,
            step: 5,
            layer: 1,
        };
        let y = dropout::forward(&layer, &ones);
        assert!(y.iter().all(|&y| y == 0.0 || y == 1.0 / (1.0 - p)));
        let kept = y.iter().filter(|&&y| y > 0.0).count() as f64;
        // Five standard deviations of a binomial count.
        let tolerance = 5.0 * (LEN as f64 * p * (1.0 - p)).sqrt();
        let expected = LEN as f64 * (1.0 - p);
        assert!(
            (kept - expected).abs() <= tolerance,
            "p {p}: {kept} kept, expected {expected}"
        );
    }
}

#[test]
fn dropout_masks_depend_on_every_counter_and_on_nothing_else() {
    const LEN: usize = 4_001;
    let ones = vec![1.0; LEN];
    let first = Dropout {
        p: 0.5,
        seed: 1,
        step: 1,
        layer: 1,
    };
    let mask = dropout::forward(&first, &ones);
    assert_eq!(mask, dropout::forward(&first, &ones));
    let others = [
        Dropout { seed: 2, ..first },
        Dropout { step: 2, ..first },
        Dropout { layer: 2, ..first },
    ];
    for other in others {
        let other_mask = dropout::forward(&other, &ones);
        let equal = mask.iter().zip(&other_mask).filter(|(a, b)| a == b).count() as f64;
        // Independent masks agree on half, up to five standard deviations.
        let tolerance = 5.0 * (LEN as f64 / 4.0).sqrt();
        assert!(
            (equal - LEN as f64 / 2.0).abs() <= tolerance,
            "{other:?} agrees with {first:?} on {equal} of {LEN}"
        );
    }
}

#[test]
fn dropout_gradients() {
    let layer = Dropout {
        p: 0.3,
        seed: 3,
        step: 9,
        layer: 2,
    };
    let images = Images {
        batch: 3,
        pixels: 5,
        channels: 7,
    };
    let mut random = Random(5);
    let x = random.uniforms(images.batch * images.pixels * images.channels);
    let dy = random.uniforms(x.len());
    let dx = dropout::backward(&layer, &dy);
    assert_gradient("dropout", &x, &dy, &dx, |x| dropout::forward(&layer, x));
    let dx = dropout::backward_2d(&layer, &images, &dy);
    assert_gradient("dropout2d", &x, &dy, &dx, |x| {
        dropout::forward_2d(&layer, &images, x)
    });
}

#[test]
fn dropout2d_drops_whole_channels() {
    let layer = Dropout {
        p: 0.5,
        seed: 3,
        step: 9,
        layer: 2,
    };
    let images = Images {
        batch: 5,
        pixels: 4,
        channels: 11,
    };
    let y = dropout::forward_2d(&layer, &images, &vec![1.0; 5 * 4 * 11]);
    let draws = dropout::forward(&layer, &vec![1.0; 5 * 11]);
    assert!(draws.contains(&0.0) && draws.contains(&2.0));
    for (n, image) in y.chunks(4 * 11).enumerate() {
        for pixel in image.chunks(11) {
            assert_eq!(pixel, &draws[n * 11..(n + 1) * 11]);
        }
    }
}

/// One round of four links from 0: 0.125 (1 + 0.75 + 0.75^2 + 0.75^3) = 0.341796875, and every start adds 0.75^4 of itself.
/// In the long run every chain is at the fixed point 0.125 / (1 - 0.75) = 0.5.
#[test]
fn ceiling_chains_by_hand() {
    let starts = |k: f64| {
        (0..4)
            .map(|c| (k + 4.0 * f64::from(c)) / 256.0)
            .sum::<f64>()
    };
    let once = [0.0, 1.0, 2.0, 3.0].map(|k| 4.0 * 0.341_796_875 + 0.316_406_25 * starts(k));
    assert_close("one round", &ceiling::multiply_add(1, 1), &once);
    assert_close("many rounds", &ceiling::multiply_add(2, 100), &[2.0; 8]);
    assert_eq!(ceiling::copy(&[1.0, -2.0]), [1.0, -2.0]);
}

#[test]
fn add_gradients() {
    let mut random = Random(6);
    let (a, b) = (random.uniforms(17), random.uniforms(17));
    let dy = random.uniforms(17);
    let (da, db) = add::backward(&dy);
    assert_gradient("da", &a, &dy, &da, |a| add::forward(a, &b));
    assert_gradient("db", &b, &dy, &db, |b| add::forward(&a, b));
}

#[test]
fn concat_wraps_and_leaves_other_columns() {
    let shape = Concat {
        batch: 2,
        columns: 4,
        src: 3,
        src_start: 2,
        dst: 6,
        dst_start: 1,
    };
    let mut y = vec![-1.0; 12];
    concat::forward(&shape, &[0.0, 1.0, 2.0, 10.0, 11.0, 12.0], &mut y);
    assert_eq!(y[..6], [-1.0, 2.0, 0.0, 1.0, 2.0, -1.0]);
    assert_eq!(y[6..], [-1.0, 12.0, 10.0, 11.0, 12.0, -1.0]);
}

#[test]
fn concat_gradient() {
    for (columns, src, src_start, dst, dst_start) in [
        (1, 1, 0, 1, 0),
        (3, 7, 2, 5, 1),
        (5, 7, 6, 5, 0),
        (9, 4, 3, 11, 2),
    ] {
        let shape = Concat {
            batch: 3,
            columns,
            src,
            src_start,
            dst,
            dst_start,
        };
        let mut random = Random(7);
        let x = random.uniforms(shape.batch * src);
        let dy = random.uniforms(shape.batch * dst);
        let before = random.uniforms(x.len());
        let mut dx = before.clone();
        concat::backward(&shape, &dy, &mut dx);
        let added: Vec<_> = dx.iter().zip(&before).map(|(dx, b)| dx - b).collect();
        assert_gradient(&format!("dx of {shape:?}"), &x, &dy, &added, |x| {
            let mut y = vec![0.0; shape.batch * dst];
            concat::forward(&shape, x, &mut y);
            y
        });
    }
}

#[test]
fn cross_entropy_gradient() {
    for (batch, classes) in [(1, 1), (1, 2), (5, 3), (7, 11)] {
        let mut random = Random(8);
        let logits: Vec<_> = random
            .uniforms(batch * classes)
            .iter()
            .map(|x| 3.0 * x)
            .collect();
        let labels: Vec<_> = (0..batch).map(|n| ((3 * n + 1) % classes) as u32).collect();
        let dlogits = cross_entropy::forward(&logits, &labels).dlogits;
        let name = format!("{batch} rows of {classes} classes");
        assert_gradient(&name, &logits, &[1.0], &dlogits, |logits| {
            vec![cross_entropy::forward(logits, &labels).loss]
        });
    }
}

/// `torch.nn.functional.cross_entropy` on the same arrays; the second row has two largest logits, of which the first
/// counts.
#[test]
fn cross_entropy_equals_pytorch() {
    let logits = [0.5, -1.0, 2.0, 3.0, 3.0, -2.0];
    let result = cross_entropy::forward(&logits, &[2, 1]);
    assert_close("loss", &[result.loss], &[0.468_910_894_219_617_9]);
    assert_close(
        "dlogits",
        &result.dlogits,
        &[
            0.087_645_196_070_018_35,
            0.019_556_286_635_343_725,
            -0.107_201_482_705_362_06,
            0.249_160_584_593_374_34,
            -0.250_839_415_406_625_7,
            0.001_678_830_813_251_306_7,
        ],
    );
    assert_eq!(result.correct, 1);
}

/// The largest logit is subtracted before the exponential.
#[test]
fn cross_entropy_does_not_overflow() {
    let result = cross_entropy::forward(&[1000.0, 0.0], &[1]);
    assert_eq!(result.loss, 1000.0);
    assert_eq!(result.dlogits, [1.0, -1.0]);
}

#[test]
fn mse_gradient() {
    for len in [1, 2, 13] {
        let mut random = Random(9);
        let (x, target) = (random.uniforms(len), random.uniforms(len));
        let dx = mse::backward(&x, &target);
        assert_gradient(&format!("mse of {len}"), &x, &[1.0], &dx, |x| {
            vec![mse::forward(x, &target)]
        });
    }
    assert_eq!(mse::forward(&[1.0, 2.0], &[3.0, 1.0]), 2.5);
}

/// Three gradients of two parameters that start at 1 and -2.
const GRADIENTS: [[f64; 2]; 3] = [[0.5, 1e-3], [-0.25, 2.0], [1.0, 0.0]];

/// `torch.optim.SGD(lr=0.1, momentum=0.5)` in float64 on the same gradients.
#[test]
fn sgd_equals_pytorch() {
    for (weight_decay, nesterov, expected) in [
        (0.0, false, [0.85, -2.300_175_000_000_000_3]),
        (0.1, false, [0.809_144, -2.213_970_009_999_999_7]),
        (0.0, true, [0.8, -2.350_187_5]),
        (0.1, true, [0.751_542_250_000_000_1, -2.244_675_533_75]),
    ] {
        let sgd = Sgd {
            lr: 0.1,
            momentum: 0.5,
            nesterov,
            weight_decay,
        };
        let (mut parameter, mut velocity) = ([1.0, -2.0], [0.0; 2]);
        for gradient in &GRADIENTS {
            sgd::update(&sgd, &mut parameter, &mut velocity, gradient);
        }
        assert_close(&format!("{sgd:?}"), &parameter, &expected);
    }
}

/// `torch.optim.Adam(lr=0.1)` and `torch.optim.AdamW(lr=0.1)` in float64 on the same gradients.
#[test]
fn adam_equals_pytorch() {
    for (weight_decay, decoupled, expected) in [
        (
            0.0,
            false,
            [0.807_555_139_677_089_8, -2.231_994_028_048_453_6],
        ),
        (
            0.1,
            false,
            [0.781_504_399_863_165_8, -2.011_008_100_416_385],
        ),
        (
            0.1,
            true,
            [0.780_110_476_670_211_3, -2.169_857_576_361_345_7],
        ),
    ] {
        let adam = Adam {
            lr: 0.1,
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
            weight_decay,
            decoupled,
        };
        let mut state = adam::State {
            parameter: vec![1.0, -2.0],
            m: vec![0.0; 2],
            v: vec![0.0; 2],
        };
        for (t, gradient) in (1..).zip(&GRADIENTS) {
            adam::update(&adam, t, &mut state, gradient);
        }
        assert_close(&format!("{adam:?}"), &state.parameter, &expected);
    }
}

/// `torch.nn.utils.clip_grad_norm_` in float64 on two parameters with these gradients.
#[test]
fn clipping_equals_pytorch() {
    let gradients = [1.0, -2.0, 2.0, 4.0, 0.5];
    assert_close("norm", &[clip::norm(&gradients)], &[5.024_937_810_560_445]);
    let coefficient = clip::coefficient(1.0, &gradients);
    assert_close("clipped", &[coefficient], &[0.199_007_398_438_045_32]);
    assert_eq!(clip::coefficient(10.0, &gradients), 1.0);
}

#[test]
fn gather_follows_the_order_and_normalises_by_channel() {
    let gather = Gather {
        batch: 2,
        pixels: 2,
        start: 1,
        mean: vec![0.0, 0.5],
        std: vec![1.0, 0.25],
    };
    // Three images of two pixels with two channels.
    let images = [255, 0, 0, 255, 51, 102, 153, 204, 0, 0, 255, 255];
    let x = gather::forward(&gather, &images, &[0, 2, 1]);
    let expected = [0.0, -2.0, 1.0, 2.0, 0.2, -0.4, 0.6, 1.2];
    assert_close("gather", &x, &expected);
}

fn chain(in_features: usize, splits: usize, width: usize, depth: usize) -> Chain {
    Chain {
        batch: 1,
        in_features,
        splits,
        width,
        depth,
        activation: Activation::Relu,
        chained: true,
        parameter_of: (0..depth).collect(),
    }
}

/// Sizes: the halves, a drifting wrap, a wrap inside a slice, one input feature, one neuron, one sub-layer, fewer
/// sub-layers than splits, the two ways of tying, and sub-layers that do not see one another.
fn chains() -> Vec<Chain> {
    vec![
        chain(4, 2, 3, 4),
        chain(5, 2, 3, 4),
        chain(7, 3, 2, 5),
        chain(3, 2, 1, 7),
        chain(1, 1, 2, 3),
        chain(6, 1, 5, 1),
        chain(13, 5, 3, 2),
        Chain {
            parameter_of: vec![0, 1, 2, 3, 2, 3],
            ..chain(8, 2, 3, 6)
        },
        Chain {
            parameter_of: vec![0, 1, 1, 1],
            ..chain(9, 4, 2, 4)
        },
        Chain {
            chained: false,
            ..chain(7, 3, 2, 5)
        },
    ]
}

#[test]
fn spinal_gradients() {
    for chain in chains() {
        for activation in Activation::ALL {
            let chain = Chain {
                batch: 3,
                activation,
                ..chain.clone()
            };
            assert_chain_gradients(&chain);
        }
    }
}

fn assert_chain_gradients(chain: &Chain) {
    let mut random = Random(10);
    let distinct = 1 + chain.parameter_of.iter().max().expect("a sub-layer");
    let mut weights = vec![Vec::new(); distinct];
    let mut biases = vec![Vec::new(); distinct];
    for l in 0..chain.depth {
        weights[chain.parameter_of[l]] = random.uniforms(chain.width * chain.fan_in(l));
        biases[chain.parameter_of[l]] = random.uniforms(chain.width);
    }
    let x = random.uniforms(chain.batch * chain.in_features);
    let doutput = random.uniforms(chain.batch * chain.depth * chain.width);

    let output = spinal::forward(chain, &x, &weights, &biases);
    let gradients = spinal::backward(chain, &x, &weights, &output, &doutput);
    let name = format!("dx of {chain:?}");
    assert_gradient(&name, &x, &doutput, &gradients.dx, |x| {
        spinal::forward(chain, x, &weights, &biases)
    });
    for parameter in 0..distinct {
        let name = format!("dweight {parameter} of {chain:?}");
        let (weight, dweight) = (&weights[parameter], &gradients.dweights[parameter]);
        assert_gradient(&name, weight, &doutput, dweight, |weight| {
            let mut weights = weights.clone();
            weights[parameter] = weight.to_vec();
            spinal::forward(chain, &x, &weights, &biases)
        });
        let name = format!("dbias {parameter} of {chain:?}");
        let (bias, dbias) = (&biases[parameter], &gradients.dbiases[parameter]);
        assert_gradient(&name, bias, &doutput, dbias, |bias| {
            let mut biases = biases.clone();
            biases[parameter] = bias.to_vec();
            spinal::forward(chain, &x, &weights, &biases)
        });
    }
}

/// The specification's golden vectors: all parameters are filled in order (each Linear's weight, then its bias) with
/// `((7 k) mod 11 - 5) / 10` for a running `k`, and `x_i = (i + 1) / 10`.
#[test]
fn spinal_golden_vectors() {
    const CLASSES: usize = 2;
    for (in_features, expected) in [(4, [-0.05805, -0.679782]), (5, [-0.1152, -0.6935])] {
        let chain = chain(in_features, 2, 3, 4);
        assert_eq!(chain.split_size(), 2);
        let mut filled = 0;
        let mut fill = |len: usize| -> Vec<f64> {
            let start = filled;
            filled += len as i32;
            (start..filled)
                .map(|k| f64::from((7 * k) % 11 - 5) / 10.0)
                .collect()
        };
        let (weights, biases): (Vec<_>, Vec<_>) = (0..chain.depth)
            .map(|l| (fill(chain.width * chain.fan_in(l)), fill(chain.width)))
            .unzip();
        let output = Linear {
            batch: 1,
            in_features: chain.depth * chain.width,
            out_features: CLASSES,
        };
        let weight = fill(CLASSES * output.in_features);
        let bias = fill(CLASSES);
        assert_eq!(filled, 89, "parameters");

        let x: Vec<_> = (1..=in_features).map(|i| i as f64 / 10.0).collect();
        let hidden = spinal::forward(&chain, &x, &weights, &biases);
        let y = linear::forward(&output, &hidden, &weight, &bias);
        assert_close(&format!("I = {in_features}"), &y, &expected);
    }
}

/// `S = round(I / n)` rounds a half to the even neighbour, as `numpy.round` does.
#[test]
fn spinal_split_sizes() {
    for (in_features, splits, split_size) in [
        (320, 2, 160),
        (5, 2, 2),
        (7, 2, 4),
        (10, 4, 2),
        (14, 4, 4),
        (8, 3, 3),
    ] {
        let chain = chain(in_features, splits, 1, 1);
        assert_eq!(chain.split_size(), split_size, "{in_features} / {splits}");
    }
}
