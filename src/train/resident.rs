//! A data set on its way to the device.

use super::split::Split;
use super::stream::{self, Streams};
use crate::batch::{Part, Sample, Source};
use crate::data::{GREY_CLASSES, ImageSet, Images, Table};
use crate::error::{Error, Result};
use crate::gpu::{Device, Memory};
use crate::plan::Limits;
use crate::recipe::Validation;

/// A data set of either kind, on the host.
pub enum Dataset {
    /// Images with classes.
    Images(ImageSet),
    /// What a frozen backbone makes of images, with classes.
    Features(FeatureSet),
    /// Numbers to predict from numbers.
    Tables {
        /// The function, by name.
        name: String,
        /// Rows to train on.
        train: Table,
        /// Rows to test on.
        test: Table,
    },
}

/// What a frozen backbone makes of the images of a data set.
pub struct FeatureSet {
    /// The name of the data set.
    pub name: String,
    /// Classes.
    pub outputs: u32,
    /// Rows to train on.
    pub train: LabelledRows,
    /// How many of these, the last ones, are the data set's own validation samples.
    pub held_out: usize,
    /// Rows to test on.
    pub test: LabelledRows,
}

/// Rows of numbers with classes.
#[derive(Default)]
pub struct LabelledRows {
    /// Numbers of a row.
    pub features: usize,
    /// The rows, one after another.
    pub inputs: Vec<f32>,
    /// The class of each.
    pub labels: Vec<u8>,
}

impl LabelledRows {
    fn upload(&self, device: &Device, memory: &Memory, prefix: &str) {
        let inputs = bytemuck::cast_slice(&self.inputs);
        memory.write_data(device, &format!("{prefix}.inputs"), inputs);
        memory.write_data(device, &format!("{prefix}.labels"), &self.labels);
    }
}

