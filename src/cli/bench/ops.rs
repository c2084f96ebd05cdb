//! `spinal bench ops`: every dispatch of the models alone.

use clap::Args;

use super::report::ReportFlags;
use crate::bench::ops::{WORKLOADS, Workload, measure};
use crate::cli::device::DeviceFlags;
use crate::error::Result;

/// Flags of `spinal bench ops`.
#[derive(Args, Debug)]
pub struct Ops {
    /// Only kernels or layers that have this in their name
    #[arg(default_value = "", hide_default_value = true)]
    filter: String,
    /// Only the shapes of this model
    #[arg(long)]
    model: Option<String>,
    /// Samples of a step, instead of the authors'
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=8192))]
    batch_size: Option<u32>,
    /// Timings of each, after a warm-up
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    #[command(flatten)]
    report: ReportFlags,
    #[command(flatten)]
    device: DeviceFlags,
}

impl Ops {
    /// Measures and prints.
    pub fn run(&self) -> Result<()> {
        let teller = self.report.teller()?;
        let workloads = self.workloads();
        let device = self.device.open()?;
        let other = self.device.open_with_other_checks(&device)?;
        let report = measure(
            &device,
            &other,
            &workloads,
            &self.filter,
            self.runs as usize,
        )?;
        teller.tell(&report, &report)
    }

    fn workloads(&self) -> Vec<Workload> {
        let of = |(model, batch_size): (&str, u32)| Workload {
            model: model.to_owned(),
            batch_size: self.batch_size.unwrap_or(batch_size),
        };
        match &self.model {
            Some(model) => vec![of((model, 64))],
            None => WORKLOADS.map(of).to_vec(),
        }
    }
}
