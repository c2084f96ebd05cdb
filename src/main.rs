//! The program `spinal`: parse, run, print one error.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match spinalnet::cli::run(spinalnet::cli::Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            eprintln!("hint: {}", error.hint());
            ExitCode::from(error.exit_code())
        }
    }
}
