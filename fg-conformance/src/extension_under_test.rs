//! [`ExtensionUnderTest`]: the extension to check, and how it is booted.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use fg_emulator::ExtensionCommand;

use crate::Error;
use crate::artifact::{UnpackedPackage, read_script_name};

/// The extension to check: a compiled program, a command in any language, or a ZIP.
#[derive(Clone, Debug)]
pub struct ExtensionUnderTest {
    pub(crate) origin: Origin,
    description: Option<String>,
    environment: Vec<(OsString, OsString)>,
}

/// Where an extension comes from.
#[derive(Clone, Debug)]
pub(crate) enum Origin {
    /// A program compiled with `fg-extension`, whose file is examined too.
    Program { script: String, path: PathBuf },
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
        Ok(Self::of(Origin::Program { script, path }))
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
        }
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

    pub(crate) fn describe(&self) -> String {
        let path = match &self.origin {
            Origin::Program { path, .. } | Origin::Zip(path) => path,
            Origin::Command { program, .. } => program,
        };
        let description = self.description.clone();
        description.unwrap_or_else(|| path.display().to_string())
    }

    /// Prepares the extension for booting: unpacks a ZIP.
    pub(crate) fn prepare(&self) -> Result<PreparedExtension, Error> {
        let (script, launch) = match self.origin.clone() {
            Origin::Program { script, path } => (script, Launch::Program(path, Vec::new())),
            Origin::Command {
                script,
                program,
                arguments,
            } => (script, Launch::Program(program, arguments)),
            Origin::Zip(path) => {
                let package = UnpackedPackage::unpack(&path)?;
                (package.script_name().to_owned(), Launch::Package(package))
            }
        };
        Ok(PreparedExtension {
            script,
            launch,
            environment: self.environment.clone(),
        })
    }
}

/// An extension that can be booted any number of times.
#[derive(Debug)]
pub(crate) struct PreparedExtension {
    /// The name of the start script.
    pub(crate) script: String,
    launch: Launch,
    environment: Vec<(OsString, OsString)>,
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

    /// Returns the command that the emulator boots.
    pub(crate) fn command(&self) -> ExtensionCommand {
        let command = match &self.launch {
            Launch::Program(program, arguments) => {
                let command = ExtensionCommand::new(&self.script, program);
                arguments.iter().fold(command, ExtensionCommand::arg)
            }
            Launch::Package(package) => package.command(),
        };
        let environment = self.environment.iter();
        environment.fold(command, |command, (name, value)| command.env(name, value))
    }
}

impl Origin {
    pub(crate) fn as_zip(&self) -> Option<&Path> {
        match self {
            Self::Zip(path) => Some(path),
            _ => None,
        }
    }
}
