//! The command line: every subcommand and flag.

mod bench;
mod command;
mod convert;
mod data;
mod device;
mod download;
mod eval;
mod info;
mod interruption;
mod kernels;
mod list;
mod model;
mod output;
mod plan;
mod predict;
mod report;
mod reproduce;
mod text;
mod train;
mod tune;
mod universal;
mod weights;

use clap::{Parser, Subcommand};

use crate::error::Result;

/// SpinalNet (arXiv 2007.03347) trained with hand-written WGSL compute shaders, on any GPU.
#[derive(Parser, Debug)]
#[command(name = "spinal", version, about, arg_required_else_help = true)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Train a spinal net and its baseline side by side on the same batches
    Train(Box<train::Train>),
    /// Score saved weights on test data
    Eval(eval::Eval),
    /// Classify pictures with saved weights
    Predict(predict::Predict),
    /// List the adapters of this machine and the one that would be used
    Info(info::Info),
    /// Print the dispatches of a training step
    Plan(plan::PlanCommand),
    /// List the networks with their parameters and multiplications
    List(list::List),
    /// Turn a hidden layer of a network into a spinal one, and see what that saves or costs
    Convert(convert::Convert),
    /// Check the paper's universal approximation construction on the device
    Universal(universal::Universal),
    /// Measure the kernels of networks, and keep the fastest for --kernels tuned
    Tune(tune::Tune),
    /// Time steps
    Bench(bench::Bench),
    /// Train an experiment with several seeds, and tell what the spinal net is worth beside its baseline and the paper
    Reproduce(Box<reproduce::Reproduce>),
    /// Average runs of several seeds, beside the paper's curve
    Report(report::Report),
    /// Work with data sets
    Data(data::Data),
    /// List and download weights that were trained on ImageNet
    Weights(weights::Weights),
}

/// Runs what the command line asks for.
pub fn run(arguments: Arguments) -> Result<()> {
    match arguments.command {
        Command::Train(command) => command.run(),
        Command::Eval(command) => command.run(),
        Command::Predict(command) => command.run(),
        Command::Info(command) => command.run(),
        Command::Plan(command) => command.run(),
        Command::List(command) => command.run(),
        Command::Convert(command) => command.run(),
        Command::Universal(command) => command.run(),
        Command::Tune(command) => command.run(),
        Command::Bench(command) => command.run(),
        Command::Reproduce(command) => command.run(),
        Command::Report(command) => command.run(),
        Command::Data(command) => command.run(),
        Command::Weights(command) => command.run(),
    }
}
