//! Commands that boot extensions.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use tokio::process::Command;

use super::start_script;
use crate::Error;
use crate::port::ExtensionPorts;

/// A command that boots an extension: a program under a script name, or an unpacked package.
#[derive(Debug)]
pub struct ExtensionCommand {
    pub(crate) script: String,
    executable: Executable,
    pub(crate) environment: BTreeMap<OsString, OsString>,
    lease_port: bool,
    lease_telemetry_port: bool,
}

#[derive(Debug)]
enum Executable {
    /// An executable, for which a script is written.
    Program(PathBuf, Vec<OsString>),
    /// The folder that holds `extension/<script>`.
    Package(PathBuf),
}

impl ExtensionCommand {
    /// Returns a command that runs the executable `program` under the script name `script`, as in `extensionHello.sh`.
    ///
    /// It inherits the environment, with the platform's variables added, and the working directory. A program
    /// without a slash is looked for in `PATH`, and then where we are.
    pub fn new(script: impl Into<String>, program: impl Into<PathBuf>) -> Self {
        Self::of(script, Executable::Program(program.into(), Vec::new()))
    }

    /// Returns a command that boots an unpacked dependency: `folder/extension/<script>` is executed as it is, in the working directory `/`
    /// (?: the platform's is unknown, so a package must not rely on it).
    pub fn package(script: impl Into<String>, folder: impl Into<PathBuf>) -> Self {
        Self::of(script, Executable::Package(folder.into()))
    }

    fn of(script: impl Into<String>, executable: Executable) -> Self {
        Self {
            script: script.into(),
            executable,
            environment: BTreeMap::new(),
            lease_port: false,
            lease_telemetry_port: false,
        }
    }

    /// Adds an argument for the program; a package's script has none.
    #[must_use]
    pub fn arg(mut self, argument: impl Into<OsString>) -> Self {
        if let Executable::Program(_, arguments) = &mut self.executable {
            arguments.push(argument.into());
        }
        self
    }

    /// Sets a variable of its environment.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.environment.insert(name.into(), value.into());
        self
    }

    /// Gives it a free port, so that tests can run side by side. Its variable `FG_EXTENSION_PORT` says for whom it
    /// is, as in `extensionHello.sh=8085`; `fg-extension` reads that, and other programs take what is behind the `=`.
    #[must_use]
    pub fn lease_port(mut self) -> Self {
        self.lease_port = true;
        self
    }

    /// Gives it a free port for telemetry, in the same way through `FG_TELEMETRY_PORT`.
    ///
    /// Together with [`lease_port`](Self::lease_port) it gets both ports at once, so that tests that need
    /// two do not wait for each other.
    #[must_use]
    pub fn lease_telemetry_port(mut self) -> Self {
        self.lease_telemetry_port = true;
        self
    }
}

impl ExtensionCommand {
    /// Leases the ports that it asks for, all at once.
    pub(crate) async fn lease_ports(&self) -> Result<ExtensionPorts, Error> {
        let variables = [
            ("FG_EXTENSION_PORT", self.lease_port),
            ("FG_TELEMETRY_PORT", self.lease_telemetry_port),
        ];
        let leased = variables
            .into_iter()
            .filter_map(|(variable, leased)| leased.then_some(variable));
        ExtensionPorts::lease(leased.collect()).await
    }

    /// Returns the command that runs its start script, which is written to the folder if there is none yet.
    pub(crate) fn executable(&self, folder: &Path) -> Result<Command, Error> {
        match &self.executable {
            Executable::Program(program, arguments) => {
                let script = start_script::write(&self.script, program, arguments, folder)?;
                // By way of the shell: to execute a file that was just written fails (ETXTBSY) for as long as a
                // process that another thread is about to start still holds it open.
                let mut command = Command::new("/bin/sh");
                command.arg(script);
                Ok(command)
            }
            Executable::Package(package) => {
                let package = fs::canonicalize(package)
                    .map_err(Error::because(format!("cannot find {}", package.display())))?;
                let mut command = Command::new(package.join("extension").join(&self.script));
                command.current_dir("/");
                Ok(command)
            }
        }
    }
}
