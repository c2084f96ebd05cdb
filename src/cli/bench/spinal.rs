//! `spinal bench spinal`: the fused chain beside the composed one.

use clap::Args;

use super::report::ReportFlags;
use crate::bench::spinal::measure;
use crate::cli::device::DeviceFlags;
use crate::error::Result;

/// Flags of `spinal bench spinal`.
#[derive(Args, Debug)]
pub struct SpinalHeads {
    /// Rows of the input
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=8192))]
    batch_size: u32,
    /// Timings of each, after a warm-up
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    #[command(flatten)]
    report: ReportFlags,
    #[command(flatten)]
    device: DeviceFlags,
}

impl SpinalHeads {
    /// Measures and prints.
    pub fn run(&self) -> Result<()> {
        let teller = self.report.teller()?;
        let device = self.device.open()?;
        let report = measure(&device, self.batch_size, self.runs as usize)?;
        teller.tell(&report, &report)
    }
}
