//! The program `spinal`: parse, run, print one error.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    silence_mesa();
    match spinalnet::cli::run(spinalnet::cli::Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Where nobody listens any more, the exit code still tells.
            let _ = writeln!(std::io::stderr(), "error: {error}\nhint: {}", error.hint());
            ExitCode::from(error.exit_code())
        }
    }
}

/// Turns off a layer of Mesa's that, without a desktop session, prints an error about `XDG_RUNTIME_DIR` for every adapter.
/// All it does is to reorder the adapters, which we order ourselves.
fn silence_mesa() {
    if std::env::var_os("XDG_RUNTIME_DIR").is_none() {
        // SAFETY: this is the first statement of the program, so no other thread reads the environment.
        unsafe { std::env::set_var("NODEVICE_SELECT", "1") };
    }
}
