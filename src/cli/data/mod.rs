//! `spinal data`: data sets as files.

mod fetch;
mod info;
mod load_flags;
mod pack;
mod show;

use clap::{Args, Subcommand};

use crate::error::Result;

/// Subcommands of `spinal data`.
#[derive(Args, Debug)]
pub struct Data {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Download a data set
    Fetch(fetch::Fetch),
    /// Describe a data set: counts, classes, mean and deviation, sample images
    Info(info::Info),
    /// Pack a folder of IDX files into PNG sheets, as assets/mnist was made
    Pack(pack::Pack),
    /// Draw training images beside augmented versions of them, as a training would see them
    Show(Box<show::Show>),
}

impl Data {
    /// Runs the subcommand.
    pub fn run(&self) -> Result<()> {
        match &self.command {
            Command::Fetch(command) => command.run(),
            Command::Info(command) => command.run(),
            Command::Pack(command) => command.run(),
            Command::Show(command) => command.run(),
        }
    }
}
