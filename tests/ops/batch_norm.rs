//! Batch normalisation: every dispatch from what the device has for the one before, so that errors do not add up.

use std::collections::BTreeMap;

use proptest::prelude::*;
use spinalnet::layers::{BatchNorm, Layer};
use spinalnet::plan::{Mode, Parameters, Shape, Tape, Values};

use super::activation::{ACTIVATIONS, error};
use crate::common::tolerance::{
    DIVISION, EPS, SQUARE_ROOT, TINY, assert_not_finite, assert_within, sum,
};
use crate::common::{AdapterClass, Bench, Draw, Input, Outcome, Random, Setup, doubles, for_all};
use crate::reference::activation::Activation;
use crate::reference::batch_norm::{self, Normalisation, Statistics};
use crate::reference::max_pool2d::{self, MaxPool2d};

/// The relative error of rstd from running statistics: eps is rounded, and the sum.
const RUNNING_RSTD: f64 = SQUARE_ROOT + DIVISION + 2.0 * EPS;

/// One normalisation of values drawn around `center`, no further from it than `spread`.
#[derive(Clone, Copy, Debug)]
struct Case {
    /// Images, height, width; of one pixel: samples `[N, C]`.
    images: [u32; 3],
    channels: u32,
    /// Index into [`ACTIVATIONS`].
    activation: usize,
    /// Height and width of the pooling windows.
    pool: [u32; 2],
    center: f32,
    spread: f32,
    twice: bool,
    eps: f64,
    momentum: f64,
    /// x is data, and gets no gradient.
    constant: bool,
    /// The statistics are the running ones, and stay.
    frozen: bool,
    /// The class of adapter whose kernels are recorded.
    class: AdapterClass,
}

const fn case(images: [u32; 3], channels: u32, activation: usize) -> Case {
    Case {
        images,
        channels,
        activation,
        pool: [1, 1],
        center: 0.0,
        spread: 1.0,
        twice: false,
        eps: 1e-5,
        momentum: 0.1,
        constant: false,
        frozen: false,
        class: AdapterClass::Gpu,
    }
}

/// The same case with max pooling.
const fn pooled(case: Case, pool: [u32; 2]) -> Case {
    Case { pool, ..case }
}

/// The same case with the layer recorded twice, which updates the running statistics twice.
const fn twice(case: Case) -> Case {
    Case {
        twice: true,
        ..case
    }
}

/// The same case with running statistics that stay, and another eps.
const fn frozen(case: Case) -> Case {
    Case {
        frozen: true,
        eps: 1e-3,
        ..case
    }
}

/// The same case of other values.
const fn around(case: Case, center: f32, spread: f32) -> Case {
    Case {
        center,
        spread,
        ..case
    }
}

