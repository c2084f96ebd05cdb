//! `spinal data pack`: IDX files as PNG sheets.

use std::path::PathBuf;

use clap::Args;

use crate::cli::output::print;
use crate::data::sheet;
use crate::error::Result;

/// Arguments of `spinal data pack`.
#[derive(Args, Debug)]
pub struct Pack {
    /// The folder with the four IDX files, gzipped or raw
    idx_dir: PathBuf,
    /// Where the sheets go
    out: PathBuf,
}

impl Pack {
    /// Writes the sheets and prints their paths.
    pub fn run(&self) -> Result<()> {
        for path in sheet::pack_folder(&self.idx_dir, &self.out)? {
            print(path.display())?;
        }
        Ok(())
    }
}