impl Dataset {
    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Images(set) => &set.name,
            Self::Features(set) => &set.name,
            Self::Tables { name, .. } => name,
        }
    }

    /// What one sample of a part is, as it is stored.
    pub fn sample(&self, part: Part) -> Sample {
        match self {
            Self::Images(set) => {
                let images = images_of(set, part);
                Sample::Image {
                    height: images.height as u32,
                    width: images.width as u32,
                    channels: images.channels as u32,
                }
            }
            Self::Features(set) => Sample::Features {
                features: set.train.features as u32,
            },
            Self::Tables { train, .. } => Sample::Row {
                features: train.features as u32,
                targets: train.outputs as u32,
            },
        }
    }

    /// Classes, or numbers to predict.
    ///
    /// Grey images have at least ten classes: a folder of IDX files shows only which labels occur, and a part of MNIST is
    /// still MNIST.
    pub fn outputs(&self) -> u32 {
        match self {
            Self::Images(set) if set.train.channels == 1 => set.classes.max(GREY_CLASSES) as u32,
            Self::Images(set) => set.classes as u32,
            Self::Features(set) => set.outputs,
            Self::Tables { train, .. } => train.outputs as u32,
        }
    }

    /// What the classes are called; empty where nothing tells.
    pub fn class_names(&self) -> Vec<String> {
        match self {
            Self::Images(set) => set.class_names.clone(),
            Self::Features(_) | Self::Tables { .. } => Vec::new(),
        }
    }

    /// Training samples.
    pub fn train_count(&self) -> usize {
        match self {
            Self::Images(set) => set.train.count,
            Self::Features(set) => set.train.labels.len(),
            Self::Tables { train, .. } => train.count,
        }
    }

    /// Test samples.
    pub fn test_count(&self) -> usize {
        match self {
            Self::Images(set) => set.test.count,
            Self::Features(set) => set.test.labels.len(),
            Self::Tables { test, .. } => test.count,
        }
    }

    /// The SHA-256 of a data set that lies in files; none of what was computed.
    ///
    /// # Errors
    /// As [`ImageSet::digest`].
    pub fn digest(&self) -> Result<Option<String>> {
        match self {
            Self::Images(set) => set.digest().map(Some),
            Self::Features(_) | Self::Tables { .. } => Ok(None),
        }
    }

    /// Which training samples are trained on and which are held out.
    ///
    /// # Errors
    /// `Error::Usage` if nothing is left to train on.
    pub fn split(&self, validation: Validation) -> Result<Split> {
        let own = match self {
            Self::Images(set) => set.held_out,
            Self::Features(set) => set.held_out,
            Self::Tables { .. } => 0,
        };
        Split::new(self.train_count(), own, validation)
    }

    /// The images. Panics if there are none.
    pub fn into_images(self) -> ImageSet {
        match self {
            Self::Images(set) => set,
            _ => panic!("{} has no images", self.name()),
        }
    }

    /// Everything but the pixels of a set of images, for the features that are made of them.
    pub(super) fn without_images(&self) -> FeatureSet {
        let Self::Images(set) = self else {
            panic!("{} has no images", self.name());
        };
        let rows = |labels: &[u8]| LabelledRows {
            labels: labels.to_vec(),
            ..LabelledRows::default()
        };
        FeatureSet {
            name: set.name.clone(),
            outputs: self.outputs(),
            train: rows(&set.train.labels),
            held_out: set.held_out,
            test: rows(&set.test.labels),
        }
    }

    /// What is taken from the values of a pixel, of 1, and what they are divided by then; nothing without pixels.
    pub fn normalisation(&self) -> Option<(Vec<f32>, Vec<f32>)> {
        match self {
            Self::Images(set) => Some((set.mean.clone(), set.std.clone())),
            Self::Features(_) | Self::Tables { .. } => None,
        }
    }

    /// Normalises pixels by these numbers, one for each channel, instead of the data set's own. Tables have no pixels.
    ///
    /// # Errors
    /// `Error::Usage` if there are not as many numbers as channels.
    pub fn normalise_by(&mut self, mean: Vec<f32>, std: Vec<f32>) -> Result<()> {
        let Self::Images(set) = self else {
            return Ok(());
        };
        let channels = set.train.channels;
        if (mean.len(), std.len()) != (channels, channels) {
            return Err(Error::usage(
                format!(
                    "the weights belong to images of {} channels, and {} has {channels}",
                    mean.len(),
                    set.name
                ),
                "choose another --data, or give --normalize",
            ));
        }
        (set.mean, set.std) = (mean, std);
        Ok(())
    }

    /// How plans for an adapter of these limits see a pass over `count` of the samples.
    pub fn source(&self, part: Part, count: usize, batch_size: u32, limits: &Limits) -> Source {
        let resident = match part {
            Part::Train | Part::Validation => self.train_count(),
            Part::Test => self.test_count(),
        };
        let (count, resident) = (count as u32, resident as u32);
        let batch_size = batch_size.min(count);
        let chunk = match self {
            Self::Images(set) if stream::is_needed(images_of(set, part), limits) => Some(
                stream::chunk(images_of(set, part), count, batch_size, limits),
            ),
            _ => None,
        };
        Source {
            resident,
            chunk,
            ..Source::whole(part, self.sample(part), count, batch_size)
        }
    }

    /// Writes it to the device, with or without the training half, and lets go of the host's copy. Returns the images that are
    /// streamed instead.
    pub(super) fn upload(
        self,
        device: &Device,
        memory: &Memory,
        with_train: bool,
    ) -> Result<Streams> {
        match self {
            Self::Images(set) => {
                let scale = set.std.iter().map(|std| 1.0 / (255.0 * std));
                let shift = set.mean.iter().zip(&set.std).map(|(mean, std)| -mean / std);
                let normalisation: Vec<f32> = scale.chain(shift).collect();
                memory.write_data(
                    device,
                    "normalisation",
                    bytemuck::cast_slice(&normalisation),
                );
                let train = with_train.then_some(set.train);
                let train = train.map(|images| upload_images(device, memory, "train", images));
                Ok(Streams {
                    train: train.transpose()?.flatten(),
                    test: upload_images(device, memory, "test", set.test)?,
                })
            }
            Self::Features(set) => {
                if with_train {
                    set.train.upload(device, memory, "train");
                }
                set.test.upload(device, memory, "test");
                device.check()?;
                Ok(Streams::default())
            }
            Self::Tables { train, test, .. } => {
                if with_train {
                    upload_table(device, memory, "train", &train);
                }
                upload_table(device, memory, "test", &test);
                device.check()?;
                Ok(Streams::default())
            }
        }
    }
}

/// The images of a part.
fn images_of(set: &ImageSet, part: Part) -> &Images {
    match part {
        Part::Train | Part::Validation => &set.train,
        Part::Test => &set.test,
    }
}

/// Writes images and classes. Returns the images if they are streamed.
fn upload_images(
    device: &Device,
    memory: &Memory,
    prefix: &str,
    images: Images,
) -> Result<Option<Images>> {
    memory.write_data(device, &format!("{prefix}.labels"), &images.labels);
    if stream::is_needed(&images, device.limits()) {
        return Ok(Some(images));
    }
    let pixels = images.pixels.in_memory();
    memory.write_data(device, &format!("{prefix}.images"), pixels);
    drop(images);
    device.flush()?;
    Ok(None)
}

fn upload_table(device: &Device, memory: &Memory, prefix: &str, table: &Table) {
    memory.write_data(
        device,
        &format!("{prefix}.inputs"),
        bytemuck::cast_slice(&table.inputs),
    );
    memory.write_data(
        device,
        &format!("{prefix}.targets"),
        bytemuck::cast_slice(&table.targets),
    );
}