/// Rows at and beyond a strip of 16, a chunk of 64 or 128, 1024 rows at once, and the most chunks; channels that fit one
/// kernel or another, in one group of invocations or in several; every activation; windows that fit, that are cut off, and
/// as large as an image; x without a gradient; a variance that is small beside the mean, in one chunk and in many; no
/// variance at all; running statistics, of one row, too; another eps and momentum.
const LISTED: [Case; 34] = [
    case([2, 1, 1], 1, 0),
    twice(case([3, 1, 1], 65, 1)),
    case([17, 1, 1], 3, 2),
    twice(case([127, 1, 1], 1, 3)),
    case([129, 1, 1], 64, 4),
    twice(case([4, 8, 8], 3, 1)),
    case([1, 5, 7], 65, 2),
    case([3, 105, 105], 1, 1),
    Case {
        constant: true,
        ..twice(case([5, 1, 1], 8, 1))
    },
    around(case([100, 1, 1], 3, 0), 1000.0, 0.1),
    around(case([5, 28, 28], 2, 1), 1000.0, 0.1),
    around(case([3, 105, 105], 1, 0), -1000.0, 0.1),
    around(case([7, 1, 1], 3, 1), 0.1, 0.0),
    around(case([2, 14, 14], 3, 4), 1000.0, 0.0),
    twice(case([2, 1, 1], 4, 1)),
    case([1024, 1, 1], 12, 1),
    twice(case([1025, 1, 1], 20, 2)),
    case([100, 1, 1], 130, 1),
    case([1030, 1, 1], 132, 0),
    twice(case([2, 24, 24], 68, 3)),
    around(case([3, 105, 105], 4, 0), -1000.0, 0.1),
    around(case([100, 1, 1], 4, 0), 1000.0, 0.1),
    twice(pooled(case([3, 6, 4], 8, 1), [2, 2])),
    pooled(case([2, 7, 5], 6, 2), [2, 2]),
    twice(pooled(case([8, 13, 12], 68, 1), [3, 2])),
    pooled(case([5, 3, 3], 4, 4), [3, 3]),
    Case {
        constant: true,
        ..pooled(case([2, 5, 5], 3, 1), [2, 3])
    },
    frozen(case([1, 1, 1], 1, 0)),
    frozen(twice(case([17, 1, 1], 12, 5))),
    frozen(twice(pooled(case([2, 7, 5], 68, 1), [2, 2]))),
    frozen(case([3, 28, 28], 3, 5)),
    Case {
        constant: true,
        ..frozen(case([1025, 1, 1], 8, 1))
    },
    Case {
        eps: 1e-3,
        momentum: 0.01,
        ..case([2, 5, 7], 6, 5)
    },
    Case {
        eps: 1e-3,
        momentum: 1.0,
        ..twice(case([1030, 1, 1], 20, 5))
    },
];

fn cases(class: AdapterClass) -> impl Strategy<Value = Case> {
    let images = prop_oneof![
        (2..300u32).prop_map(|samples| [samples, 1, 1]),
        [1..4u32, 2..12, 1..12],
    ];
    let channels = prop_oneof![Just(1), Just(3), Just(64), Just(66), 1..40u32];
    let values = (-20.0..20.0f32, 0.5..4.0f32);
    let rest = (0..ACTIVATIONS.len(), [1..4u32, 1..4], any::<[bool; 3]>());
    (images, channels, values, rest).prop_map(
        move |(
            images,
            channels,
            (center, spread),
            (activation, window, [twice, constant, frozen]),
        )| {
            let [_, height, width] = images;
            Case {
                pool: [window[0].min(height), window[1].min(width)],
                twice,
                constant,
                frozen,
                class,
                ..around(case(images, channels, activation), center, spread)
            }
        },
    )
}

/// [`LISTED`] for the kernels of a class.
fn listed(class: AdapterClass) -> [Case; LISTED.len()] {
    LISTED.map(|case| Case { class, ..case })
}

impl Case {
    fn shape(&self) -> Shape {
        match self.images {
            [samples, 1, 1] if self.pool == [1, 1] => Shape::from([samples, self.channels]),
            [batch, height, width] => Shape::from([batch, height, width, self.channels]),
        }
    }

    fn values(&self) -> Vec<f32> {
        let drawn = Random(1).values(Draw::Uniform, self.shape().elements() as usize);
        let place = |value| self.center + self.spread * value;
        drawn.into_iter().map(place).collect()
    }

    fn twin(&self) -> batch_norm::BatchNorm {
        let rows = self.images.iter().product::<u32>() as usize;
        let activation = ACTIVATIONS[self.activation].1;
        batch_norm::BatchNorm {
            eps: self.eps,
            momentum: self.momentum,
            frozen: self.frozen,
            ..batch_norm::BatchNorm::new(rows, self.channels as usize, activation)
        }
    }

    fn layer(&self, parameters: &mut Parameters) -> BatchNorm {
        let activation = ACTIVATIONS[self.activation].0;
        let norm = BatchNorm::new(parameters, "norm", self.channels, activation)
            .pooled(self.pool)
            .with_eps(self.eps)
            .with_momentum(self.momentum);
        if self.frozen { norm.frozen() } else { norm }
    }

