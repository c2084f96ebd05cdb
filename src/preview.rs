//! Augmented images as a training would see them, fetched by the same plan.

use crate::data::Images;
use crate::data::augment::Transforms;
use crate::error::Result;
use crate::gpu::{Device, Executable, Memory};
use crate::layers::{Part, Sample, Source};
use crate::plan::{Mode, Parameters, Plan, Tape};
use crate::steps::device_seed;

/// Images that go through an augmentation, each several times.
pub struct Preview<'a> {
    /// The images.
    pub images: &'a Images,
    /// What happens to them.
    pub transforms: Transforms,
    /// Augmented versions of each image.
    pub versions: usize,
    /// Determines the draws.
    pub seed: u64,
}

impl Preview<'_> {
    /// The versions, one after another: bytes `[images, versions, H, W, C]`, of the size that the last operation makes.
    ///
    /// # Errors
    /// `Error::Adapter` if the device fails or has no room.
    pub fn run(&self, device: &Device) -> Result<Vec<u8>> {
        let plan = self.plan();
        let memory = Memory::allocate(device, &plan.allocation())?;
        let versions = |index: usize| std::iter::repeat_n(index as u32, self.versions);
        let order: Vec<u32> = (0..self.images.count).flat_map(versions).collect();
        let as_bytes = [
            vec![1.0f32; self.images.channels],
            vec![0.0; self.images.channels],
        ]
        .concat();
        let step = [device_seed(self.seed), 0, 0, 0];
        memory.write_data(device, "train.images", &self.images.pixels);
        memory.write_data(device, "train.labels", &self.images.labels);
        memory.write_data(device, "train.order", bytemuck::cast_slice(&order));
        memory.write_data(device, "train.step", bytemuck::cast_slice(&step));
        memory.write_data(device, "normalisation", bytemuck::cast_slice(&as_bytes));
        let executable = Executable::new(device, &memory, &plan, 0)?;
        executable.submit(device, 1).wait(device)?;
        let values: Vec<f32> = memory.read_data(device, "preview")?;
        Ok(values.into_iter().map(|value| value as u8).collect())
    }

    fn plan(&self) -> Plan {
        let images = self.images;
        let sample = Sample::Image {
            height: images.height as u32,
            width: images.width as u32,
            channels: images.channels as u32,
        };
        let all = (images.count * self.versions) as u32;
        let source = Source {
            resident: images.count as u32,
            transforms: self.transforms,
            ..Source::whole(Part::Train, sample, all, all)
        };
        let mut tape = Tape::new("preview", &Parameters::default(), Mode::Train);
        let batch = source.record(&mut tape, all);
        tape.export(batch.x, "preview");
        tape.finish()
    }
}
