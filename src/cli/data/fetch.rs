//! `spinal data fetch`: download a data set.

use clap::Args;

use crate::cli::download::DownloadFlags;
use crate::cli::output::{note, print};
use crate::data::{catalog, elsewhere};
use crate::error::{Error, Result};

/// Flags of `spinal data fetch`.
#[derive(Args, Debug)]
pub struct Fetch {
    /// The data set
    name: String,
    #[command(flatten)]
    download: DownloadFlags,
}

impl Fetch {
    /// Downloads the data set, unless it is there, and prints its folder.
    pub fn run(&self) -> Result<()> {
        if self.name == "mnist" {
            note("mnist is part of the program, there is nothing to fetch");
            return Ok(());
        }
        if let Some(elsewhere) = elsewhere::find(&self.name) {
            return Err(Error::usage(
                format!("{} is not fetched from here", self.name),
                elsewhere.hint(),
            ));
        }
        let entry = catalog::find(&self.name).ok_or_else(|| {
            Error::usage(
                format!("there is no data set to fetch named '{}'", self.name),
                format!("give one of {}", catalog::names().join(", ")),
            )
        })?;
        print(self.download.fetch(entry.package)?.display())
    }
}
