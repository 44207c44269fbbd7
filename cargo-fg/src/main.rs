//! `cargo fg`: creates, runs, checks, packages and deploys extensions of Huawei Cloud FunctionGraph.
//!
//! ```console
//! $ cargo fg new night-watch
//! $ cd night-watch
//! $ cargo fg dev
//! $ cargo fg check
//! $ cargo fg package
//! $ cargo fg deploy
//! ```
//!
//! Each subcommand has a module, and its arguments are in [`cli`]. Only [`main`] prints the error of a failed command
//! and chooses its exit status.

mod boot;
mod cargo;
mod check;
mod cli;
#[cfg(feature = "deploy")]
mod deploy;
mod dev;
mod env_file;
mod invocation;
mod invoke;
mod ipc;
mod journal;
mod listen_port;
mod new;
mod package;
mod signals;
mod terminal;
mod ui;

use std::io::Write;
use std::process::ExitCode;

use fg_util::error::chain;

use self::cli::CommandLine;
use self::terminal::printable;

fn main() -> ExitCode {
    let command_line = CommandLine::from_env();
    let failure = command_line.failure();
    command_line.run().unwrap_or_else(|error| {
        // If stderr is closed, the exit status is all that is left to report the failure.
        let stderr = std::io::stderr();
        let message = printable(&chain(error.as_ref()), &stderr);
        let _ = writeln!(&stderr, "error: {message}");
        failure
    })
}
