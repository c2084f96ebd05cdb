//! How a report of `spinal bench` is told, the same for all of them.

use std::fmt::Display;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use crate::bench::compare::OldReport;
use crate::cli::output::{note, print, print_json};
use crate::error::Result;

/// The flags of every report.
#[derive(Args, Debug)]
pub struct ReportFlags {
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Print the ratios to an older report (on stderr with --json)
    #[arg(long, value_name = "OLD.json")]
    compare: Option<PathBuf>,
}

/// How a report will be told.
pub struct Teller {
    json: bool,
    old: Option<OldReport>,
}

impl ReportFlags {
    /// Reads the older report, before anything is measured.
    pub fn teller(&self) -> Result<Teller> {
        Ok(Teller {
            json: self.json,
            old: self.compare.as_deref().map(OldReport::read).transpose()?,
        })
    }
}

impl Teller {
    /// Prints a report, as JSON or as `text`, and what has changed since the older one.
    pub fn tell(&self, report: &impl Serialize, text: impl Display) -> Result<()> {
        let compare = |old: &OldReport| {
            let new = serde_json::to_value(report).expect("our own records are valid JSON");
            old.compare(&new)
        };
        let comparison = self.old.as_ref().map(compare);
        if self.json {
            comparison.into_iter().for_each(note);
            return print_json(report);
        }
        print(text)?;
        comparison.map_or(Ok(()), print)
    }
}
