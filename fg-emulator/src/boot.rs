//! What to boot: a program under a script name, or an unpacked package.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::{env, fs};

use tokio::process::Command;

use crate::Error;
use crate::port::PortLease;

/// What to boot, and how.
#[derive(Debug)]
pub struct ExtensionCommand {
    pub(crate) script: String,
    code: Code,
    pub(crate) environment: BTreeMap<OsString, OsString>,
    lease_port: bool,
    lease_telemetry_port: bool,
}

#[derive(Debug)]
enum Code {
    /// An executable, for which a script is written.
    Program(PathBuf, Vec<OsString>),
    /// The folder that holds `extension/<script>`.
    Package(PathBuf),
}

impl ExtensionCommand {
    /// The executable `program`, under the script name `script`, as in `extensionHello.sh`.
    ///
    /// It inherits the environment, with the platform's variables added, and the working directory. A program
    /// without a slash is looked for in `PATH`, and then where we are.
    pub fn new(script: impl Into<String>, program: impl Into<PathBuf>) -> Self {
        Self::of(script, Code::Program(program.into(), Vec::new()))
    }

    /// An unpacked dependency: `folder/extension/<script>` is executed as it is, in the working directory `/`
    /// (?: the platform's is unknown, so a package must not rely on it).
    pub fn package(script: impl Into<String>, folder: impl Into<PathBuf>) -> Self {
        Self::of(script, Code::Package(folder.into()))
    }

    fn of(script: impl Into<String>, code: Code) -> Self {
        Self {
            script: script.into(),
            code,
            environment: BTreeMap::new(),
            lease_port: false,
            lease_telemetry_port: false,
        }
    }

    /// Adds an argument for the program; a package's script has none.
    #[must_use]
    pub fn arg(mut self, argument: impl Into<OsString>) -> Self {
        if let Code::Program(_, arguments) = &mut self.code {
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

/// The ports of one extension, each with the variable that it goes by.
#[derive(Debug, Default)]
pub(crate) struct Leases(Vec<(&'static str, PortLease)>);

impl Leases {
    /// Those variables, each with its port.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (&'static str, u16)> {
        self.0
            .iter()
            .map(|(variable, lease)| (*variable, lease.port()))
    }

    /// What the boot asks for, all of it at once.
    pub(crate) async fn take(boot: &ExtensionCommand) -> Result<Self, Error> {
        let asked = [
            ("FG_EXTENSION_PORT", boot.lease_port),
            ("FG_TELEMETRY_PORT", boot.lease_telemetry_port),
        ];
        let variables: Vec<_> = asked
            .into_iter()
            .filter_map(|(variable, asked)| asked.then_some(variable))
            .collect();
        let leases = PortLease::acquire_async(variables.len()).await?;
        Ok(Self(variables.into_iter().zip(leases).collect()))
    }
}

impl ExtensionCommand {
    /// The command that runs its script, which is written to the folder if there is none yet.
    pub(crate) fn command(&self, folder: &Path) -> Result<Command, Error> {
        match &self.code {
            Code::Program(program, arguments) => {
                let script = write_script(&self.script, program, arguments, folder)?;
                // By way of the shell: to execute a file that was just written fails (ETXTBSY) for as long as a
                // process that another thread is about to start still holds it open.
                let mut command = Command::new("/bin/sh");
                command.arg(script);
                Ok(command)
            }
            Code::Package(package) => {
                let package = fs::canonicalize(package)
                    .map_err(Error::because(format!("cannot find {}", package.display())))?;
                let mut command = Command::new(package.join("extension").join(&self.script));
                command.current_dir("/");
                Ok(command)
            }
        }
    }
}

/// The package's folder as the platform unpacks it: `extension/<script>` (D 2705).
fn write_script(
    script: &str,
    program: &Path,
    arguments: &[OsString],
    folder: &Path,
) -> Result<PathBuf, Error> {
    let program =
        find(program).map_err(Error::because(format!("cannot find {}", program.display())))?;
    let mut text = b"#!/bin/sh\nexec".to_vec();
    for word in [program.as_os_str()]
        .into_iter()
        .chain(arguments.iter().map(OsString::as_os_str))
    {
        text.extend_from_slice(b" '");
        text.extend_from_slice(&quoted(word));
        text.push(b'\'');
    }
    text.push(b'\n');
    let folder = folder.join("extension");
    let path = folder.join(script);
    let cannot = || Error::because::<std::io::Error>(format!("cannot write {}", path.display()));
    fs::create_dir_all(&folder).map_err(cannot())?;
    fs::write(&path, text).map_err(cannot())?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).map_err(cannot())?;
    Ok(path)
}

/// A bare name in `PATH`, as a shell finds it; all else from where we are.
fn find(program: &Path) -> std::io::Result<PathBuf> {
    let is_bare = !program.as_os_str().as_bytes().contains(&b'/');
    let path = env::var_os("PATH").filter(|_| is_bare);
    let in_path = path.iter().flat_map(env::split_paths);
    in_path
        .map(|folder| folder.join(program))
        .find(|candidate| is_executable(candidate))
        .map_or_else(|| fs::canonicalize(program), Ok)
}

fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

/// For single quotes of a shell.
fn quoted(word: &OsStr) -> Vec<u8> {
    let mut quoted = Vec::new();
    for byte in word.as_bytes() {
        match byte {
            b'\'' => quoted.extend_from_slice(br"'\''"),
            byte => quoted.push(*byte),
        }
    }
    quoted
}
