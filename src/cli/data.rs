//! `spinal data`: data sets as files.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::output::print;
use crate::data::sheet;
use crate::error::Result;

/// Subcommands of `spinal data`.
#[derive(Args, Debug)]
pub struct Data {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Pack a folder of IDX files into PNG sheets, as assets/mnist was made
    Pack {
        /// The folder with the four IDX files, gzipped or raw
        idx_dir: PathBuf,
        /// Where the sheets go
        out: PathBuf,
    },
}

impl Data {
    /// Runs the subcommand.
    pub fn run(&self) -> Result<()> {
        match &self.command {
            Command::Pack { idx_dir, out } => {
                for path in sheet::pack_folder(idx_dir, out)? {
                    print(path.display())?;
                }
                Ok(())
            }
        }
    }
}
