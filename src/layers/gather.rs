//! Where a batch comes from: a data set that lies on the device, read in the order of this epoch.

use super::augment::Augmented;
use super::stage::Stage;
use crate::data::augment::Transforms;
use crate::plan::{Kernel, Mode, Shader, Tape, Tensor};

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

impl Sample {
    /// The buffer `input` of a batch that is given, not gathered: images `[N, H, W, C]` or rows `[N, features]`.
    pub fn input(self, tape: &mut Tape, batch: u32) -> Tensor {
        match self {
            Self::Image {
                height,
                width,
                channels,
            } => tape.data("input", [batch, height, width, channels]),
            Self::Row { features, .. } => tape.data("input", [batch, features]),
        }
    }
}

/// What a pass visits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    /// The training samples.
    Train,
    /// Those of the training samples that are held out.
    Validation,
    /// The test samples.
    Test,
}

impl Part {
    /// The prefix of the buffers that belong to the pass: order, losses, correct.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }

    /// The prefix of the buffers that the samples lie in.
    pub fn samples_prefix(self) -> &'static str {
        match self {
            Self::Train | Self::Validation => "train",
            Self::Test => "test",
        }
    }
}

/// A pass over a resident data set as plans see it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Source {
    /// What it visits.
    pub part: Part,
    /// What one sample is, as it lies on the device.
    pub sample: Sample,
    /// Samples that lie on the device.
    pub resident: u32,
    /// Samples visited: as many as the order names.
    pub count: u32,
    /// Samples of every step but the last.
    pub batch_size: u32,
    /// What happens to an image on its way into a batch. Evaluation leaves out what is random.
    pub transforms: Transforms,
    /// Bytes of images that are bound at once.
    pub window_bytes: u64,
}

/// What every adapter binds at once.
const WINDOW_BYTES: u64 = 128 << 20;

/// One batch on the tape.
#[derive(Clone, Copy, Debug)]
pub struct Batch {
    /// Images `[N, H, W, C]`, normalised, or rows `[N, features]`.
    pub x: Tensor,
    /// Classes `[N]`, or targets `[N, targets]`.
    pub y: Tensor,
}

/// The shared buffers of an image data set, and the batch that is taken from them.
pub(super) struct Resident {
    /// Height, width and channels of a stored image.
    pub size: [u32; 3],
    /// Images of the batch.
    pub batch: u32,
    /// Images of every step of the epoch but the last.
    pub full_batch: u32,
    /// The order in which they are read.
    pub order: Tensor,
    /// All images, or if they were staged those of the batch in its order.
    pub images: Tensor,
    /// Whether they were.
    pub staged: bool,
    /// Bytes from one image to the next.
    pub stride: u32,
    labels: Tensor,
    /// Scale and shift of each channel.
    pub normalisation: Tensor,
}

