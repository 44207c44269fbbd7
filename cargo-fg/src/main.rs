//! `cargo fg`: a FunctionGraph on your desk, for extensions written with `fg-extension`.

mod boot;
mod cargo;
mod check;
mod cli;
mod dev;
mod invocation;
mod invoke;
mod ipc;
mod new;
mod package;
mod signals;

use std::io::Write;
use std::process::ExitCode;

use fg_util::error::chain;

use self::cli::CommandLine;

fn main() -> ExitCode {
    let command_line = CommandLine::from_env();
    let failure = command_line.failure();
    command_line.run().unwrap_or_else(|error| {
        // If stderr is closed, nobody can read the error.
        let _ = writeln!(std::io::stderr(), "error: {}", chain(error.as_ref()));
        failure
    })
}
