//! Images that do not all lie on the device: those of the next steps are brought there while it works.

use super::ahead::ahead;
use crate::batch::{Part, Source};
use crate::data::Images;
use crate::error::Result;
use crate::gpu::{Device, Memory};
use crate::plan::Limits;

/// Bytes of images that are brought to the device at once, if a single step does not take more.
const CHUNK_BYTES: u64 = 16 << 20;

/// Whether images are streamed: they do not fit the memory of the host, or a buffer of the device.
pub(super) fn is_needed(images: &Images, limits: &Limits) -> bool {
    let bytes = images.count as u64 * images.image_bytes() as u64;
    images.pixels.are_in_a_file() || bytes > limits.buffer_bytes
}

/// Images of a chunk for steps of `batch` images, of `count` in all: whole steps, as many as a buffer takes.
pub(super) fn chunk(images: &Images, count: u32, batch: u32, limits: &Limits) -> u32 {
    let step = u64::from(batch) * images.image_bytes() as u64;
    let steps = (CHUNK_BYTES.min(limits.buffer_bytes) / step).max(1) as u32;
    steps.min(count.div_ceil(batch)) * batch
}

/// The images of a data set that are streamed.
#[derive(Default)]
pub(super) struct Streams {
    /// Those to train on, and those held out.
    pub train: Option<Images>,
    pub test: Option<Images>,
}

impl Streams {
    /// The images of a pass in their order, if they are streamed.
    pub fn of<'a>(
        &'a self,
        memory: &'a Memory,
        source: &Source,
        order: impl FnOnce() -> Vec<u32>,
    ) -> Option<Stream<'a>> {
        let images = match source.part {
            Part::Train | Part::Validation => self.train.as_ref(),
            Part::Test => self.test.as_ref(),
        };
        Some(Stream {
            images: images?,
            memory,
            label: format!("{}.images", source.part.samples_prefix()),
            order: order(),
            batch: source.batch_size,
            chunk: source.chunk?,
        })
    }
}

/// The images of a pass on their way to the device.
pub(super) struct Stream<'a> {
    images: &'a Images,
    memory: &'a Memory,
    /// The buffer that they go to.
    label: String,
    /// Which images, step after step.
    order: Vec<u32>,
    batch: u32,
    chunk: u32,
}

impl Stream<'_> {
    /// Runs a pass, which asks before each submission from its next step on how many of them it has images for. Where it has
    /// none left the next chunk is written, behind all that was submitted; a thread has read it by then.
    pub fn feed<R>(
        &self,
        device: &Device,
        pass: impl FnOnce(&mut dyn FnMut(u32) -> Result<u32>) -> Result<R>,
    ) -> Result<R> {
        let chunks = self.order.chunks(self.chunk as usize);
        ahead(
            chunks,
            |chunk| self.read(chunk),
            |next| {
                let mut fed = 0;
                pass(&mut |step| {
                    if step == fed {
                        let bytes = next().expect("there is a chunk for every step")?;
                        self.memory.write_data(device, &self.label, &bytes);
                        fed += self.chunk / self.batch;
                    }
                    Ok(fed - step)
                })
            },
        )
    }

    fn read(&self, chunk: &[u32]) -> Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(chunk.len() * self.images.image_bytes());
        for &image in chunk {
            bytes.extend_from_slice(&self.images.image(image as usize)?);
        }
        Ok(bytes)
    }
}

/// Runs a pass as [`Stream::feed`] does, or where all images lie on the device without ever bringing any.
pub(super) fn feed<R>(
    stream: Option<&Stream>,
    device: &Device,
    pass: impl FnOnce(&mut dyn FnMut(u32) -> Result<u32>) -> Result<R>,
) -> Result<R> {
    match stream {
        Some(stream) => stream.feed(device, pass),
        None => pass(&mut |_| Ok(u32::MAX)),
    }
}