impl Source {
    /// A pass over all of `count` samples.
    pub fn whole(part: Part, sample: Sample, count: u32, batch_size: u32) -> Self {
        Self {
            part,
            sample,
            resident: count,
            count,
            batch_size,
            transforms: Transforms::default(),
            window_bytes: WINDOW_BYTES,
        }
    }

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
        self.of_pass(tape, "losses", self.steps())
    }

    /// The correctly classified samples of each step of the epoch.
    pub fn correct(&self, tape: &mut Tape) -> Tensor {
        self.of_pass(tape, "correct", self.steps())
    }

    /// Records the fetching of one batch of `batch` samples.
    pub fn record(&self, tape: &mut Tape, batch: u32) -> Batch {
        tape.scope("gather", |tape| match self.sample {
            Sample::Image {
                height,
                width,
                channels,
            } => {
                let resident = self.resident(tape, batch, [height, width, channels]);
                self.record_images(tape, &resident)
            }
            Sample::Row { features, targets } => self.record_rows(tape, batch, features, targets),
        })
    }

    /// The images of a batch where a kernel can bind them.
    fn resident(&self, tape: &mut Tape, batch: u32, size: [u32; 3]) -> Resident {
        let [height, width, channels] = size;
        let words = |bytes: u64| {
            u32::try_from(bytes.div_ceil(4)).expect("the data set fits 32-bit indices")
        };
        let stage = Stage {
            resident: self.resident,
            size: height * width * channels,
            window_bytes: self.window_bytes,
        };
        let order = self.of_pass(tape, "order", self.count);
        let all = words(u64::from(self.resident) * u64::from(stage.size));
        let mut images = self.of_samples(tape, "images", all);
        let mut stride = stage.size;
        let staged = stage.is_needed();
        if staged {
            images = stage.record(tape, [images, order], [batch, self.batch_size]);
            stride = 4 * stage.row_words();
        }
        Resident {
            size,
            batch,
            full_batch: self.batch_size,
            order,
            images,
            staged,
            stride,
            labels: self.of_samples(tape, "labels", words(self.resident.into())),
            normalisation: tape.data("normalisation", [2, channels]),
        }
    }

    fn record_images(&self, tape: &mut Tape, resident: &Resident) -> Batch {
        let transforms = match tape.mode() {
            Mode::Train => self.transforms,
            Mode::Evaluate => self.transforms.fixed(),
        };
        if transforms == Transforms::default() {
            return resident.record_plain(tape);
        }
        let augmented = Augmented {
            transforms,
            resident,
        };
        Batch {
            x: augmented.record(tape),
            y: resident.record_labels(tape),
        }
    }

    fn record_rows(&self, tape: &mut Tape, batch: u32, features: u32, targets: u32) -> Batch {
        let all_inputs = self.of_samples(tape, "inputs", self.resident * features);
        let all_targets = self.of_samples(tape, "targets", self.resident * targets);
        let (step, order) = (tape.step(), self.of_pass(tape, "order", self.count));
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

    fn of_pass(&self, tape: &mut Tape, name: &str, elements: u32) -> Tensor {
        tape.data(&format!("{}.{name}", self.part.prefix()), [elements])
    }

    fn of_samples(&self, tape: &mut Tape, name: &str, elements: u32) -> Tensor {
        tape.data(
            &format!("{}.{name}", self.part.samples_prefix()),
            [elements],
        )
    }
}

impl Resident {
    fn record_plain(&self, tape: &mut Tape) -> Batch {
        let [height, width, channels] = self.size;
        let step = tape.step();
        let x = tape.input("x", [self.batch, height, width, channels]);
        let y = tape.input("labels", [self.batch]);
        tape.dispatch(Kernel {
            shader: &GATHER,
            entry: "images_forward",
            constants: &[
                ("BATCH", self.batch.into()),
                ("FULL_BATCH", self.full_batch.into()),
                ("SIZE", x.columns().into()),
                ("CHANNELS", channels.into()),
                ("STAGED", f64::from(u8::from(self.staged))),
                ("STRIDE", self.stride.into()),
            ],
            bindings: &[
                ("step", step),
                ("order", self.order),
                ("images", self.images),
                ("labels", self.labels),
                ("normalisation", self.normalisation),
                ("x", x),
                ("batch_labels", y),
            ],
            extent: [x.elements(), 1, 1],
            multiplications: 0,
        });
        Batch { x, y }
    }

    fn record_labels(&self, tape: &mut Tape) -> Tensor {
        let step = tape.step();
        let y = tape.input("labels", [self.batch]);
        tape.dispatch(Kernel {
            shader: &GATHER,
            entry: "labels_forward",
            constants: &[
                ("BATCH", self.batch.into()),
                ("FULL_BATCH", self.full_batch.into()),
            ],
            bindings: &[
                ("step", step),
                ("order", self.order),
                ("labels", self.labels),
                ("batch_labels", y),
            ],
            extent: [self.batch, 1, 1],
            multiplications: 0,
        });
        y
    }
}
