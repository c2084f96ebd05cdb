//! `spinal bench`: how long things take.

mod cold;
mod gemm;
mod ops;
mod peers;
mod report;
mod spinal;
mod step;
mod sweep;

use clap::{Args, Subcommand};

use crate::error::Result;

/// Subcommands of `spinal bench`.
#[derive(Args, Debug)]
pub struct Bench {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Time a whole training step and an inference
    Step(step::Step),
    /// Time every dispatch of the models alone
    Ops(ops::Ops),
    /// Time matrix products
    Gemm(gemm::Gemm),
    /// Time the fused spinal chain beside the composed one
    Spinal(spinal::SpinalHeads),
    /// Time a first step from the start of the program
    Cold(cold::Cold),
    /// Time a model at batches of 1, 2, 4 and so on
    Sweep(sweep::Sweep),
    /// Time the same steps in PyTorch, in turn
    Peers(peers::Peers),
}

impl Bench {
    /// Runs the subcommand.
    pub fn run(&self) -> Result<()> {
        match &self.command {
            Command::Step(command) => command.run(),
            Command::Ops(command) => command.run(),
            Command::Gemm(command) => command.run(),
            Command::Spinal(command) => command.run(),
            Command::Cold(command) => command.run(),
            Command::Sweep(command) => command.run(),
            Command::Peers(command) => command.run(),
        }
    }
}
