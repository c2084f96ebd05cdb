//! `spinal bench gemm`: matrix products.

use clap::Args;

use crate::bench::gemm::{Size, measure};
use crate::cli::device::DeviceFlags;
use crate::cli::output::{print, print_json};
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
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    device: DeviceFlags,
}

impl Gemm {
    /// Measures and prints.
    pub fn run(&self) -> Result<()> {
        let device = self.device.open()?;
        let report = measure(&device, &self.sizes, self.runs as usize)?;
        if self.json {
            print_json(&report)
        } else {
            print(report)
        }
    }
}
