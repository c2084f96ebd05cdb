//! `spinal convert`: a hidden layer as a spinal one.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::model::ModelFlags;
use super::output::{note, print, print_json};
use crate::checkpoint;
use crate::convert::{Conversion, Cost};
use crate::error::Result;
use crate::models::{WeightsMetadata, load_weights};
use crate::report::number::thousands;

/// Flags of `spinal convert`.
#[derive(Args, Debug)]
pub struct Convert {
    /// A network with a fully connected head (see `spinal list`)
    model: String,
    /// Weights of the network, to be converted
    #[arg(long, value_name = "FILE.safetensors", requires = "out")]
    weights: Option<PathBuf>,
    /// Where the converted weights go; the edges between groups begin at 0
    #[arg(long, value_name = "FILE.safetensors", requires = "weights")]
    out: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    network: ModelFlags,
}

#[derive(Serialize)]
struct Report {
    model: String,
    before: Cost,
    after: Cost,
}

impl Convert {
    /// Prints what the conversion costs or saves, and converts weights.
    pub fn run(&self) -> Result<()> {
        let conversion = Conversion::new(&self.model, self.network.options())?;
        if let (Some(weights), Some(out)) = (&self.weights, &self.out) {
            let before = load_weights(weights, &conversion.before.parameters)?.values;
            let mut metadata = WeightsMetadata::read(weights, &self.model)?;
            metadata.network = conversion.options();
            checkpoint::save(out, &conversion.weights(&before), &metadata.entries())?;
            note(format!("converted weights: {}", out.display()));
        }
        let report = Report {
            model: self.model.clone(),
            before: Cost::of(&conversion.before),
            after: Cost::of(&conversion.after),
        };
        if self.json {
            return print_json(&report);
        }
        print(format!(
            "{:<16} {:>14} {:>14} {:>9}",
            self.model, "before", "after", "change"
        ))?;
        row(
            "parameters",
            report.before.parameters,
            report.after.parameters,
        )?;
        row(
            "multiplications",
            report.before.multiplications,
            report.after.multiplications,
        )?;
        print(verdict(&report))?;
        match conversion.unseen_inputs() {
            0 => Ok(()),
            unseen => print(format!(
                "It never sees {unseen} of the inputs: there are fewer groups than slices."
            )),
        }
    }
}

fn row(what: &str, before: u64, after: u64) -> Result<()> {
    let change = 100.0 * (after as f64 / before as f64 - 1.0);
    print(format!(
        "{what:<16} {:>14} {:>14} {change:>+7.1} %",
        thousands(before),
        thousands(after)
    ))
}

/// The comparison in words: a spinal layer is the smaller one only while L (I - S) > (L - 1) w.
fn verdict(report: &Report) -> &'static str {
    let Report { before, after, .. } = report;
    if after.multiplications > before.multiplications {
        "The spinal layer is LARGER: the chain's edges outweigh the inputs that its groups do not see."
    } else if after.multiplications == before.multiplications {
        "The spinal layer costs the same."
    } else {
        "The spinal layer is smaller."
    }
}
