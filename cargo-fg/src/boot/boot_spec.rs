//! An extension that is ready to boot, and the command that boots it.

use std::path::PathBuf;

use fg_conformance::artifact::UnpackedPackage;
use fg_emulator::ExtensionCommand;

use crate::cargo::BuiltProgram;
use crate::signals::KillHook;

/// An extension that is ready to boot. It can be booted any number of times.
#[derive(Debug)]
pub(crate) struct BootSpec {
    /// The script name that the extension registers under.
    pub(crate) script_name: String,
    pub(crate) program: BootProgram,
    /// Further arguments for the program. A ZIP has none, since the platform passes none to a start script.
    pub(crate) arguments: Vec<String>,
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
        /// Removes the directory if the process is killed with a second Ctrl-C.
        _kill_hook: KillHook,
    },
}

impl BootSpec {
    /// Returns the command for the emulator.
    pub(crate) fn command(&self) -> ExtensionCommand {
        let command = match &self.program {
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
        };
        self.arguments.iter().fold(command, ExtensionCommand::arg)
    }
}
