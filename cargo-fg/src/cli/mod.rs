//! The command line: one file of arguments for each subcommand.

mod check_args;
mod dev_args;
mod invoke_args;
mod new_args;
mod package_args;
mod source_args;
mod values;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// `cargo fg`.
#[derive(Parser)]
#[command(name = "cargo fg", bin_name = "cargo fg", about, version)]
pub(crate) struct CommandLine {
    #[command(subcommand)]
    command: FgCommand,
}

#[derive(Subcommand)]
enum FgCommand {
    /// Build an extension, boot it in a local FunctionGraph, and invoke it
    Dev(Box<dev_args::DevArgs>),
    /// Have the function of a running `cargo fg dev` invoked
    Invoke(invoke_args::InvokeArgs),
    /// Begin an extension of your own, from an example
    New(new_args::NewArgs),
    /// Build an extension for FunctionGraph, as a ZIP to upload, and boot it from there
    Package(package_args::PackageArgs),
    /// Check that an extension does what the platform asks of it
    Check(check_args::CheckArgs),
}

impl CommandLine {
    /// Reads the arguments of this process. Prints help and exits if they are wrong or ask for it, as clap does.
    pub(crate) fn from_env() -> Self {
        // Installed, cargo runs `cargo-fg fg …`; by the alias of a checkout, `cargo-fg …`.
        let mut arguments: Vec<_> = std::env::args_os().collect();
        if arguments.get(1).is_some_and(|argument| argument == "fg") {
            arguments.remove(1);
        }
        Self::parse_from(arguments)
    }

    /// Returns the exit status of a command that fails: 1, and 2 for a check, which uses 1 for findings.
    pub(crate) fn failure(&self) -> ExitCode {
        match self.command {
            FgCommand::Check(_) => ExitCode::from(2),
            _ => ExitCode::FAILURE,
        }
    }

    /// Runs the subcommand.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            FgCommand::Dev(arguments) => arguments.run(),
            FgCommand::Invoke(arguments) => arguments.run(),
            FgCommand::New(arguments) => arguments.run(),
            FgCommand::Package(arguments) => arguments.run(),
            FgCommand::Check(arguments) => arguments.run(),
        }
    }
}