    fn windows(&self) -> MaxPool2d {
        let [batch, height, width] = self.images.map(|size| size as usize);
        let window = self.pool.map(|size| size as usize);
        MaxPool2d {
            batch,
            height,
            width,
            channels: self.channels as usize,
            window,
            stride: window,
            padding: [0, 0],
        }
    }
}

/// What the device made of a batch, and how its sums were cut.
pub struct Found<'a> {
    /// The sizes.
    pub shape: batch_norm::BatchNorm,
    /// The windows of the pooling behind it.
    pub windows: MaxPool2d,
    /// The input, of which every error is a share.
    pub x: &'a [f64],
    /// Mean and rstd as the device has them.
    pub norm: Normalisation,
    /// Rows of a chunk, and chunks, of the statistics and of the gradients.
    chunks: [[usize; 2]; 2],
}

impl<'a> Found<'a> {
    /// From the buffers of the layer: `batch`, and where its sums were cut into chunks `partial` and `partial_sums`.
    pub fn new<'b>(
        shape: batch_norm::BatchNorm,
        x: &'a [f64],
        buffer: impl Fn(&str) -> Option<&'b [f64]>,
    ) -> Self {
        let batch = buffer("batch").expect("every normalisation has it");
        let (mean, rstd) = batch[..2 * shape.channels].split_at(shape.channels);
        let cut = |name| {
            let chunks = buffer(name).map_or(1, |partial| partial.len() / (2 * shape.channels));
            [shape.rows.div_ceil(chunks), chunks]
        };
        Self {
            windows: no_windows(&shape),
            x,
            norm: Normalisation {
                mean: mean.to_vec(),
                rstd: rstd.to_vec(),
            },
            chunks: ["partial", "partial_sums"].map(cut),
            shape,
        }
    }

    /// The same with pooling behind it.
    pub fn pooled(self, windows: MaxPool2d) -> Self {
        Self { windows, ..self }
    }

    fn column(&self, channel: usize) -> impl Iterator<Item = f64> {
        self.x
            .iter()
            .skip(channel)
            .step_by(self.shape.channels)
            .copied()
    }

    /// Largest magnitude of a channel, and the difference of its extremes.
    fn size_and_range(&self, channel: usize) -> (f64, f64) {
        let size = self.column(channel).map(f64::abs).fold(0.0, f64::max);
        let least = self.column(channel).fold(f64::INFINITY, f64::min);
        let most = self.column(channel).fold(f64::NEG_INFINITY, f64::max);
        (size, most - least)
    }

    /// How far mean and variance of the device may be from those of the twin.
    ///
    /// All differences are at most the range R. In a chunk of m rows they are rounded, summed, divided and added to the
    /// first value: (m + 4) EPS R + EPS M for a mean, where M is the largest magnitude; K chunks again: K + 5, and a last
    /// EPS M. A sum of m squares less the square of a sum errs by (3 m + 12) EPS m R^2, the sum of K of them by K + 4 times
    /// EPS; and a mean that is off by d changes the squares of the differences from it by 2 R d + d^2.
    fn moments_error(&self, channel: usize) -> [f64; 2] {
        let [rows, chunks] = self.chunks[0].map(|count| count as f64);
        let (size, range) = self.size_and_range(channel);
        let mean = EPS * ((rows + chunks + 9.0) * range + 2.0 * size) + TINY;
        let squares = (3.0 * rows + chunks + 16.0) * (EPS * range * range + TINY);
        [mean, squares + mean * (2.0 * range + mean)]
    }

    /// Asserts mean and rstd of the batch.
    pub fn assert_moments(&self, exact: &Statistics) {
        assert_within("mean", &self.norm.mean, &exact.mean, |channel| {
            self.moments_error(channel)[0]
        });
        let expected = exact.normalisation(&self.shape).rstd;
        assert_within("rstd", &self.norm.rstd, &expected, |channel| {
            let [_, error] = self.moments_error(channel);
            let rstd = |var: f64| 1.0 / (var.max(0.0) + self.shape.eps).sqrt();
            let var = exact.var[channel];
            let furthest = (rstd(var - error) - rstd(var)).max(rstd(var) - rstd(var + error));
            // The variance is divided, the rounded EPS added.
            furthest + expected[channel] * (2.0 * DIVISION + SQUARE_ROOT + 2.0 * EPS)
        });
    }

    /// Asserts mean and rstd where they are those of the running statistics.
    fn assert_running_moments(&self, running: &Statistics) {
        let expected = running.normalisation(&self.shape);
        assert_within("mean", &self.norm.mean, &expected.mean, |_| 0.0);
        assert_within("rstd", &self.norm.rstd, &expected.rstd, |channel| {
            RUNNING_RSTD * expected.rstd[channel]
        });
    }

    /// Asserts the output, from the device's mean and rstd.
    pub fn assert_y(&self, got: &[f64], weight: &[f64], bias: &[f64], rstd_error: f64) {
        let activation = self.shape.activation;
        let z = self.linear(weight, bias);
        let winners = self.windows.first_maxima(&z);
        let y = batch_norm::forward(&self.shape, self.x, &self.norm, weight, bias);
        assert_within(
            "y",
            got,
            &max_pool2d::forward(&self.windows, &y),
            |output| {
                let index = winners[output];
                let channel = index % self.shape.channels;
                let product = (self.xhat(index) * weight[channel]).abs();
                // Scale, difference and product are rounded, then the sum. No activation is steeper than 1.
                sum(3, product + bias[channel].abs())
                    + rstd_error * product
                    + error(activation, z[index])
            },
        );
    }

    /// What goes into the activation.
    fn linear(&self, weight: &[f64], bias: &[f64]) -> Vec<f64> {
        let linear = batch_norm::BatchNorm {
            activation: Activation::Identity,
            ..self.shape
        };
        batch_norm::forward(&linear, self.x, &self.norm, weight, bias)
    }

    /// y and its gradient before the pooling: what came out and what came back, at the places of the winners. No activation
    /// falls, so the largest values before it win; where it makes others equal to them, it is flat.
    fn before_pooling(&self, backward: &Backward) -> [Vec<f64>; 2] {
        let z = self.linear(backward.weight, backward.bias);
        let [mut y, mut dy] = [z.clone(), vec![0.0; z.len()]];
        for (output, winner) in self.windows.first_maxima(&z).into_iter().enumerate() {
            y[winner] = backward.y[output];
            dy[winner] = backward.dy[output];
        }
        [y, dy]
    }

    fn xhat(&self, index: usize) -> f64 {
        let channel = index % self.shape.channels;
        (self.x[index] - self.norm.mean[channel]) * self.norm.rstd[channel]
    }

    /// Asserts the gradients, from the device's mean, rstd and y. `dx` may be empty.
    pub fn assert_gradients(&self, backward: &Backward) {
        let Backward {
            weight,
            dx,
            dweight,
            dbias,
            ..
        } = *backward;
        let [y, dy] = &self.before_pooling(backward);
        let expected = batch_norm::backward(&self.shape, self.x, &self.norm, weight, y, dy);
        let channels = self.shape.channels;
        // The slope takes 4 roundings, xhat 2, and every value takes part in the additions of its chunk and of the chunks.
        let [rows, chunks] = self.chunks[1];
        let terms = rows + chunks + 8;
        let sums_of = |value: &dyn Fn(usize) -> f64| -> Vec<f64> {
            let column = |channel| (channel..dy.len()).step_by(channels);
            (0..channels)
                .map(|channel| column(channel).map(value).sum())
                .collect()
        };
        let bias_scale = sums_of(&|index| dy[index].abs());
        let weight_scale = sums_of(&|index| (dy[index] * self.xhat(index)).abs());
        assert_within("dbias", dbias, &expected.dbias, |c| {
            sum(terms, bias_scale[c])
        });
        assert_within("dweight", dweight, &expected.dweight, |c| {
            sum(terms, weight_scale[c])
        });
        if dx.is_empty() {
            return;
        }
        let share = if self.shape.frozen {
            0.0
        } else {
            1.0 / self.shape.rows as f64
        };
        assert_within("dx", dx, &expected.dx, |index| {
            let c = index % channels;
            let xhat = self.xhat(index).abs();
            let factor = (weight[c] * self.norm.rstd[c]).abs();
            let means = share * (bias_scale[c] + xhat * weight_scale[c]);
            let means_error =
                share * (sum(terms, bias_scale[c]) + xhat * sum(terms, weight_scale[c]));
            // dz, the divisions, xhat, two products, two differences, the factor, and the sum with an earlier gradient.
            factor * (means_error + sum(16, dy[index].abs() + means)) + TINY
        });
    }
}

