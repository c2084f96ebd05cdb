//! Batch normalisation with the activation and the pooling that follow it.

mod algorithm;

use super::pieces::pieces;
use super::{Activation, Layer, MaxPool2d};
use crate::plan::{Init, Kernel, Layout, Mode, Parameter, Parameters, Tape, Tensor};
use algorithm::{Algorithm, RUNNING};

/// y = max_pool(phi((x - mean) / sqrt(var + eps) * weight + bias)) for each channel: PyTorch's `BatchNorm1d` on `[N, C]`, its
/// `BatchNorm2d` on images `[N, H, W, C]`.
///
/// Training takes mean and variance from the batch and keeps running ones, evaluation takes the running ones.
#[derive(Clone, Copy, Debug)]
pub struct BatchNorm {
    /// Channels C.
    pub channels: u32,
    /// The activation behind it.
    pub activation: Activation,
    /// Height and width of the pooling windows, which lie side by side; 1 and 1 for none.
    pub pool: [u32; 2],
    /// Added to the variance.
    pub eps: f64,
    /// The share of a new batch in the running statistics.
    pub momentum: f64,
    /// Whether training, too, takes the running statistics, and leaves them as they are.
    pub frozen: bool,
    weight: Parameter,
    bias: Parameter,
    running_mean: Parameter,
    running_var: Parameter,
}

impl BatchNorm {
    /// Adds `NAME.weight` (1), `NAME.bias` (0), and the statistics `NAME.running_mean` (0) and `NAME.running_var` (1). `eps` and
    /// `momentum` are PyTorch's defaults.
    pub fn new(
        parameters: &mut Parameters,
        name: &str,
        channels: u32,
        activation: Activation,
    ) -> Self {
        let mut learnable = |part: &str, value| {
            let init = Init::Constant(value);
            parameters.add(
                format!("{name}.{part}"),
                &[channels],
                Layout::RowMajor,
                init,
            )
        };
        let (weight, bias) = (learnable("weight", 1.0), learnable("bias", 0.0));
        Self {
            channels,
            activation,
            pool: [1, 1],
            eps: 1e-5,
            momentum: 0.1,
            frozen: false,
            weight,
            bias,
            running_mean: parameters.add_statistic(format!("{name}.running_mean"), channels, 0.0),
            running_var: parameters.add_statistic(format!("{name}.running_var"), channels, 1.0),
        }
    }

    /// The same layer with max pooling over windows side by side behind the activation.
    pub fn pooled(self, window: [u32; 2]) -> Self {
        Self {
            pool: window,
            ..self
        }
    }

    /// The same layer with another number added to the variance.
    pub fn with_eps(self, eps: f64) -> Self {
        Self { eps, ..self }
    }

    /// The same layer with another share of a new batch in the running statistics.
    pub fn with_momentum(self, momentum: f64) -> Self {
        Self { momentum, ..self }
    }

    /// The same layer as PyTorch's is in evaluation mode while the net around it trains: it takes the running statistics and
    /// leaves them as they are, and its weight and bias learn.
    pub fn frozen(self) -> Self {
        Self {
            frozen: true,
            ..self
        }
    }

    /// Normalisation, then pooling as a layer of its own.
    fn composed(self, tape: &mut Tape, x: Tensor) -> Tensor {
        let pool = MaxPool2d::side_by_side(self.pool);
        let y = self.pooled([1, 1]).forward(tape, x);
        tape.scope("pool", |tape| pool.forward(tape, y))
    }
}

