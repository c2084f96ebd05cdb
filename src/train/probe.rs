//! A linear probe: what a frozen backbone makes of every image is computed once, and the heads are trained on that.

use super::config::Config;
use super::resident::Dataset;
use super::sources::evaluation_batch;
use super::stream::{Streams, feed};
use crate::batch::{Part, Source};
use crate::error::Result;
use crate::gpu::{Device, Executable, Memory};
use crate::models::{Freeze, Model};
use crate::plan::{Allocation, Plan, Values};
use crate::steps::features_plan;

/// Whether every image is the same to the heads in every epoch, and in evaluation.
pub(super) fn applies(config: &Config) -> bool {
    let is_frozen = config.epochs > 0 && config.freeze == Freeze::Backbone;
    is_frozen && config.augment.transforms() == config.augment.evaluation()
}

/// The features of all images by the backbone of `model` with `values`, as a data set.
///
/// # Errors
/// `Error::Adapter` if the backbone does not fit the adapter.
pub(super) fn dataset(
    device: &Device,
    config: &Config,
    images: Dataset,
    model: &Model,
    values: &Values,
) -> Result<Dataset> {
    let mut set = images.without_images();
    let batch = evaluation_batch(model);
    let source = |part, count| Source {
        evaluation: config.augment.evaluation(),
        ..images.source(part, count, batch, device.limits())
    };
    let passes = [
        source(Part::Train, images.train_count()),
        source(Part::Test, images.test_count()),
    ];
    let passes = passes.map(|source| Pass::record(device, model, source));
    let mut allocation = Allocation::default();
    allocation.add(0, passes.iter().flat_map(|pass| pass.plans.iter()));
    let memory = Memory::allocate(device, &allocation)?;
    memory.write_values(device, 0, values);
    let streams = images.upload(device, &memory, true)?;
    let rows = [&mut set.train, &mut set.test];
    for (pass, rows) in passes.iter().zip(rows) {
        rows.inputs = pass.run(device, &memory, &streams)?;
        rows.features = rows.inputs.len() / rows.labels.len();
    }
    Ok(Dataset::Features(set))
}

/// The steps over a part of the images.
struct Pass {
    source: Source,
    /// That of a full batch, and where there is one that of the ragged batch.
    plans: Vec<Plan>,
}

impl Pass {
    fn record(device: &Device, model: &Model, source: Source) -> Self {
        let batches = std::iter::once(source.batch_size).chain(source.ragged_batch());
        let plan = |batch| features_plan(model, &source, batch, device.kernels());
        Self {
            source,
            plans: batches.map(plan).collect(),
        }
    }

    /// Runs them; returns the features of all images, one after another.
    fn run(&self, device: &Device, memory: &Memory, streams: &Streams) -> Result<Vec<f32>> {
        let order: Vec<u32> = (0..self.source.count).collect();
        let label = format!("{}.order", self.source.part.prefix());
        memory.write_data(device, &label, bytemuck::cast_slice(&order));
        memory.write_data(device, "test.step", bytemuck::cast_slice(&[0u32; 4]));
        let steps = self.plans.iter().map(|plan| {
            let elements = plan.tensor("output").expect("it is exported").elements();
            Ok((Executable::new(device, memory, plan, 0)?, elements as usize))
        });
        let steps = steps.collect::<Result<Vec<_>>>()?;
        let stream = streams.of(memory, &self.source, || order);
        feed(stream.as_ref(), device, |feed| {
            let mut features = Vec::new();
            for step in 0..self.source.steps() {
                let is_full = step < self.source.count / self.source.batch_size;
                let (executable, elements) = &steps[usize::from(!is_full)];
                feed(step)?;
                executable.submit(device, 1).wait(device)?;
                let output: Vec<f32> = memory.read_data(device, "output")?;
                features.extend(&output[..*elements]);
            }
            Ok(features)
        })
    }
}
