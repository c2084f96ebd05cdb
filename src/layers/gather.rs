//! Where a batch comes from: a data set that lies on the device, read in the order of this epoch.

use crate::plan::{Kernel, Shader, Tape, Tensor};

static GATHER: Shader = crate::shader!("gather");

/// What one sample is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sample {
    /// An image of bytes and a class.
    Image {
        /// Rows of pixels.
        height: u32,
        /// Pixels of a row.
        width: u32,
        /// Values of a pixel.
        channels: u32,
    },
    /// A row of numbers and numbers to predict.
    Row {
        /// Numbers given.
        features: u32,
        /// Numbers to predict.
        targets: u32,
    },
}

/// A resident data set as plans see it. The shared buffers carry the prefix `train.` or `test.`, after the tape's mode.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Source {
    /// What one sample is.
    pub sample: Sample,
    /// The number of samples.
    pub count: u32,
    /// Samples of every step but the last.
    pub batch_size: u32,
}

/// One batch on the tape.
#[derive(Clone, Copy, Debug)]
pub struct Batch {
    /// Images `[N, H, W, C]`, normalised, or rows `[N, features]`.
    pub x: Tensor,
    /// Classes `[N]`, or targets `[N, targets]`.
    pub y: Tensor,
}

impl Source {
    /// Steps of an epoch: the ragged last batch is kept.
    pub fn steps(&self) -> u32 {
        self.count.div_ceil(self.batch_size)
    }

    /// Samples of the last step, if they are fewer than those of the others.
    pub fn ragged_batch(&self) -> Option<u32> {
        Some(self.count % self.batch_size).filter(|&rest| rest > 0)
    }

    /// The loss of each step of the epoch.
    pub fn losses(&self, tape: &mut Tape) -> Tensor {
        self.shared(tape, "losses", self.steps())
    }

    /// The correctly classified samples of each step of the epoch.
    pub fn correct(&self, tape: &mut Tape) -> Tensor {
        self.shared(tape, "correct", self.steps())
    }

    /// Records the fetching of one batch of `batch` samples.
    pub fn record(&self, tape: &mut Tape, batch: u32) -> Batch {
        tape.scope("gather", |tape| match self.sample {
            Sample::Image {
                height,
                width,
                channels,
            } => self.record_images(tape, batch, [height, width, channels]),
            Sample::Row { features, targets } => self.record_rows(tape, batch, features, targets),
        })
    }

    fn record_images(
        &self,
        tape: &mut Tape,
        batch: u32,
        [height, width, channels]: [u32; 3],
    ) -> Batch {
        let size = height * width * channels;
        let words = |bytes: u64| {
            u32::try_from(bytes.div_ceil(4)).expect("the data set fits 32-bit indices")
        };
        let images = self.shared(
            tape,
            "images",
            words(u64::from(self.count) * u64::from(size)),
        );
        let labels = self.shared(tape, "labels", words(self.count.into()));
        let normalisation = tape.data("normalisation", [2, channels]);
        let (step, order) = (tape.step(), self.shared(tape, "order", self.count));
        let x = tape.input("x", [batch, height, width, channels]);
        let y = tape.input("labels", [batch]);
        tape.dispatch(Kernel {
            shader: &GATHER,
            entry: "images_forward",
            constants: &[
                ("BATCH", batch.into()),
                ("FULL_BATCH", self.batch_size.into()),
                ("SIZE", size.into()),
                ("CHANNELS", channels.into()),
            ],
            bindings: &[
                ("step", step),
                ("order", order),
                ("images", images),
                ("labels", labels),
                ("normalisation", normalisation),
                ("x", x),
                ("batch_labels", y),
            ],
            extent: [x.elements(), 1, 1],
            multiplications: 0,
        });
        Batch { x, y }
    }

    fn record_rows(&self, tape: &mut Tape, batch: u32, features: u32, targets: u32) -> Batch {
        let all_inputs = self.shared(tape, "inputs", self.count * features);
        let all_targets = self.shared(tape, "targets", self.count * targets);
        let (step, order) = (tape.step(), self.shared(tape, "order", self.count));
        let x = tape.input("x", [batch, features]);
        let y = tape.input("targets", [batch, targets]);
        tape.dispatch(Kernel {
            shader: &GATHER,
            entry: "rows_forward",
            constants: &[
                ("BATCH", batch.into()),
                ("FULL_BATCH", self.batch_size.into()),
                ("SIZE", features.into()),
                ("TARGETS", targets.into()),
            ],
            bindings: &[
                ("step", step),
                ("order", order),
                ("inputs", all_inputs),
                ("targets", all_targets),
                ("x", x),
                ("batch_targets", y),
            ],
            extent: [batch * (features + targets), 1, 1],
            multiplications: 0,
        });
        Batch { x, y }
    }

    fn shared(&self, tape: &mut Tape, name: &str, elements: u32) -> Tensor {
        let label = format!("{}.{name}", tape.mode().prefix());
        tape.data(&label, [elements])
    }
}
