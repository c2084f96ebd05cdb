//! Augmented images as a training would see them, fetched by the same plan.

use crate::batch::{Part, Sample, Source};
use crate::data::Images;
use crate::data::augment::Transforms;
use crate::error::Result;
use crate::gpu::{Device, Executable, Memory};
use crate::plan::{Mode, Parameters, Plan, Tape};
use crate::steps::device_seed;

/// Images and what happens to them.
pub struct Preview<'a> {
    /// The images.
    pub images: &'a Images,
    /// What happens to each.
    pub transforms: Transforms,
    /// Determines the draws.
    pub seed: u64,
}

impl Preview<'_> {
    /// What the first `steps` steps of a training would make of the images as its batch: for each step the bytes
    /// `[count, H, W, channels]`, of the size that the last operation makes.
    ///
    /// # Errors
    /// `Error::Adapter` if the device fails or has no room, `Error::File` if the images lie in a file that is damaged.
    pub fn run(&self, device: &Device, steps: u32) -> Result<Vec<Vec<u8>>> {
        let plan = self.plan();
        let memory = Memory::allocate(device, &plan.allocation())?;
        let executable = Executable::new(device, &memory, &plan, 0)?;
        self.upload(device, &memory)?;
        let run_step = |step| {
            let state = [device_seed(self.seed), 0, step, 0];
            memory.write_data(device, "train.step", bytemuck::cast_slice(&state));
            executable.submit(device, 1).wait(device)?;
            let values: Vec<f32> = memory.read_data(device, "preview")?;
            Ok(values.into_iter().map(|value| value as u8).collect())
        };
        (0..steps).map(run_step).collect()
    }

    /// Writes the images in file order, and a normalisation that leaves bytes what they are.
    fn upload(&self, device: &Device, memory: &Memory) -> Result<()> {
        let images = self.images;
        let pixels = images
            .images(0..images.count)
            .collect::<Result<Vec<_>>>()?
            .concat();
        let order: Vec<u32> = (0..images.count as u32).collect();
        let unchanged = [vec![1.0f32; images.channels], vec![0.0; images.channels]].concat();
        memory.write_data(device, "train.images", &pixels);
        memory.write_data(device, "train.labels", &images.labels);
        memory.write_data(device, "train.order", bytemuck::cast_slice(&order));
        memory.write_data(device, "normalisation", bytemuck::cast_slice(&unchanged));
        Ok(())
    }

    fn plan(&self) -> Plan {
        let images = self.images;
        let sample = Sample::Image {
            height: images.height as u32,
            width: images.width as u32,
            channels: images.channels as u32,
        };
        let count = images.count as u32;
        let source = Source {
            transforms: self.transforms,
            ..Source::whole(Part::Train, sample, count, count)
        };
        let mut tape = Tape::new("preview", &Parameters::default(), Mode::Train);
        let batch = source.record(&mut tape, count);
        tape.export(batch.x, "preview");
        tape.finish()
    }
}
