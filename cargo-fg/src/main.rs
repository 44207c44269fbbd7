//! `cargo fg`: a FunctionGraph on your desk, for extensions written with `fg-extension`.

mod build;
mod cargo;
mod cmd;
mod control;
mod dev;
mod new;
mod order;
mod package;
mod report;
mod stop;
mod subject;

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo fg", bin_name = "cargo fg", about, version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build an extension, boot it in a local FunctionGraph, and invoke it
    Dev(Box<cmd::dev::Arguments>),
    /// Have the function of a running `cargo fg dev` invoked
    Invoke(cmd::invoke::Arguments),
    /// Begin an extension of your own, from an example
    New(cmd::new::Arguments),
    /// Build an extension for FunctionGraph, as a ZIP to upload, and boot it from there
    Package(cmd::package::Arguments),
    /// Check that an extension does what the platform asks of it
    Check(cmd::check::Arguments),
}

fn main() -> ExitCode {
    // Installed, cargo calls us as `cargo-fg fg …`; by the alias of a checkout, as `cargo-fg …`.
    let mut arguments: Vec<_> = std::env::args_os().collect();
    if arguments.get(1).is_some_and(|argument| argument == "fg") {
        arguments.remove(1);
    }
    let command = Arguments::parse_from(arguments).command;
    // A check that could not run is no check that found something.
    let failure = match command {
        Command::Check(_) => ExitCode::from(2),
        _ => ExitCode::FAILURE,
    };
    let outcome = match command {
        Command::Dev(arguments) => cmd::dev::run(*arguments),
        Command::Invoke(arguments) => cmd::invoke::run(&arguments),
        Command::New(arguments) => cmd::new::run(&arguments),
        Command::Package(arguments) => cmd::package::run(&arguments),
        Command::Check(arguments) => cmd::check::run(&arguments),
    };
    outcome.unwrap_or_else(|error| {
        // Behind a pipe that is closed there is nobody to tell.
        let _ = writeln!(std::io::stderr(), "error: {error:#}");
        failure
    })
}
