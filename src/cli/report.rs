//! `spinal report`: runs of several seeds as one table.

use std::path::PathBuf;

use clap::Args;

use super::output::print;
use crate::error::Result;
use crate::report::runs::Runs;

/// Flags of `spinal report`.
#[derive(Args, Debug)]
pub struct Report {
    /// Run folders of one experiment
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
}

impl Report {
    /// Prints the table in Markdown.
    pub fn run(&self) -> Result<()> {
        print(Runs::read(&self.runs)?.render().trim_end())
    }
}
