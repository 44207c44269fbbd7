//! [`ExtensionCommand`]: the program, arguments, environment and ports of an extension to boot.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use tokio::process::Command;

use super::start_script;
use crate::Error;
use crate::port::ExtensionPorts;

/// Describes how to boot an extension: a program under a script name, or an unpacked ZIP.
///
/// ```
/// use fg_emulator::ExtensionCommand;
///
/// let command = ExtensionCommand::new("extensionNightWatch.sh", "python3")
///     .arg("night_watch.py")
///     .env("NIGHT_WATCH_LEVEL", "debug")
///     .lease_port();
/// // then: platform.boot(command).await?
/// ```
#[derive(Debug)]
pub struct ExtensionCommand {
    pub(crate) script: String,
    executable: Executable,
    /// A program and its arguments, through which the executable is run.
    wrapper: Option<(OsString, Vec<OsString>)>,
    /// The variables to set; those without a value are removed.
    pub(crate) environment: BTreeMap<OsString, Option<OsString>>,
    lease_port: bool,
    lease_telemetry_port: bool,
}

#[derive(Debug)]
enum Executable {
    /// An executable and its arguments. A start script is generated for it.
    Program(PathBuf, Vec<OsString>),
    /// The directory that contains `extension/<script>`.
    Package(PathBuf),
}

impl ExtensionCommand {
    /// Returns a command that runs the executable `program` under the script name `script`, such as `extensionHello.sh`.
    ///
    /// The process inherits the working directory and the environment of the current process; the variables of
    /// [`Platform::environment`](crate::Platform::environment) are added. A program name without a slash is searched for
    /// in `PATH`, then in the working directory.
    pub fn new(script: impl Into<String>, program: impl Into<PathBuf>) -> Self {
        Self::from_executable(script, Executable::Program(program.into(), Vec::new()))
    }

    /// Returns a command that boots an unpacked ZIP. It executes the start script `directory/extension/<script>`, which
    /// must be executable.
    ///
    /// The working directory is `/`. The platform's is unknown (?), so an extension must not rely on it.
    pub fn package(script: impl Into<String>, directory: impl Into<PathBuf>) -> Self {
        Self::from_executable(script, Executable::Package(directory.into()))
    }

    fn from_executable(script: impl Into<String>, executable: Executable) -> Self {
        Self {
            script: script.into(),
            executable,
            wrapper: None,
            environment: BTreeMap::new(),
            lease_port: false,
            lease_telemetry_port: false,
        }
    }

    /// Adds an argument for the program. Ignored for an unpacked ZIP, whose start script runs without arguments.
    #[must_use]
    pub fn arg(mut self, argument: impl Into<OsString>) -> Self {
        if let Executable::Program(_, arguments) = &mut self.executable {
            arguments.push(argument.into());
        }
        self
    }

    /// Sets an environment variable of the process. Overrides a variable of the platform with the same name.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.environment.insert(name.into(), Some(value.into()));
        self
    }

    /// Removes an environment variable, so that the process does not inherit it.
    #[must_use]
    pub fn env_remove(mut self, name: impl Into<OsString>) -> Self {
        self.environment.insert(name.into(), None);
        self
    }

    /// Runs the start script through another program, such as `nice`, which receives the command that runs the script as
    /// further arguments. It must execute this command in the same process.
    #[must_use]
    pub fn wrapper<I>(mut self, program: impl Into<OsString>, arguments: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<OsString>,
    {
        let arguments = arguments.into_iter().map(Into::into).collect();
        self.wrapper = Some((program.into(), arguments));
        self
    }

    /// Leases a free port for the extension, so that tests can run in parallel.
    ///
    /// The extension reads the port from the environment variable `FG_EXTENSION_PORT`. The value names the extension for
    /// which it is meant, as in `extensionHello.sh=8085`. `fg-extension` reads this variable itself; other programs must
    /// listen on the port after the `=`.
    #[must_use]
    pub fn lease_port(mut self) -> Self {
        self.lease_port = true;
        self
    }

    /// Leases a free port for telemetry, which the extension reads from `FG_TELEMETRY_PORT`. The format is that of
    /// [`lease_port`](Self::lease_port).
    ///
    /// If both ports are requested, they are leased together, so that two tests that each need two ports cannot deadlock.
    #[must_use]
    pub fn lease_telemetry_port(mut self) -> Self {
        self.lease_telemetry_port = true;
        self
    }
}

impl ExtensionCommand {
    /// Leases all requested ports at once.
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

    /// Returns the command that runs the start script. For a program, first writes the start script to the directory.
    pub(crate) fn executable(&self, directory: &Path) -> Result<Command, Error> {
        match &self.executable {
            Executable::Program(program, arguments) => {
                let script = start_script::write(&self.script, program, arguments, directory)?;
                // The shell only reads the script. Executing a newly written file can fail with ETXTBSY, while a process
                // that another thread has forked still has the file open for writing.
                let mut command = self.wrapped("/bin/sh".as_ref());
                command.arg(script);
                Ok(command)
            }
            Executable::Package(package) => {
                let package = fs::canonicalize(package)
                    .map_err(Error::context(format!("cannot find {}", package.display())))?;
                let mut command = self.wrapped(&package.join("extension").join(&self.script));
                command.current_dir("/");
                Ok(command)
            }
        }
    }

    /// Returns a command that runs the program, through the wrapper if there is one.
    fn wrapped(&self, program: &Path) -> Command {
        match &self.wrapper {
            None => Command::new(program),
            Some((wrapper, arguments)) => {
                let mut command = Command::new(wrapper);
                command.args(arguments).arg(program);
                command
            }
        }
    }
}
