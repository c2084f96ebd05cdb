//! Passes over a data set: where the batches of their steps come from.

use super::augment::Augmented;
use super::gather::{Batch, gather_labels};
use super::resident::{Features, Images, Rows, Selection};
use super::sample::Sample;
use super::stage::Stage;
use crate::data::augment::Transforms;
use crate::plan::{Mode, Shape, Tape, Tensor};

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

/// A pass over a data set as plans see it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Source {
    /// What it visits.
    pub part: Part,
    /// What one sample is, as it lies on the device.
    pub sample: Sample,
    /// Samples of the data set: all of them lie on the device, but for images that are streamed.
    pub resident: u32,
    /// Images that lie on the device at once, those of the next so many whole steps, where they are streamed.
    pub chunk: Option<u32>,
    /// Samples visited: as many as the order names.
    pub count: u32,
    /// Samples of every step but the last.
    pub batch_size: u32,
    /// Samples that go through a net at once where they are fewer than those of a step: a micro-batch, of several that make
    /// the step. All of a step's if absent.
    pub micro_batch: Option<u32>,
    /// What happens to an image on its way into a batch of training.
    pub transforms: Transforms,
    /// The same of evaluation.
    pub evaluation: Transforms,
    /// Bytes of images that are bound at once.
    pub window_bytes: u64,
}

/// What every adapter binds at once.
const WINDOW_BYTES: u64 = 128 << 20;

impl Source {
    /// A pass over all of `count` samples.
    pub fn whole(part: Part, sample: Sample, count: u32, batch_size: u32) -> Self {
        Self {
            part,
            sample,
            resident: count,
            chunk: None,
            count,
            batch_size,
            micro_batch: None,
            transforms: Transforms::default(),
            evaluation: Transforms::default(),
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

    /// The micro-batches of a step of `batch` samples: their samples, and how many of them there are. A smaller one comes
    /// last.
    pub fn micro_batches(&self, batch: u32) -> impl Iterator<Item = (u32, u32)> {
        let size = self.micro_batch.unwrap_or(batch);
        let all = [(size, batch / size), (batch % size, 1)];
        all.into_iter()
            .filter(|&(samples, count)| samples > 0 && count > 0)
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
                let images = self.images(tape, batch, [height, width, channels]);
                self.record_images(tape, &images)
            }
            Sample::Features { features } => {
                let rows = Features {
                    inputs: self.of_samples(tape, "inputs", [self.resident, features]),
                    labels: self.labels(tape),
                    selection: self.selection(tape, batch),
                };
                rows.gather(tape)
            }
            Sample::Row { features, targets } => {
                let rows = Rows {
                    inputs: self.of_samples(tape, "inputs", [self.resident, features]),
                    targets: self.of_samples(tape, "targets", [self.resident, targets]),
                    selection: self.selection(tape, batch),
                };
                rows.gather(tape)
            }
        })
    }

    /// The images of a batch where a kernel can bind them.
    fn images(&self, tape: &mut Tape, batch: u32, size: [u32; 3]) -> Images {
        let [height, width, channels] = size;
        let stage = Stage {
            resident: self.chunk.unwrap_or(self.resident),
            streamed: self.chunk.is_some(),
            size: height * width * channels,
            window_bytes: self.window_bytes.min(tape.limits().binding_bytes),
        };
        let selection = self.selection(tape, batch);
        let all = words(u64::from(stage.resident) * u64::from(stage.size));
        let mut images = self.of_samples(tape, "images", all);
        let mut stride = stage.size;
        let staged = stage.is_needed();
        if staged {
            images = stage.record(tape, images, selection);
            stride = 4 * stage.row_words();
        }
        Images {
            selection,
            size,
            images,
            staged,
            stride,
            labels: self.labels(tape),
            normalisation: tape.data("normalisation", [2, channels]),
        }
    }

    fn record_images(&self, tape: &mut Tape, images: &Images) -> Batch {
        let [height, width, _] = images.size;
        let transforms = match tape.mode() {
            Mode::Train => self.transforms,
            Mode::Evaluate => self.evaluation,
        };
        let transforms = transforms.on([height, width]);
        if transforms == Transforms::default() {
            return images.gather(tape);
        }
        let augmented = Augmented { transforms, images };
        Batch {
            x: augmented.record(tape),
            y: gather_labels(tape, images.selection, images.labels),
        }
    }

    /// The classes of all samples, a byte each.
    fn labels(&self, tape: &mut Tape) -> Tensor {
        self.of_samples(tape, "labels", words(self.resident.into()))
    }

    fn selection(&self, tape: &mut Tape, batch: u32) -> Selection {
        Selection {
            batch,
            full_batch: self.batch_size,
            order: self.of_pass(tape, "order", self.count),
        }
    }

    fn of_pass(&self, tape: &mut Tape, name: &str, elements: u32) -> Tensor {
        tape.data(&format!("{}.{name}", self.part.prefix()), [elements])
    }

    fn of_samples(&self, tape: &mut Tape, name: &str, shape: impl Into<Shape>) -> Tensor {
        tape.data(&format!("{}.{name}", self.part.samples_prefix()), shape)
    }
}

/// The shape of so many bytes, four to a word.
fn words(bytes: u64) -> [u32; 1] {
    let words = bytes.div_ceil(4).try_into();
    [words.expect("the data set fits 32-bit indices")]
}