impl Layer for BatchNorm {
    fn forward(&self, tape: &mut Tape, x: Tensor) -> Tensor {
        let channels = x.shape().sizes().last().copied();
        assert_eq!(
            channels,
            Some(self.channels),
            "{self:?} got {:?}",
            x.shape()
        );
        let rows = x.elements() / self.channels;
        let is_pooled = self.pool != [1, 1];
        let mode = tape.mode();
        let of_batch = mode == Mode::Train && !self.frozen;
        assert!(
            !of_batch || rows > 1,
            "one value has no variance: {:?}",
            x.shape()
        );
        let offers = Algorithm::offers(tape.limits(), of_batch, rows, self.channels, is_pooled);
        let shape = format!(
            "{:?}, pool {:?}, {:?}",
            x.shape(),
            self.pool,
            self.activation
        );
        let norm = *self;
        let name = match mode {
            Mode::Evaluate => "batch_norm.evaluate",
            Mode::Train if self.frozen => "batch_norm.frozen",
            Mode::Train => "batch_norm",
        };
        tape.layer_operation(name, shape, &offers, |tape, algorithm| {
            if is_pooled && !algorithm.pools() {
                return norm.composed(tape, x);
            }
            norm.record(tape, algorithm, x)
        })
    }
}

impl BatchNorm {
    fn record(self, tape: &mut Tape, algorithm: Algorithm, x: Tensor) -> Tensor {
        let pass = Pass::new(self, algorithm, tape, x);
        if tape.mode() == Mode::Evaluate {
            pass.evaluate(tape);
            return pass.y;
        }
        let batch = tape.tensor("batch", [2, self.channels]);
        if self.frozen {
            pass.forward_frozen(tape, batch);
        } else {
            pass.forward(tape, batch);
        }
        tape.on_backward(pass.y, move |tape| pass.backward(tape, batch));
        pass.y
    }
}

/// One use of the layer: both tensors, and the algorithm that fits them.
#[derive(Clone, Copy)]
struct Pass {
    norm: BatchNorm,
    algorithm: Algorithm,
    /// Batch, height and width of the images; without pooling, all pixels as images of one.
    images: [u32; 3],
    x: Tensor,
    y: Tensor,
}

impl Pass {
    fn new(norm: BatchNorm, algorithm: Algorithm, tape: &mut Tape, x: Tensor) -> Self {
        let rows = x.elements() / norm.channels;
        let (images, y_shape) = if norm.pool == [1, 1] {
            ([rows, 1, 1], x.shape())
        } else {
            let [batch, height, width, channels] = x.image_sizes();
            let [window_h, window_w] = norm.pool;
            let out = [batch, height / window_h, width / window_w, channels];
            ([batch, height, width], out.into())
        };
        Self {
            norm,
            algorithm,
            images,
            x,
            y: tape.tensor("y", y_shape),
        }
    }

    /// Values of a channel that enter its statistics.
    fn rows(&self) -> u32 {
        self.images.iter().product()
    }

    /// Values of a channel that come out.
    fn outputs(&self) -> u32 {
        self.y.elements() / self.norm.channels
    }

    /// Windows that cover the images, with those that the edges cut off.
    fn windows(&self) -> u32 {
        let [batch, height, width] = self.images;
        let [window_h, window_w] = self.norm.pool;
        batch * height.div_ceil(window_h) * width.div_ceil(window_w)
    }

    fn constants(&self, chunks: u32) -> Vec<(&'static str, f64)> {
        let [batch, height, width] = self.images;
        let [window_h, window_w] = self.norm.pool;
        let mut constants = if self.algorithm.pools() {
            vec![
                ("BATCH", batch.into()),
                ("HEIGHT", height.into()),
                ("WIDTH", width.into()),
                ("WINDOW_H", window_h.into()),
                ("WINDOW_W", window_w.into()),
            ]
        } else {
            vec![("ROWS", self.rows().into())]
        };
        constants.extend([
            ("CHANNELS", self.norm.channels.into()),
            ("CHUNKS", chunks.into()),
            ("EPS", self.norm.eps),
            ("MOMENTUM", self.norm.momentum),
            ("FROZEN", f64::from(u8::from(self.norm.frozen))),
            self.norm.activation.constant(),
        ]);
        constants
    }