/// What goes into the gradients of a layer, and what the device made of it.
#[derive(Clone, Copy)]
pub struct Backward<'a> {
    pub weight: &'a [f64],
    pub bias: &'a [f64],
    pub y: &'a [f64],
    pub dy: &'a [f64],
    pub dx: &'a [f64],
    pub dweight: &'a [f64],
    pub dbias: &'a [f64],
}

/// The running statistics of the layer called `name`, before or after.
fn running(of: &BTreeMap<String, Vec<f64>>, name: &str) -> Statistics {
    Statistics {
        mean: of[&format!("{name}.running_mean")].clone(),
        var: of[&format!("{name}.running_var")].clone(),
    }
}

/// Asserts the running statistics of the layer called `name` after `times` batches alike.
pub fn assert_running(
    found: &Found,
    outcome: &Outcome,
    name: &str,
    exact: &Statistics,
    times: u32,
) {
    let before = running(&outcome.parameters, name);
    let rows = found.shape.rows;
    let shape = &found.shape;
    let expected = (0..times).fold(before.clone(), |running, _| running.after(exact, shape));
    let after = running(&outcome.statistics, name);
    // Old and new share are products that are added, of a rounded MOMENTUM; the new value has its own error, and the
    // variance has been divided by one row less.
    let share = 1.0 - (1.0 - shape.momentum).powi(times as i32);
    let error = |old: f64, new: f64, new_error: f64| {
        f64::from(times) * sum(3, old.abs().max(new.abs())) + share * new_error
    };
    assert_within("running mean", &after.mean, &expected.mean, |c| {
        error(before.mean[c], exact.mean[c], found.moments_error(c)[0])
    });
    let unbiased = rows as f64 / (rows as f64 - 1.0);
    assert_within("running var", &after.var, &expected.var, |c| {
        let var = unbiased * exact.var[c];
        let new_error = unbiased * found.moments_error(c)[1] + DIVISION * var;
        error(before.var[c], var, new_error)
    });
}

