//! `spinal list`: the networks and what they cost.

use clap::Args;
use serde::Serialize;

use super::output::{print, print_json};
use crate::error::Result;
use crate::models::{self, ModelOptions};
use crate::steps::multiplications;

/// Flags of `spinal list`.
#[derive(Args, Debug)]
pub struct List {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Row {
    model: &'static str,
    parameters: u64,
    multiplications: u64,
}

impl List {
    /// Prints a line for each network.
    pub fn run(&self) -> Result<()> {
        let row = |model: &&'static str| {
            let built = models::build(model, ModelOptions { no_dropout: false })?;
            Ok(Row {
                model,
                parameters: built.parameters.count(),
                multiplications: multiplications(&built),
            })
        };
        let rows = models::NAMES.iter().map(row).collect::<Result<Vec<_>>>()?;
        if self.json {
            return print_json(&rows);
        }
        print(format!(
            "{:<26} {:>12} {:>16}",
            "model", "parameters", "multiplications"
        ))?;
        for Row {
            model,
            parameters,
            multiplications,
        } in rows
        {
            print(format!(
                "{model:<26} {parameters:>12} {multiplications:>16}"
            ))?;
        }
        Ok(())
    }
}
