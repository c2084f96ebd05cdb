//! What the nets of a training score.

use std::ops::ControlFlow;

use super::Trainer;
use super::score::{Score, mean_loss};
use crate::batch::{Part, Sample, Source};
use crate::error::Result;
use crate::report::metrics::EpochRecord;

impl Trainer<'_> {
    /// Loss and accuracy of net number `index` on the test data.
    pub fn evaluate(&mut self, index: usize) -> Result<Score> {
        let score = self.score(index, self.nets[index].sources.test, &mut go_on)?;
        Ok(score.expect("nothing breaks it off"))
    }

    /// The scores of net number `index` as it is, as the record of epoch 0.
    pub fn scores(&mut self, index: usize) -> Result<EpochRecord> {
        let scores = self.scores_unless(index, &mut go_on)?;
        Ok(scores.expect("nothing breaks them off"))
    }

    /// The same, unless `scoring` breaks it off.
    pub(super) fn scores_unless(
        &mut self,
        index: usize,
        scoring: &mut dyn FnMut() -> ControlFlow<()>,
    ) -> Result<Option<EpochRecord>> {
        let sources = self.nets[index].sources;
        let mut validation = None;
        if let Some(source) = sources.validation {
            validation = self.score(index, source, scoring)?;
            if validation.is_none() {
                return Ok(None);
            }
        }
        let test = self.score(index, sources.test, scoring)?;
        Ok(test.map(|test| EpochRecord {
            net: self.nets[index].name().to_owned(),
            epoch: 0,
            lr: f64::NAN,
            train_loss: f64::NAN,
            validation_loss: validation.map(|score| score.loss),
            validation_accuracy: validation.and_then(|score| score.accuracy()),
            test_loss: test.loss,
            test_accuracy: test.accuracy(),
            seconds: 0.0,
            images_per_second: f64::NAN,
        }))
    }

    /// Loss and accuracy of net number `index` on the samples of an evaluation, unless `scoring` breaks it off.
    fn score(
        &mut self,
        index: usize,
        source: Source,
        scoring: &mut dyn FnMut() -> ControlFlow<()>,
    ) -> Result<Option<Score>> {
        self.set_step("test", 0, 0);
        let order = || match source.part {
            Part::Validation => self.split.validation.clone(),
            _ => (0..source.count).collect(),
        };
        let stream = self.streams.of(&self.memory, &source, order);
        let net = &mut self.nets[index];
        let pass = match source.part {
            Part::Validation => net.validate.as_mut(),
            _ => Some(&mut net.test),
        };
        let pass = pass.expect("there is a pass for every source");
        if pass.run(self.device, 0, stream.as_ref(), &mut |_| scoring())? < pass.steps() {
            return Ok(None);
        }
        let label = |name: &str| format!("{}.{name}", source.part.prefix());
        // The buffers have room for the net with the most steps.
        let mut losses: Vec<f32> = self.memory.read_data(self.device, &label("losses"))?;
        losses.truncate(source.steps() as usize);
        let correct = match source.sample {
            Sample::Row { .. } => None,
            Sample::Image { .. } | Sample::Features { .. } => {
                let counts: Vec<u32> = self.memory.read_data(self.device, &label("correct"))?;
                let counts = counts.into_iter().take(losses.len());
                Some(counts.map(u64::from).sum())
            }
        };
        Ok(Some(Score {
            loss: mean_loss(&losses, &source),
            correct,
            total: source.count.into(),
        }))
    }
}

fn go_on() -> ControlFlow<()> {
    ControlFlow::Continue(())
}
