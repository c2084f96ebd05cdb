//! `spinal bench`: how long steps take.

use clap::{Args, Subcommand};

use super::device::DeviceFlags;
use super::model::ModelFlags;
use super::output::{print, print_json};
use crate::bench::Bench as Benchmark;
use crate::error::Result;
use crate::{models, steps};

/// Subcommands of `spinal bench`.
#[derive(Args, Debug)]
pub struct Bench {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Time a whole training step and an inference
    Step(Step),
}

#[derive(Args, Debug)]
struct Step {
    /// The network (see `spinal list`)
    model: String,
    /// Samples of a step
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=8192))]
    batch_size: u32,
    /// Timings of each, after a warm-up
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Time every dispatch alone, too
    #[arg(long, conflicts_with = "json")]
    dispatches: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    network: ModelFlags,
    #[command(flatten)]
    device: DeviceFlags,
}

impl Bench {
    /// Runs the subcommand.
    pub fn run(&self) -> Result<()> {
        match &self.command {
            Command::Step(step) => step.run(),
        }
    }
}

impl Step {
    fn run(&self) -> Result<()> {
        let model = models::build(&self.model, self.network.options())?;
        let mut device = self.device.open()?;
        let subjects = || Ok(steps::subjects(&model, self.batch_size).into());
        self.device.kernels.refine(&mut device, subjects)?;
        let bench = Benchmark::new(&device, model, self.batch_size)?;
        let report = bench.steps(self.runs as usize)?;
        if self.json {
            return print_json(&report);
        }
        print(format!(
            "{} batch {}: training step {:.2} ms (min {:.2}), inference {:.2} ms (min {:.2}), {} dispatches, {} runs, {}",
            report.model,
            report.batch_size,
            report.train_step_ms.median,
            report.train_step_ms.min,
            report.inference_ms.median,
            report.inference_ms.min,
            report.dispatches,
            report.runs,
            report.checks
        ))?;
        if self.dispatches {
            print(format!(
                "{:<20} {:<34} {:>9} {:>9} {:>9}",
                "layer", "kernel", "min ms", "median ms", "GFLOP/s"
            ))?;
            for row in bench.dispatches(self.runs as usize)? {
                print(format!(
                    "{:<20} {:<34} {:>9.3} {:>9.3} {:>9.2}",
                    row.layer, row.kernel, row.ms.min, row.ms.median, row.gflops
                ))?;
            }
        }
        Ok(())
    }
}
