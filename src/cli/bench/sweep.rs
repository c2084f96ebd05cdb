//! `spinal bench sweep`: how the cost of a model grows with the batch.

use clap::Args;

use super::report::ReportFlags;
use crate::bench::sweep::{SweepReport, measure};
use crate::bench::table::{Table, short};
use crate::cli::device::DeviceFlags;
use crate::cli::model::{ModelFlags, SizeFlags};
use crate::error::Result;

/// Flags of `spinal bench sweep`.
#[derive(Args, Debug)]
pub struct Sweep {
    /// The network (see `spinal list`)
    model: String,
    /// The largest batch
    #[arg(long, default_value_t = 512, value_parser = clap::value_parser!(u32).range(2..=8192))]
    largest: u32,
    /// Timings of each, after a warm-up
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    #[command(flatten)]
    report: ReportFlags,
    #[command(flatten)]
    size: SizeFlags,
    #[command(flatten)]
    network: ModelFlags,
    #[command(flatten)]
    device: DeviceFlags,
}

impl Sweep {
    /// Measures and prints.
    pub fn run(&self) -> Result<()> {
        let teller = self.report.teller()?;
        let options = self.network.options();
        crate::models::build(&self.model, options)?;
        let device = self.device.open()?;
        let report = measure(
            &device,
            &self.model,
            options,
            self.largest,
            self.runs as usize,
        )?;
        teller.tell(&report, text(&report))
    }
}

fn text(report: &SweepReport) -> String {
    let header = [
        "",
        "training step ms",
        "min",
        "us a sample",
        "inference ms",
        "min",
        "us a sample",
        "MB",
    ];
    let mut table = Table::new(1, &header);
    for row in &report.rows {
        table.push(vec![
            row.name.clone(),
            short(row.train_step_ms.median),
            short(row.train_step_ms.min),
            short(row.train_us_per_sample),
            short(row.inference_ms.median),
            short(row.inference_ms.min),
            short(row.inference_us_per_sample),
            format!("{:.1}", row.device_bytes as f64 / 1e6),
        ]);
    }
    let refused = report.refused.iter();
    let refused: String = refused
        .map(|why| format!("\nno larger batch: {why}"))
        .collect();
    format!("{}\n{}\n{table}{refused}", report.conditions, report.model)
}
