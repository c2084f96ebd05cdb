//! `spinal bench gemm`: matrix products.

use clap::Args;

use super::report::ReportFlags;
use crate::bench::gemm::{Size, measure};
use crate::cli::device::DeviceFlags;
use crate::error::Result;

/// Flags of `spinal bench gemm`.
#[derive(Args, Debug)]
pub struct Gemm {
    /// Sizes: N for a square product, or ROWSxINPUTSxOUTPUTS
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "256,512,1024,64x160x8,100x256x128,100x512x10,100x512x4096"
    )]
    sizes: Vec<Size>,
    /// Timings of each, after a warm-up
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    #[command(flatten)]
    report: ReportFlags,
    #[command(flatten)]
    device: DeviceFlags,
}

impl Gemm {
    /// Measures and prints.
    pub fn run(&self) -> Result<()> {
        let teller = self.report.teller()?;
        let device = self.device.open()?;
        let report = measure(&device, &self.sizes, self.runs as usize)?;
        teller.tell(&report, &report)
    }
}