    /// Chunks that an entry point adds up `rows` in: more than the algorithm wants where the adapter's loops do.
    fn chunks(&self, tape: &Tape, entry: &str, rows: u32) -> u32 {
        let iterations = |at_once: u32| {
            let constants = self.constants(rows.div_ceil(at_once));
            self.algorithm
                .shader()
                .resources(entry, &constants)
                .iterations
        };
        let fewest = pieces(tape.limits(), rows, iterations).len() as u32;
        self.algorithm.chunks(rows, self.norm.channels).max(fewest)
    }

    /// Records one dispatch of `extent` invocations.
    fn dispatch(
        &self,
        tape: &mut Tape,
        entry: &'static str,
        constants: &[(&'static str, f64)],
        bindings: &[(&'static str, Tensor)],
        extent: u32,
    ) {
        tape.dispatch(Kernel {
            shader: self.algorithm.shader(),
            entry,
            constants,
            bindings,
            extent: [extent, 1, 1],
            multiplications: 0,
        });
    }

    fn evaluate(&self, tape: &mut Tape) {
        let bindings = [
            ("x", self.x),
            ("weight", tape.parameter(self.norm.weight)),
            ("bias", tape.parameter(self.norm.bias)),
            ("y", self.y),
            ("mean", tape.parameter(self.norm.running_mean)),
            ("variance", tape.parameter(self.norm.running_var)),
        ];
        let extent = self.elements_extent(self.outputs());
        self.dispatch(tape, "evaluate", &self.constants(1), &bindings, extent);
    }

    /// What goes into the running statistics, or is made of them.
    fn statistics(&self, tape: &mut Tape, batch: Tensor) -> [(&'static str, Tensor); 3] {
        [
            ("batch", batch),
            ("running_mean", tape.parameter(self.norm.running_mean)),
            ("running_var", tape.parameter(self.norm.running_var)),
        ]
    }

    /// What y is made of, apart from the statistics.
    fn output(&self, tape: &mut Tape) -> [(&'static str, Tensor); 4] {
        [
            ("x", self.x),
            ("weight", tape.parameter(self.norm.weight)),
            ("bias", tape.parameter(self.norm.bias)),
            ("y", self.y),
        ]
    }

    /// Records y, and mean and rstd `[2, C]` of the running statistics in the place of those of the batch.
    fn forward_frozen(&self, tape: &mut Tape, batch: Tensor) {
        let channels = self.norm.channels;
        let bindings = self.statistics(tape, batch);
        tape.dispatch(Kernel {
            shader: &RUNNING,
            entry: "running",
            constants: &[("CHANNELS", channels.into()), ("EPS", self.norm.eps)],
            bindings: &bindings,
            extent: [channels, 1, 1],
            multiplications: 0,
        });
        self.normalise(tape, batch);
    }

    /// Records y from mean and rstd.
    fn normalise(&self, tape: &mut Tape, batch: Tensor) {
        let bindings = [&self.output(tape)[..], &[("batch_moments", batch)]].concat();
        let extent = self.elements_extent(self.outputs());
        self.dispatch(tape, "forward", &self.constants(1), &bindings, extent);
    }

    /// Records y, mean and rstd `[2, C]` of the batch, and the update of the running statistics.
    fn forward(&self, tape: &mut Tape, batch: Tensor) {
        let statistics = self.statistics(tape, batch);
        if self.algorithm.is_whole() {
            let bindings = [&statistics[..], &self.output(tape)].concat();
            let extent = self.algorithm.whole_extent(self.norm.channels);
            self.dispatch(tape, "forward_whole", &self.constants(1), &bindings, extent);
            return;
        }
        self.moments(tape, &statistics);
        self.normalise(tape, batch);
    }

    /// Records what `statistics` are: first of chunks of rows, then of all.
    fn moments(&self, tape: &mut Tape, statistics: &[(&'static str, Tensor)]) {
        let channels = self.norm.channels;
        let chunks = self.chunks(tape, "moments", self.rows());
        let constants = self.constants(chunks);
        let partial = tape.tensor("partial", [chunks, 2, channels]);
        let bindings = [("x", self.x), ("partial", partial)];
        let extent = self.algorithm.chunks_extent(chunks, channels);
        self.dispatch(tape, "moments", &constants, &bindings, extent);
        let bindings = [&[("partials", partial)], statistics].concat();
        let extent = self.algorithm.whole_extent(channels);
        self.dispatch(tape, "finish_moments", &constants, &bindings, extent);
    }

    /// Records the gradients of weight, bias and, if it has one, x.
    fn backward(&self, tape: &mut Tape, batch: Tensor) {
        let dweight = tape.gradient_of_parameter(self.norm.weight);
        let dbias = tape.gradient_of_parameter(self.norm.bias);
        let parameters = Gradients {
            accumulate: ("ACCUMULATE_PARAMETERS", dweight.constant().1),
            bindings: vec![("dweight", dweight.tensor), ("dbias", dbias.tensor)],
        };
        let linear = [
            ("x", self.x),
            ("dy", tape.gradient(self.y)),
            ("batch_moments", batch),
            ("weight", tape.parameter(self.norm.weight)),
            ("bias", tape.parameter(self.norm.bias)),
        ];
        let input = tape.gradient_of(self.x).map(|dx| Gradients {
            accumulate: dx.constant(),
            bindings: vec![("dx", dx.tensor)],
        });
        match input {
            Some(input) if self.algorithm.is_whole() => {
                let mut constants = self.constants(1);
                constants.extend([parameters.accumulate, input.accumulate]);
                let bindings = [&linear[..], &parameters.bindings, &input.bindings].concat();
                let extent = self.algorithm.whole_extent(self.norm.channels);
                self.dispatch(tape, "backward_whole", &constants, &bindings, extent);
            }
            input => {
                let sums = self.backward_sums(tape, &linear, &parameters);
                if let Some(input) = input {
                    self.backward_input(tape, &linear, sums, &input);
                }
            }
        }
    }

    /// Records the gradients of weight and bias; the sums `[2, C]` of this batch alone are what dx depends on.
    fn backward_sums(
        &self,
        tape: &mut Tape,
        linear: &[(&'static str, Tensor)],
        parameters: &Gradients,
    ) -> Tensor {
        let channels = self.norm.channels;
        let chunks = self.chunks(tape, "backward_sums", self.outputs());
        let mut constants = self.constants(chunks);
        let partial = tape.tensor("partial_sums", [chunks, 2, channels]);
        let bindings = [linear, &[("partial_sums", partial)]].concat();
        let extent = self.algorithm.chunks_extent(chunks, channels);
        self.dispatch(tape, "backward_sums", &constants, &bindings, extent);
        let sums = tape.tensor("sums", [2, channels]);
        constants.push(parameters.accumulate);
        let mut bindings = vec![("partials", partial), ("sums", sums)];
        bindings.extend(&parameters.bindings);
        let extent = self.algorithm.whole_extent(channels);
        self.dispatch(tape, "finish_sums", &constants, &bindings, extent);
        sums
    }

    fn backward_input(
        &self,
        tape: &mut Tape,
        linear: &[(&'static str, Tensor)],
        sums: Tensor,
        input: &Gradients,
    ) {
        let mut constants = self.constants(1);
        constants.push(input.accumulate);
        let bindings = [linear, &[("channel_sums", sums)], &input.bindings].concat();
        let extent = self.elements_extent(self.windows());
        self.dispatch(tape, "backward_input", &constants, &bindings, extent);
    }

    fn elements_extent(&self, windows: u32) -> u32 {
        self.algorithm.elements_extent(windows, self.norm.channels)
    }
}

/// Where gradients go, and the override that says whether they are added to what is there.
struct Gradients {
    accumulate: (&'static str, f64),
    bindings: Vec<(&'static str, Tensor)>,
}
