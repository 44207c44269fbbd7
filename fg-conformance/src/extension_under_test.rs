//! [`ExtensionUnderTest`]: the extension to check, and how it is booted.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use fg_emulator::ExtensionCommand;

use crate::Error;
use crate::artifact::{UnpackedPackage, ZipError, choose, examine, read_script_name, run_blocking};
use crate::cases::{ZipScripts, check_without_zip, check_zip, record_unreadable_zip};
use crate::report::Report;

/// The extension to check: a compiled program, a command in any language, or a ZIP.
#[derive(Clone, Debug)]
pub struct ExtensionUnderTest {
    origin: Origin,
    description: Option<String>,
    environment: Vec<(OsString, OsString)>,
    user_data: BTreeMap<String, String>,
    /// The start script of a ZIP to boot.
    script: Option<String>,
}

/// Where an extension comes from.
#[derive(Clone, Debug)]
enum Origin {
    /// A program compiled with `fg-extension`, whose file is examined too.
    Program {
        script: String,
        path: PathBuf,
        arguments: Vec<OsString>,
    },
    /// Any other program, with arguments.
    Command {
        script: String,
        program: PathBuf,
        arguments: Vec<OsString>,
    },
    /// The ZIP of a dependency.
    Zip(PathBuf),
}

impl ExtensionUnderTest {
    /// Creates an extension from a program that was compiled with `fg-extension`. The program contains its script name.
    ///
    /// # Errors
    ///
    /// Returns an error if the program cannot be read, or does not contain exactly one script name.
    pub fn program(path: impl Into<PathBuf>) -> Result<Self, Error> {
        let path = path.into();
        let script = read_script_name(&path)?;
        Ok(Self::of(Origin::Program {
            script,
            path,
            arguments: Vec::new(),
        }))
    }