/// Windows of one pixel.
fn no_windows(shape: &batch_norm::BatchNorm) -> MaxPool2d {
    MaxPool2d {
        batch: shape.rows,
        height: 1,
        width: 1,
        channels: shape.channels,
        window: [1, 1],
        stride: [1, 1],
        padding: [0, 0],
    }
}

pub fn batch_norm_matches_its_twin(bench: &Bench) {
    check(bench, AdapterClass::Gpu);
}

pub fn batch_norm_on_cpu_adapters_matches_its_twin(bench: &Bench) {
    check(bench, AdapterClass::Cpu);
}

pub fn batch_norm_under_tight_limits_matches_its_twin(bench: &Bench) {
    check(bench, AdapterClass::Tight);
}

fn check(bench: &Bench, class: AdapterClass) {
    for_all(&listed(class), 5, cases(class), |case| {
        let mut parameters = Parameters::default();
        let layer = case.layer(&mut parameters);
        let input = Input {
            constant: case.constant,
            ..Input::new(case.shape(), case.values())
        };
        let setup = Setup {
            parameters,
            twice: case.twice,
            class: case.class,
            ..Setup::without_parameters(input, Draw::Uniform)
        };
        for outcome in bench.trial(&setup, |tape, x| layer.forward(tape, x[0])) {
            let buffer = |name: &str| outcome.buffers.get(name).map(Vec::as_slice);
            let found = Found::new(case.twin(), &outcome.x[0], buffer).pooled(case.windows());
            if case.frozen {
                let before = running(&outcome.parameters, "norm");
                let after = running(&outcome.statistics, "norm");
                assert!(before.mean == after.mean && before.var == after.var);
                found.assert_running_moments(&before);
            } else {
                let exact = batch_norm::statistics(&found.shape, found.x);
                found.assert_moments(&exact);
                let times = 1 + u32::from(case.twice);
                assert_running(&found, &outcome, "norm", &exact, times);
            }
            let weight = &outcome.parameters["norm.weight"];
            let bias = &outcome.parameters["norm.bias"];
            found.assert_y(&outcome.y, weight, bias, 0.0);
            found.assert_gradients(&Backward {
                weight,
                bias,
                y: &outcome.y,
                dy: &outcome.dy,
                dx: &outcome.dx[0],
                dweight: &outcome.gradients["norm.weight"],
                dbias: &outcome.gradients["norm.bias"],
            });
        }
    });
}

