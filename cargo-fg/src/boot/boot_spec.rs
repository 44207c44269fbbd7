//! An extension that is ready to boot, and the command that boots it.

use std::path::PathBuf;

use anyhow::{Context, bail};
use fg_conformance::artifact::UnpackedPackage;
use fg_emulator::ExtensionCommand;

use crate::cargo::BuiltProgram;

/// An extension that is ready to boot. It can be booted any number of times.
#[derive(Debug)]
pub(crate) struct BootSpec {
    /// The script name that the extension registers under.
    pub(crate) script_name: String,
    pub(crate) program: BootProgram,
}

/// The program that the emulator runs.
#[derive(Debug)]
pub(crate) enum BootProgram {
    /// A program that cargo built.
    Built(BuiltProgram),
    /// A program and its arguments.
    Command(Vec<String>),
    /// An unpacked ZIP.
    Unpacked {
        zip: PathBuf,
        /// The contents of the ZIP, in a temporary directory.
        package: UnpackedPackage,
    },
}

impl BootSpec {
    /// Creates a spec from a command line, which is split into arguments as by a shell.
    pub(super) fn from_command_line(script_name: &str, command: &str) -> anyhow::Result<Self> {
        let arguments = shell_words::split(command)
            .with_context(|| format!("cannot split the command `{command}`"))?;
        if arguments.is_empty() {
            bail!("the command for {script_name} is empty");
        }
        Ok(Self {
            script_name: script_name.to_owned(),
            program: BootProgram::Command(arguments),
        })
    }

    /// Returns the command for the emulator.
    pub(crate) fn command(&self) -> ExtensionCommand {
        match &self.program {
            BootProgram::Built(built) => ExtensionCommand::new(&self.script_name, &built.path),
            BootProgram::Command(arguments) => {
                let mut arguments = arguments.iter();
                let program = arguments.next().map(PathBuf::from).unwrap_or_default();
                arguments.fold(
                    ExtensionCommand::new(&self.script_name, program),
                    ExtensionCommand::arg,
                )
            }
            BootProgram::Unpacked { package, .. } => package.command(),
        }
    }
}