    /// Creates an extension from a command in any language. It must register under the name `script`, for example
    /// `extensionNightWatch.sh`.
    ///
    /// A program without a slash is searched for in `PATH`, then in the working directory.
    pub fn command<I>(script: impl Into<String>, program: impl Into<PathBuf>, arguments: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<OsString>,
    {
        Self::of(Origin::Command {
            script: script.into(),
            program: program.into(),
            arguments: arguments.into_iter().map(Into::into).collect(),
        })
    }

    /// Creates an extension from a ZIP that is ready for upload. The checks unpack it into a temporary directory, and boot the
    /// extension from there.
    pub fn zip(path: impl Into<PathBuf>) -> Self {
        Self::of(Origin::Zip(path.into()))
    }

    fn of(origin: Origin) -> Self {
        Self {
            origin,
            description: None,
            environment: Vec::new(),
            user_data: BTreeMap::new(),
            script: None,
        }
    }

    /// Selects the start script that is booted from a ZIP with several. The default is the first one in alphabetical order.
    ///
    /// Has no effect on an extension that is not a ZIP.
    #[must_use]
    pub fn start_script(mut self, name: impl Into<String>) -> Self {
        self.script = Some(name.into());
        self
    }

    /// Adds arguments for the program.
    ///
    /// Has no effect on a ZIP, whose start script runs without arguments.
    #[must_use]
    pub fn arguments<I>(mut self, more: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<OsString>,
    {
        match &mut self.origin {
            Origin::Program { arguments, .. } | Origin::Command { arguments, .. } => {
                arguments.extend(more.into_iter().map(Into::into));
            }
            Origin::Zip(_) => {}
        }
        self
    }

    /// Sets the description in the heading of a human-readable report. The default is the path.
    #[must_use]
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// Sets an environment variable of the extension.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Adds a setting that a user sets in the function's console.
    ///
    /// It is in `RUNTIME_USERDATA` (D), and in all boots but that of SET-01 it is also an environment variable (?).
    #[must_use]
    pub fn user_data(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.user_data.insert(name.into(), value.into());
        self
    }

    fn describe(&self) -> String {
        let path = match &self.origin {
            Origin::Program { path, .. } | Origin::Zip(path) => path,
            Origin::Command { program, .. } => program,
        };
        let description = self.description.clone();
        description.unwrap_or_else(|| path.display().to_string())
    }

    /// Checks the PKG cases, and prepares the extension for booting. Returns `None` if it cannot be booted.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, no temporary files remain.
    pub(crate) async fn prepare(
        &self,
        report: &mut Report,
    ) -> Result<Option<PreparedExtension>, Error> {
        let (script, launch) = match self.origin.clone() {
            Origin::Program {
                script,
                path,
                arguments,
            } => {
                check_without_zip(&script, Some(&path), report)?;
                (script, Launch::Program(path, arguments))
            }
            Origin::Command {
                script,
                program,
                arguments,
            } => {
                check_without_zip(&script, None, report)?;
                (script, Launch::Program(program, arguments))
            }
            Origin::Zip(path) => return self.prepare_zip(path, report).await,
        };
        report.set_extension(script.clone(), Some(self.describe()));
        Ok(Some(self.prepared(script, launch)))
    }

    async fn prepare_zip(
        &self,
        path: PathBuf,
        report: &mut Report,
    ) -> Result<Option<PreparedExtension>, Error> {
        let description = self.describe();
        let zip = path.clone();
        let examined = run_blocking(move |cancellation| {
            let examined = examine(&zip, cancellation)?;
            let scripts = ZipScripts::read(&examined.archive);
            Ok((examined, scripts))
        });
        let (examined, scripts) = match examined.await? {
            Ok(examined) => examined,
            Err(ZipError::Invalid(reason)) => {
                record_unreadable_zip(reason, report);
                report.set_extension(description, None);
                return Ok(None);
            }
            Err(error) => return Err(error.into_error(&path)),
        };
        let names = scripts.names();
        let script = match &self.script {
            Some(script) if !names.is_empty() => Some(choose(&path, &names, script)?),
            _ => names.first().cloned(),
        };
        let directory = check_zip(examined, &scripts, script.as_deref(), report);
        let (Some(script), Some(directory)) = (script, directory) else {
            report.set_extension(description, None);
            return Ok(None);
        };
        report.set_extension(script.clone(), Some(self.describe_choice(&names, &script)));
        let package = UnpackedPackage::new(script.clone(), directory);
        Ok(Some(self.prepared(script, Launch::Package(package))))
    }

    /// Adds the start scripts that are not tested to the description.
    fn describe_choice(&self, scripts: &[String], script: &str) -> String {
        let others = scripts.iter().filter(|name| *name != script);
        let others: Vec<_> = others.map(String::as_str).collect();
        let description = self.describe();
        if others.is_empty() {
            description
        } else {
            let others = others.join(", ");
            format!("{description}; to test {others} instead, use --script")
        }
    }

    fn prepared(&self, script: String, launch: Launch) -> PreparedExtension {
        PreparedExtension {
            script,
            launch,
            environment: self.environment.clone(),
            user_data: self.user_data.clone(),
        }
    }
}

/// An extension that can be booted any number of times.
#[derive(Debug)]
pub(crate) struct PreparedExtension {
    /// The name of the start script.
    pub(crate) script: String,
    launch: Launch,
    environment: Vec<(OsString, OsString)>,
    user_data: BTreeMap<String, String>,
}

#[derive(Debug)]
enum Launch {
    /// A program and its arguments.
    Program(PathBuf, Vec<OsString>),
    /// An unpacked ZIP.
    Package(UnpackedPackage),
}

impl PreparedExtension {
    /// Returns the directory of an unpacked ZIP.
    pub(crate) fn directory(&self) -> Option<&Path> {
        match &self.launch {
            Launch::Program(..) => None,
            Launch::Package(package) => Some(package.directory()),
        }
    }

    /// Returns the settings in `RUNTIME_USERDATA`.
    pub(crate) fn user_data(&self) -> &BTreeMap<String, String> {
        &self.user_data
    }

    /// Returns the command that the emulator boots.
    pub(crate) fn command(&self) -> ExtensionCommand {
        // A variable of the same name takes precedence.
        let user_data = self.user_data.iter();
        let command = user_data.fold(self.bare_command(), |command, (name, value)| {
            command.env(name, value)
        });
        let environment = self.environment.iter();
        environment.fold(command, |command, (name, value)| command.env(name, value))
    }

    /// Returns the command without the settings of the user as environment variables.
    pub(crate) fn command_with_user_data_only(&self) -> ExtensionCommand {
        let is_variable =
            |(name, _): &&(OsString, OsString)| self.user_data.keys().all(|it| name != it.as_str());
        let environment = self.environment.iter().filter(is_variable);
        let command = environment.fold(self.bare_command(), |command, (name, value)| {
            command.env(name, value)
        });
        let user_data = self.user_data.keys();
        user_data.fold(command, ExtensionCommand::env_remove)
    }

    /// Returns the command without variables.
    fn bare_command(&self) -> ExtensionCommand {
        match &self.launch {
            Launch::Program(program, arguments) => {
                let command = ExtensionCommand::new(&self.script, program);
                arguments.iter().fold(command, ExtensionCommand::arg)
            }
            Launch::Package(package) => package.command(),
        }
    }
}
