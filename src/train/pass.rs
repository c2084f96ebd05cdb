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
    /// The steps of the whole pass.
    pub fn steps(&self) -> u32 {
        self.full_steps + u32::from(self.ragged.is_some())
    }

    /// Runs the pass behind its first `done` steps, its images streamed where they do not lie on the device, and waits for the
    /// end. `progress` hears of the steps done, and may halt it between submissions. Returns how many steps are done then.
    pub(super) fn run(
        &mut self,
        device: &Device,
        done: u32,
        stream: Option<&Stream>,
        progress: &mut dyn FnMut(u32) -> ControlFlow<()>,
    ) -> Result<u32> {
        feed(stream, device, done, |feed| {
            self.run_fed(device, done, feed, progress)
        })
    }

    fn run_fed(
        &mut self,
        device: &Device,
        mut done: u32,
        feed: &mut dyn FnMut(u32) -> Result<u32>,
        progress: &mut dyn FnMut(u32) -> ControlFlow<()>,
    ) -> Result<u32> {
        if done < self.full_steps {
            let (first, rest) = (done, self.full_steps - done);
            let mut feed = |steps| feed(first + steps);
            let mut progress = |steps| progress(first + steps);
            done += self
                .pace
                .run(device, &self.full, rest, &mut feed, &mut progress)?;
        }
        if done == self.full_steps
            && let Some(ragged) = &self.ragged
        {
            feed(done)?;
            ragged.submit(device, 1).wait(device)?;
            done += 1;
            // After the last step there is nothing to halt.
            let _ = progress(done);
        }
        Ok(done)
    }
}