/// A batch may be of one row then, and the statistics stay as they are.
pub fn batch_norm_evaluates_with_running_statistics(bench: &Bench) {
    check_evaluation(bench, AdapterClass::Gpu);
}

pub fn batch_norm_evaluates_on_cpu_adapters(bench: &Bench) {
    check_evaluation(bench, AdapterClass::Cpu);
}

fn check_evaluation(bench: &Bench, class: AdapterClass) {
    let listed = [
        case([1, 1, 1], 1, 1),
        case([1, 1, 1], 4, 1),
        case([17, 1, 1], 65, 3),
        case([2, 3, 5], 64, 2),
        case([1030, 1, 1], 68, 0),
        around(case([129, 1, 1], 3, 4), 1000.0, 0.1),
        pooled(case([2, 7, 5], 68, 1), [2, 3]),
    ];
    let listed = listed.map(|case| Case { class, ..case });
    for_all(&listed, 3, cases(class), |case| {
        let mut parameters = Parameters::default();
        let layer = case.layer(&mut parameters);
        let mut random = Random(2);
        let mut values = Values::zeros(&parameters);
        let drawn: Vec<Vec<f64>> = parameters
            .specs()
            .iter()
            .map(|spec| {
                let drawn = random.parameter(Draw::Uniform, spec);
                values.set(spec, &drawn);
                doubles(&drawn)
            })
            .collect();
        let [weight, bias, mean, var] = <[Vec<f64>; 4]>::try_from(drawn).expect("four of them");
        let mut tape =
            Tape::new("evaluation", &parameters, Mode::Evaluate).with_kernels(case.class);
        let x = tape.tensor("x", case.shape());
        let y = layer.forward(&mut tape, x);
        if !bench.runs(case.class) {
            return;
        }
        for open in bench.open(&tape.finish()) {
            open.write_named("parameters", &values.parameters);
            open.write_named("statistics", &values.statistics);
            open.write(x, &case.values());
            open.run();
            let running = Statistics {
                mean: mean.clone(),
                var: var.clone(),
            };
            let found = Found {
                shape: case.twin(),
                x: &doubles(&case.values()),
                norm: running.normalisation(&case.twin()),
                windows: case.windows(),
                chunks: [[0, 0]; 2],
            };
            found.assert_y(&doubles(&open.read(y)), &weight, &bias, RUNNING_RSTD);
            assert!(open.read_named::<f32>("statistics") == values.statistics);
        }
    });
}

