//! `spinal bench step`: a whole training step and an inference.

use std::fmt::Write;
use std::path::PathBuf;

use clap::Args;

use super::report::ReportFlags;
use crate::bench::row::HEADER;
use crate::bench::step::{Grouping, Share, StepReport, measure, shares};
use crate::bench::subject::Subject;
use crate::bench::table::{Table, short};
use crate::bench::trace;
use crate::cli::device::DeviceFlags;
use crate::cli::model::{ModelFlags, SizeFlags};
use crate::error::Result;
use crate::report::atomic_file;
use crate::tune;

/// Flags of `spinal bench step`.
#[derive(Args, Debug)]
pub struct Step {
    /// The network (see `spinal list`)
    model: String,
    /// Samples of a step
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=8192))]
    batch_size: u32,
    /// Timings of each, after a warm-up
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Tell what share each dispatch takes, or each layer or kernel
    #[arg(long, value_enum, value_name = "BY", num_args = 0..=1, require_equals = true, default_missing_value = "dispatch")]
    dispatches: Option<Grouping>,
    /// Write a Chrome trace of one training step
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    #[command(flatten)]
    report: ReportFlags,
    #[command(flatten)]
    size: SizeFlags,
    #[command(flatten)]
    network: ModelFlags,
    #[command(flatten)]
    device: DeviceFlags,
}

impl Step {
    /// Measures and prints.
    pub fn run(&self) -> Result<()> {
        let teller = self.report.teller()?;
        if let Some(path) = &self.trace {
            atomic_file::check(path)?;
        }
        let model = self.size.build(&self.model, self.network.options())?;
        let mut device = self.device.open()?;
        model.check_batch(self.batch_size)?;
        let subjects = || Ok(tune::subjects(&model, self.batch_size).into());
        self.device.kernels.refine(&mut device, subjects)?;
        let subject = Subject::new(&device, model, self.batch_size)?;
        let runs = self.runs as usize;
        let mut report = measure(&subject, runs)?;
        if let Some(grouping) = self.dispatches {
            report.shares = shares(&subject, runs, grouping, &report.ceilings)?;
        }
        if let Some(path) = &self.trace {
            let trace = trace::record(&subject)?.to_string();
            atomic_file::write(path, trace.as_bytes())?;
        }
        teller.tell(&report, text(&report))
    }
}

fn text(report: &StepReport) -> String {
    let mut text = format!("{}\n{}", report.conditions, summary(report));
    if !report.shares.is_empty() {
        let _ = write!(text, "\n\n{}", table(&report.shares));
    }
    text
}

fn summary(report: &StepReport) -> String {
    let mut table = Table::new(
        1,
        &["", "median ms", "min ms", "device median", "device min"],
    );
    let rows = [
        (
            "training step",
            report.train_step_ms,
            report.device_train_step_ms,
        ),
        ("inference", report.inference_ms, report.device_inference_ms),
    ];
    for (name, wall, device) in rows {
        let device = device.map(|timing| (short(timing.median), short(timing.min)));
        let (median, min) = device.unwrap_or_else(|| ("-".to_owned(), "-".to_owned()));
        table.push(vec![
            name.to_owned(),
            short(wall.median),
            short(wall.min),
            median,
            min,
        ]);
    }
    format!(
        "{} batch {}: {} dispatches ({} of an inference), {:.2} us of the host for each ({:.0} % of the device's time), {:.1} MB of device memory\n{} GFLOP/s and {} GB/s in the training step; {} and {} are the ceilings\n{table}",
        report.model,
        report.batch_size,
        report.dispatches,
        report.inference_dispatches,
        report.encode_us_per_dispatch.median,
        100.0 * report.host_share,
        report.device_bytes as f64 / 1e6,
        short(report.gflops),
        short(report.gbytes_per_s),
        short(report.ceilings.gflops),
        short(report.ceilings.gbytes_per_s),
    )
}

fn table(shares: &[Share]) -> Table {
    let mut table = Table::new(3, &[&["share"], &HEADER[..]].concat());
    for share in shares {
        let percent = format!("{:>4.1} %", 100.0 * share.share);
        table.push([vec![percent], share.row.cells()].concat());
    }
    table
}
