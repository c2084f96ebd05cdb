//! `spinal plan`: a training step as a list of dispatches.

use clap::Args;

use super::model::{ModelFlags, SizeFlags};
use super::output::print;
use crate::batch::{Part, Source};
use crate::error::Result;
use crate::optim::Sgd;
use crate::plan::{Kernels, Limits};
use crate::steps::{evaluate_plan, train_plan};

/// Flags of `spinal plan`.
#[derive(Args, Debug)]
pub struct PlanCommand {
    /// The network (see `spinal list`)
    model: String,
    /// Samples of a step
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=8192))]
    batch_size: u32,
    /// Show an evaluation step instead of a training step
    #[arg(long)]
    evaluate: bool,
    /// The kind of adapter whose kernels are shown: what WebGPU guarantees on a GPU, or Mesa's driver for the CPU
    #[arg(long, value_enum, default_value = "gpu")]
    class: Class,
    #[command(flatten)]
    size: SizeFlags,
    #[command(flatten)]
    network: ModelFlags,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Class {
    Gpu,
    Cpu,
}

impl PlanCommand {
    /// Records the step and prints it; needs no device.
    pub fn run(&self) -> Result<()> {
        let model = self.size.build(&self.model, self.network.options())?;
        if !self.evaluate {
            model.check_batch(self.batch_size)?;
        }
        let part = if self.evaluate {
            Part::Test
        } else {
            Part::Train
        };
        let source = Source::whole(part, model.sample, self.batch_size, self.batch_size);
        let kernels = Kernels::from(match self.class {
            Class::Gpu => Limits::webgpu(),
            Class::Cpu => Limits::llvmpipe(),
        });
        let plan = if self.evaluate {
            evaluate_plan(&model, &source, self.batch_size, kernels)
        } else {
            train_plan(
                &model,
                &source,
                self.batch_size,
                &Sgd {
                    momentum: 0.5,
                    ..Sgd::default()
                },
                kernels,
            )
        };
        print(plan)
    }
}
