//! The command line: one file for the arguments of each subcommand.

mod check_args;
mod defaults;
#[cfg(feature = "deploy")]
mod deploy_args;
#[cfg(not(feature = "deploy"))]
#[path = "deploy_elsewhere.rs"]
mod deploy_args;
mod dev_args;
mod environment_args;
mod invoke_args;
mod new_args;
mod package_args;
mod source_args;
mod values;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use self::source_args::TargetArgs;

/// The parsed command line of `cargo fg`.
#[derive(Debug, Parser)]
#[command(name = "cargo fg", bin_name = "cargo fg", about, version)]
pub(crate) struct CommandLine {
    #[command(subcommand)]
    command: FgCommand,
}

#[derive(Debug, Subcommand)]
enum FgCommand {
    /// Create a package for a new extension, from an example
    New(new_args::NewArgs),
    /// Build an extension, boot it in a local FunctionGraph, and invoke the function
    Dev(Box<dev_args::DevArgs>),
    /// Invoke the function of a running `cargo fg dev`
    Invoke(invoke_args::InvokeArgs),
    /// Run conformance tests against an extension
    Check(check_args::CheckArgs),
    /// Build an extension, write the ZIP to upload to FunctionGraph, and boot the extension from it
    Package(package_args::PackageArgs),
    /// Upload an extension to FunctionGraph, and add it to a function
    Deploy(Box<deploy_args::DeployArgs>),
}

impl CommandLine {
    /// Parses the arguments of this process. If they are invalid or ask for help, clap prints a message and exits.
    pub(crate) fn from_env() -> Self {
        // cargo runs an installed subcommand as `cargo-fg fg …`; the alias in a clone runs `cargo-fg …`.
        let mut arguments: Vec<_> = std::env::args_os().collect();
        if arguments.get(1).is_some_and(|argument| argument == "fg") {
            arguments.remove(1);
        }
        if let Some(error) = separate_port(&arguments) {
            error.exit();
        }
        let parsed = Self::try_parse_from(&arguments);
        let is_incomplete =
            |error: &clap::Error| error.kind() == ErrorKind::MissingRequiredArgument;
        let lenient = match &parsed {
            // The defaults may contain what an option requires.
            Err(error) if is_incomplete(error) => Self::parse_leniently(&arguments),
            _ => None,
        };
        let target = parsed.as_ref().ok().or(lenient.as_ref());
        let with_defaults = target.and_then(Self::target).map(|(subcommand, target)| {
            defaults::parse_with_defaults(target, subcommand, &arguments)
        });
        match with_defaults {
            Some(Ok(Some(with_defaults))) => with_defaults,
            Some(Err(error)) => error.exit(),
            Some(Ok(None)) | None => parsed.unwrap_or_else(|error| error.exit()),
        }
    }

    /// Parses arguments without those that clap rejects.
    fn parse_leniently(arguments: &[OsString]) -> Option<Self> {
        let mut command = Self::command().ignore_errors(true);
        let matches = command.try_get_matches_from_mut(arguments).ok()?;
        Self::from_arg_matches(&matches).ok()
    }

    /// Returns the name of a subcommand that builds a package, and the arguments that select it.
    fn target(&self) -> Option<(&'static str, &TargetArgs)> {
        match &self.command {
            FgCommand::Dev(arguments) => Some(("dev", arguments.source.package_target()?)),
            FgCommand::Check(arguments) => Some(("check", arguments.source.package_target()?)),
            FgCommand::Package(arguments) => Some(("package", &arguments.target)),
            #[cfg(feature = "deploy")]
            FgCommand::Deploy(arguments) => Some(("deploy", arguments.package_target()?)),
            #[cfg(not(feature = "deploy"))]
            FgCommand::Deploy(_) => None,
            FgCommand::Invoke(_) | FgCommand::New(_) => None,
        }
    }

    /// Returns the exit status for a command that fails with an error: 1, or 2 for `check`, whose status 1 means that a
    /// case failed.
    pub(crate) fn failure(&self) -> ExitCode {
        match self.command {
            FgCommand::Check(_) => ExitCode::from(2),
            _ => ExitCode::FAILURE,
        }
    }

    /// Runs the subcommand, and returns its exit status.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            FgCommand::Dev(arguments) => arguments.run(),
            FgCommand::Invoke(arguments) => arguments.run(),
            FgCommand::New(arguments) => arguments.run(),
            FgCommand::Package(arguments) => arguments.run(),
            FgCommand::Deploy(arguments) => arguments.run(),
            FgCommand::Check(arguments) => arguments.run(),
        }
    }
}

/// Returns an error if a port follows `--ui` as an argument of its own, which would be that of something else.
fn separate_port(arguments: &[OsString]) -> Option<clap::Error> {
    let mut pairs = arguments.split(|it| it == "--").next()?.windows(2);
    let port = pairs.find_map(|pair| {
        let port = pair[1].to_str().filter(|_| pair[0] == "--ui")?;
        port.bytes()
            .all(|byte| byte.is_ascii_digit())
            .then_some(port)
    })?;
    let message = format!(
        "unexpected argument '{port}' found; to choose the port of the page, write --ui={port}"
    );
    Some(CommandLine::command().error(ErrorKind::UnknownArgument, message))
}
