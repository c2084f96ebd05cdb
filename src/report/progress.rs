//! What a person sees while a net trains: a bar on a terminal, and a line on stdout for every epoch.

use std::io::Write;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::metrics::EpochRecord;
use super::number;

/// The progress of one epoch of one net. Dropped unfinished, it clears its bar.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    epochs: usize,
}

impl Progress {
    /// Starts epoch `epoch` of `epochs`, of `steps` steps. The bar is on stderr, and absent if that is not a
    /// terminal.
    pub fn epoch(net: &str, epoch: usize, epochs: usize, steps: u64) -> Self {
        let bar = ProgressBar::with_draw_target(Some(steps), ProgressDrawTarget::stderr())
            .with_prefix(format!("{net}  epoch {epoch}/{epochs}"))
            .with_style(bar_style("{per_sec}"));
        Self { bar, epochs }
    }

    /// Shows the speed in images instead of steps.
    pub fn batch_size(self, images_per_step: u64) -> Self {
        let images_per_second = move |state: &ProgressState, text: &mut dyn std::fmt::Write| {
            // The bar keeps what was written; a failed write could only shorten it.
            let _ = write!(
                text,
                "{:.0} images/s",
                state.per_sec() * images_per_step as f64
            );
        };
        let style =
            bar_style("{images_per_second}").with_key("images_per_second", images_per_second);
        self.bar.set_style(style);
        self
    }

    /// Moves the bar to `step` completed steps.
    pub fn advance_to(&self, step: u64) {
        self.bar.set_position(step);
    }

    /// Clears the bar and prints the epoch's line to stdout.
    pub fn finish(self, record: &EpochRecord) {
        self.bar.finish_and_clear();
        // A reader that stopped reading (`| head`) must not stop the training.
        let _ = writeln!(std::io::stdout(), "{}", epoch_line(record, self.epochs));
    }
}

fn bar_style(speed: &str) -> ProgressStyle {
    ProgressStyle::with_template(&format!(
        "{{prefix}}  [{{bar:30}}]  {{pos}}/{{len}} steps  {speed}  eta {{eta}}"
    ))
    .expect("the template is well formed")
    .progress_chars("=> ")
}

/// An epoch in one line; regression has no accuracy.
fn epoch_line(record: &EpochRecord, epochs: usize) -> String {
    let losses = |set: &str, loss: f64, accuracy: Option<f64>| {
        let accuracy = accuracy.map(|accuracy| format!("  accuracy {}", number::percent(accuracy)));
        format!(
            "  {set} loss {}{}",
            number::loss(loss),
            accuracy.unwrap_or_default()
        )
    };
    let validation = record.validation_loss;
    let validation = validation.map(|loss| losses("validation", loss, record.validation_accuracy));
    format!(
        "{}  epoch {}/{epochs}{}{}{}  {:.0} images/s",
        record.net,
        record.epoch,
        losses("train", record.train_loss, None),
        validation.unwrap_or_default(),
        losses("test", record.test_loss, record.test_accuracy),
        record.images_per_second,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(test_accuracy: Option<f64>) -> EpochRecord {
        EpochRecord {
            net: "spinal".into(),
            epoch: 3,
            lr: 0.01,
            validation_loss: None,
            validation_accuracy: None,
            train_loss: 0.1234,
            test_loss: 0.0987,
            test_accuracy,
            seconds: 48.6,
            images_per_second: 1234.4,
        }
    }

    #[test]
    fn the_line_of_an_epoch() {
        assert_eq!(
            epoch_line(&record(Some(0.9712)), 8),
            "spinal  epoch 3/8  train loss 0.1234  test loss 0.0987  accuracy 97.12 %  1234 images/s"
        );
        assert_eq!(
            epoch_line(&record(None), 8),
            "spinal  epoch 3/8  train loss 0.1234  test loss 0.0987  1234 images/s"
        );
        let held_out = EpochRecord {
            validation_loss: Some(0.1),
            validation_accuracy: Some(0.965),
            ..record(Some(0.9712))
        };
        assert_eq!(
            epoch_line(&held_out, 8),
            "spinal  epoch 3/8  train loss 0.1234  validation loss 0.1000  accuracy 96.50 %  test loss 0.0987  accuracy 97.12 %  1234 images/s"
        );
    }

    #[test]
    fn a_bar_runs_from_start_to_finish() {
        let progress = Progress::epoch("spinal", 3, 8, 938).batch_size(64);
        progress.advance_to(17);
        assert_eq!(progress.bar.position(), 17);
        progress.finish(&record(None));
        Progress::epoch("spinal", 1, 1, 0).finish(&record(None));
    }
}