/// Cases for every kernel of a class: any channels, channels in fours; one dispatch, several; windows.
fn not_finite(class: AdapterClass) -> Vec<Case> {
    let sizes = [[40, 1, 1], [4, 6, 4], [8, 13, 12]];
    let mut cases = Vec::new();
    for (images, channels) in sizes
        .into_iter()
        .flat_map(|images| [(images, 3), (images, 4)])
    {
        let case = Case {
            class,
            ..case(images, channels, 1)
        };
        cases.push(case);
        cases.extend((images[1] > 1).then(|| pooled(case, [2, 2])));
    }
    cases
}

impl Case {
    /// The values with NaN in the first channel, and infinity in the second.
    fn values_not_finite(&self) -> Vec<f32> {
        let mut values = self.values();
        let channels = self.channels as usize;
        values[5 * channels] = f32::NAN;
        values[7 * channels + 1] = f32::INFINITY;
        values
    }
}

/// A batch with NaN or infinity in a channel has no mean or no variance there, and every output of the channel says so.
pub fn batch_norm_lets_nan_through(bench: &Bench) {
    for case in [AdapterClass::Gpu, AdapterClass::Cpu]
        .into_iter()
        .flat_map(not_finite)
    {
        let mut parameters = Parameters::default();
        let layer = case.layer(&mut parameters);
        let setup = Setup {
            parameters,
            class: case.class,
            ..Setup::without_parameters(
                Input::new(case.shape(), case.values_not_finite()),
                Draw::Uniform,
            )
        };
        for outcome in bench.trial(&setup, |tape, x| layer.forward(tape, x[0])) {
            let expected = |values: &[f64]| -> Vec<f64> {
                let channel = |index| index % case.channels as usize;
                let value = |index| if channel(index) < 2 { f64::NAN } else { 0.0 };
                (0..values.len()).map(value).collect()
            };
            for (what, got) in [
                ("y", &outcome.y),
                ("dx", &outcome.dx[0]),
                ("dweight", &outcome.gradients["norm.weight"]),
            ] {
                assert_not_finite(what, got, &expected(got));
            }
        }
    }
}

/// With running statistics they stay where they are, and win their windows.
pub fn batch_norm_evaluates_nan(bench: &Bench) {
    for case in [AdapterClass::Gpu, AdapterClass::Cpu]
        .into_iter()
        .flat_map(not_finite)
    {
        let mut parameters = Parameters::default();
        let layer = case.layer(&mut parameters);
        let mut tape =
            Tape::new("evaluation", &parameters, Mode::Evaluate).with_kernels(case.class);
        let x = tape.tensor("x", case.shape());
        let y = layer.forward(&mut tape, x);
        if !bench.runs(case.class) {
            continue;
        }
        let channels = case.channels as usize;
        let [weight, bias, mean, var] = [[-1.0, 1.0, 1.0, 1.0], [0.5; 4], [0.0; 4], [1.0; 4]];
        let mut values = Values::zeros(&parameters);
        for (spec, of_channel) in parameters.specs().iter().zip([weight, bias, mean, var]) {
            values.set(spec, &of_channel[..channels]);
        }
        let statistics = Statistics {
            mean: doubles(&mean[..channels]),
            var: doubles(&var[..channels]),
        };
        let norm = statistics.normalisation(&case.twin());
        let input = case.values_not_finite();
        let [weight, bias] = [weight, bias].map(|values| doubles(&values[..channels]));
        let all = batch_norm::forward(&case.twin(), &doubles(&input), &norm, &weight, &bias);
        let expected = max_pool2d::forward(&case.windows(), &all);
        for open in bench.open(&tape.finish()) {
            open.write_named("parameters", &values.parameters);
            open.write_named("statistics", &values.statistics);
            open.write(x, &input);
            open.run();
            assert_not_finite("y", &doubles(&open.read(y)), &expected);
        }
    }
}
