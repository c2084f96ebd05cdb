//! A pass over a data set: full batches, then the ragged last one, which PyTorch keeps too.

use std::ops::ControlFlow;

use super::stream::{Stream, feed};
use crate::batch::Source;
use crate::error::Result;
use crate::gpu::{Device, Executable, Memory, Pace};
use crate::plan::Plan;
use crate::steps::StepPlans;

/// The plans of a pass.
pub struct PassPlans {
    full: StepPlans,
    ragged: Option<StepPlans>,
    full_steps: u32,
}

impl PassPlans {
    /// Records a step for each batch size that occurs in a pass over `source`.
    pub fn record(source: &Source, step: impl Fn(u32) -> StepPlans) -> Self {
        Self {
            full: step(source.batch_size),
            ragged: source.ragged_batch().map(&step),
            full_steps: source.count / source.batch_size,
        }
    }

    /// The plans.
    pub fn plans(&self) -> impl Iterator<Item = &Plan> {
        let steps = std::iter::once(&self.full).chain(&self.ragged);
        steps.flat_map(StepPlans::plans)
    }

    /// Compiles the plans for net number `net`.
    pub fn compile(&self, device: &Device, memory: &Memory, net: usize) -> Result<Pass> {
        let compile = |step: &StepPlans| -> Result<Executable> {
            let parts = step.parts.iter().map(|(plan, times)| {
                let part = Executable::new(device, memory, plan, net)?;
                Ok((part, *times))
            });
            Ok(Executable::sequence(parts.collect::<Result<Vec<_>>>()?))
        };
        Ok(Pass {
            full: compile(&self.full)?,
            ragged: self.ragged.as_ref().map(compile).transpose()?,
            full_steps: self.full_steps,
            pace: Pace::default(),
        })
    }
}

/// A pass that can be run.
pub struct Pass {
    full: Executable,
    ragged: Option<Executable>,
    full_steps: u32,
    pace: Pace,
}

impl Pass {
    /// Runs the whole pass, its images streamed where they do not lie on the device, and waits for its end. `progress` hears of
    /// the steps done, and may stop it.
    pub(super) fn run(
        &mut self,
        device: &Device,
        stream: Option<&Stream>,
        progress: &mut dyn FnMut(u32) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>> {
        feed(stream, device, |feed| self.steps(device, feed, progress))
    }

    fn steps(
        &mut self,
        device: &Device,
        feed: &mut dyn FnMut(u32) -> Result<u32>,
        progress: &mut dyn FnMut(u32) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>> {
        let end = self
            .pace
            .run(device, &self.full, self.full_steps, feed, progress)?;
        if end.is_continue()
            && let Some(ragged) = &self.ragged
        {
            feed(self.full_steps)?;
            ragged.submit(device, 1).wait(device)?;
            return Ok(progress(self.full_steps + 1));
        }
        Ok(end)
    }
}
