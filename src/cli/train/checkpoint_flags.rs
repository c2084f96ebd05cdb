//! The flag that says how often a training is saved.

use clap::Args;

use crate::resume::Rhythm;

/// How often.
#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = "Checkpoints")]
pub struct CheckpointFlags {
    /// Save what the training goes on from after a time, within an epoch too (90s, 5m, 2h), or after so many epochs; every five
    /// minutes and after every epoch, as far as that is cheap, if not given
    #[arg(long, value_name = "TIME|EPOCHS")]
    checkpoint_every: Option<Rhythm>,
}

impl CheckpointFlags {
    /// The rhythm.
    pub fn rhythm(self) -> Rhythm {
        self.checkpoint_every.unwrap_or(Rhythm::Sparing)
    }
}
