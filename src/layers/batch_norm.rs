//! Batch normalisation with the activation that follows it.

use super::{Activation, Layer};
use crate::plan::{Init, Kernel, Layout, Mode, Parameter, Parameters, Shader, Tape, Tensor};

static BATCH_NORM: Shader = crate::shader!("batch_norm");

/// Added to the variance: PyTorch's default.
const EPS: f64 = 1e-5;

/// The share of a new batch in the running statistics: PyTorch's default.
const MOMENTUM: f64 = 0.1;

/// Rows that one invocation adds up, more only if there would be more chunks than a second dispatch adds up.
const CHUNK_ROWS: u32 = 128;
const MAX_CHUNKS: u32 = 256;

/// y = phi((x - mean) / sqrt(var + eps) * weight + bias) for each channel: PyTorch's `BatchNorm1d` on `[N, C]`, its
/// `BatchNorm2d` on images `[N, H, W, C]`.
///
/// Training takes mean and variance from the batch and keeps running ones, evaluation takes the running ones.
#[derive(Clone, Copy, Debug)]
pub struct BatchNorm {
    /// Channels C.
    pub channels: u32,
    /// The activation behind it.
    pub activation: Activation,
    weight: Parameter,
    bias: Parameter,
    running_mean: Parameter,
    running_var: Parameter,
}

impl BatchNorm {
    /// Adds `NAME.weight` (1), `NAME.bias` (0), and the statistics `NAME.running_mean` (0) and `NAME.running_var` (1).
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
            weight,
            bias,
            running_mean: parameters.add_statistic(format!("{name}.running_mean"), channels, 0.0),
            running_var: parameters.add_statistic(format!("{name}.running_var"), channels, 1.0),
        }
    }

    fn constants(&self, x: Tensor) -> Vec<(&'static str, f64)> {
        let rows = x.elements() / self.channels;
        vec![
            ("ROWS", rows.into()),
            ("CHANNELS", self.channels.into()),
            ("CHUNKS", chunks(rows).into()),
            ("EPS", EPS),
            ("MOMENTUM", MOMENTUM),
            self.activation.constant(),
        ]
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
            shader: &BATCH_NORM,
            entry,
            constants,
            bindings,
            extent: [extent, 1, 1],
            multiplications: 0,
        });
    }

    fn evaluate(&self, tape: &mut Tape, x: Tensor, y: Tensor) {
        let bindings = [
            ("x", x),
            ("weight", tape.parameter(self.weight)),
            ("bias", tape.parameter(self.bias)),
            ("y", y),
            ("mean", tape.parameter(self.running_mean)),
            ("variance", tape.parameter(self.running_var)),
        ];
        let constants = self.constants(x);
        self.dispatch(tape, "evaluate", &constants, &bindings, self.strips(x));
    }

    /// Records mean and rstd `[2, C]` of the batch, and the update of the running statistics.
    fn moments(&self, tape: &mut Tape, x: Tensor) -> Tensor {
        let rows = x.elements() / self.channels;
        let constants = self.constants(x);
        let partial = tape.tensor("partial", [chunks(rows), 2, self.channels]);
        let extent = chunks(rows) * self.channels;
        let bindings = [("x", x), ("partial", partial)];
        self.dispatch(tape, "moments", &constants, &bindings, extent);
        let batch = tape.tensor("batch", [2, self.channels]);
        let bindings = [
            ("partials", partial),
            ("batch", batch),
            ("running_mean", tape.parameter(self.running_mean)),
            ("running_var", tape.parameter(self.running_var)),
        ];
        self.dispatch(tape, "finish_moments", &constants, &bindings, self.channels);
        batch
    }

    fn backward(&self, tape: &mut Tape, x: Tensor, y: Tensor, batch: Tensor) {
        let dy = tape.gradient(y);
        let sums = self.backward_sums(tape, x, y, dy, batch);
        let Some(dx) = tape.gradient_of(x) else {
            return;
        };
        let mut constants = self.constants(x);
        constants.push(dx.constant());
        let bindings = [
            ("x", x),
            ("batch_moments", batch),
            ("output", y),
            ("dy", dy),
            ("channel_sums", sums),
            ("scales", tape.parameter(self.weight)),
            ("dx", dx.tensor),
        ];
        self.dispatch(
            tape,
            "backward_input",
            &constants,
            &bindings,
            self.strips(x),
        );
    }

    /// Records the gradients of weight and bias; the sums `[2, C]` of this batch alone are what dx depends on.
    fn backward_sums(
        &self,
        tape: &mut Tape,
        x: Tensor,
        y: Tensor,
        dy: Tensor,
        batch: Tensor,
    ) -> Tensor {
        let chunks = chunks(x.elements() / self.channels);
        let partial = tape.tensor("partial_sums", [chunks, 2, self.channels]);
        let mut constants = self.constants(x);
        let bindings = [
            ("x", x),
            ("batch_moments", batch),
            ("output", y),
            ("dy", dy),
            ("partial_sums", partial),
        ];
        let extent = chunks * self.channels;
        self.dispatch(tape, "backward_sums", &constants, &bindings, extent);
        let sums = tape.tensor("sums", [2, self.channels]);
        let dweight = tape.gradient_of_parameter(self.weight);
        let dbias = tape.gradient_of_parameter(self.bias);
        constants.push(dweight.constant());
        let bindings = [
            ("partials", partial),
            ("sums", sums),
            ("dbias", dbias.tensor),
            ("dweight", dweight.tensor),
        ];
        self.dispatch(tape, "finish_sums", &constants, &bindings, self.channels);
        sums
    }

    /// Invocations of an elementwise kernel: each takes a strip of rows of one channel.
    fn strips(&self, x: Tensor) -> u32 {
        let rows = x.elements() / self.channels;
        rows.div_ceil(BATCH_NORM.constant("STRIP")) * self.channels
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
        let y = tape.tensor("y", x.shape());
        if tape.mode() == Mode::Evaluate {
            self.evaluate(tape, x, y);
            return y;
        }
        let rows = x.elements() / self.channels;
        assert!(rows > 1, "one value has no variance: {:?}", x.shape());
        let batch = self.moments(tape, x);
        let bindings = [
            ("x", x),
            ("batch_moments", batch),
            ("weight", tape.parameter(self.weight)),
            ("bias", tape.parameter(self.bias)),
            ("y", y),
        ];
        let constants = self.constants(x);
        self.dispatch(tape, "forward", &constants, &bindings, self.strips(x));
        let norm = *self;
        tape.on_backward(y, move |tape| norm.backward(tape, x, y, batch));
        y
    }
}

/// Parts that the sums over rows are cut into, none of them empty.
fn chunks(rows: u32) -> u32 {
    rows.div_ceil(CHUNK_ROWS.max(rows.div_ceil(MAX_CHUNKS)))
}
