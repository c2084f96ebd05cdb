//! `spinal weights`: weights that others have trained on ImageNet.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::download::DownloadFlags;
use super::output::{print, print_json};
use crate::data::Cache;
use crate::error::Result;
use crate::pretrained::catalog::{self, Published};
use crate::report::number::thousands;

/// Subcommands of `spinal weights`.
#[derive(Args, Debug)]
pub struct Weights {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// List the published weights
    List(List),
    /// Download published weights
    Fetch(Fetch),
}

impl Weights {
    /// Runs the subcommand.
    pub fn run(&self) -> Result<()> {
        match &self.command {
            Command::List(command) => command.run(),
            Command::Fetch(command) => command.run(),
        }
    }
}

/// Flags of `spinal weights fetch`.
#[derive(Args, Debug)]
struct Fetch {
    /// Names of `spinal weights list`
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
    #[command(flatten)]
    download: DownloadFlags,
}

impl Fetch {
    /// Downloads the weights that are not there yet, and prints their files.
    fn run(&self) -> Result<()> {
        let found = self.names.iter().map(|name| catalog::find(name));
        for published in found.collect::<Result<Vec<_>>>()? {
            let folder = published.with_package(|package| self.download.fetch(package))?;
            print(folder.join(published.file_name()).display())?;
        }
        Ok(())
    }
}

/// Flags of `spinal weights list`.
#[derive(Args, Debug)]
struct List {
    /// Where fetched files lie ($SPINAL_CACHE, or spinalnet in the user's cache folder)
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Row {
    name: &'static str,
    architecture: &'static str,
    parameters: u64,
    approximate_megabytes: f64,
    source: &'static str,
    url: &'static str,
    fetched: bool,
}

impl Row {
    fn new(published: &Published, cache: &Cache) -> Self {
        let architecture = published.architecture();
        Self {
            name: published.name,
            architecture: architecture.name,
            parameters: architecture.parameters,
            approximate_megabytes: published.megabytes().round(),
            source: published.source.describe(),
            url: published.url,
            fetched: published.path(cache).is_file(),
        }
    }
}

impl List {
    /// Prints a line for each.
    fn run(&self) -> Result<()> {
        let cache = Cache::choose(self.cache.as_deref())?;
        let rows = catalog::published().iter();
        let rows: Vec<Row> = rows.map(|published| Row::new(published, &cache)).collect();
        if self.json {
            return print_json(&rows);
        }
        print(format!(
            "{:<20} {:<18} {:>12} {:>9}  {:<26} fetched",
            "weights", "architecture", "parameters", "about MB", "source"
        ))?;
        for row in rows {
            print(format!(
                "{:<20} {:<18} {:>12} {:>9}  {:<26} {}",
                row.name,
                row.architecture,
                thousands(row.parameters),
                row.approximate_megabytes,
                row.source,
                if row.fetched { "yes" } else { "no" }
            ))?;
        }
        print(
            "All were trained on the 1000 classes of ImageNet, whose own terms may bind their use.",
        )
    }
}
