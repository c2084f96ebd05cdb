//! `spinal bench cold`: a first step from the start of the program.

use clap::Args;

use super::report::ReportFlags;
use crate::bench::cold::{ColdReport, first_step, measure};
use crate::bench::table::{Table, short};
use crate::cli::device::DeviceFlags;
use crate::cli::output::print_json;
use crate::error::Result;
use crate::models::{self, ModelOptions};

/// Flags of `spinal bench cold`.
#[derive(Args, Debug)]
pub struct Cold {
    /// The network (see `spinal list`)
    model: String,
    /// Samples of a step
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=8192))]
    batch_size: u32,
    /// Starts with an empty cache of shaders, and as many with a full one
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Take a first step in this process, and print what it took: what the measured processes do
    #[arg(long, hide = true)]
    first_step: bool,
    #[command(flatten)]
    report: ReportFlags,
    #[command(flatten)]
    device: DeviceFlags,
}

impl Cold {
    /// Measures and prints.
    pub fn run(&self) -> Result<()> {
        let model = models::build(&self.model, ModelOptions::default())?;
        if self.first_step {
            let first = first_step(|| self.device.open(), model, self.batch_size)?;
            return print_json(&first);
        }
        let teller = self.report.teller()?;
        let device = self.device.open()?;
        let batch_size = self.batch_size.to_string();
        let mut arguments: Vec<String> = ["bench", "cold", &self.model, "--first-step"]
            .map(str::to_owned)
            .to_vec();
        arguments.extend(["--batch-size".to_owned(), batch_size]);
        arguments.extend(self.device.arguments());
        let report = measure(
            &device,
            &self.model,
            self.batch_size,
            &arguments,
            self.runs as usize,
        )?;
        teller.tell(&report, text(&report))
    }
}

fn text(report: &ColdReport) -> String {
    let header = [
        "from the start of the program",
        "first step done ms",
        "min",
        "opening",
        "compiling",
        "the step",
    ];
    let mut table = Table::new(1, &header);
    for row in &report.rows {
        table.push(vec![
            row.name.to_owned(),
            short(row.first_step_ms.median),
            short(row.first_step_ms.min),
            short(row.open_ms.median),
            short(row.compile_ms.median),
            short(row.step_ms.median),
        ]);
    }
    format!(
        "{}\n{} batch {}: {} pipelines\n{table}",
        report.conditions, report.model, report.batch_size, report.pipelines
    )
}
