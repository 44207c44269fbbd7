//! The arguments that select an extension: a package, a command, or a ZIP.

use std::path::PathBuf;

use clap::ArgGroup;

use crate::boot::ExtensionSource;
use crate::cargo::{BuildTarget, CargoOptions, ProgramChoice};

/// The arguments that select the program that cargo builds.
#[derive(Debug, clap::Args)]
pub(super) struct TargetArgs {
    /// Package to build (default: the one in the current directory)
    #[arg(short, long, value_name = "NAME")]
    package: Option<String>,
    /// Binary to build (default: the only one of the package)
    #[arg(long, value_name = "NAME")]
    bin: Option<String>,
    /// Example target of the package to build, instead of a binary
    #[arg(long, value_name = "NAME", conflicts_with = "bin")]
    example: Option<String>,
    #[command(flatten)]
    pub(super) cargo: CargoOptions,
}

/// The arguments that select the extension to boot.
#[derive(Debug, clap::Args)]
#[command(group = ArgGroup::new("no package").multiple(true))]
pub(super) struct SourceArgs {
    #[command(flatten)]
    pub(super) target: TargetArgs,
    /// Command that runs an extension in any language, instead of a package, such as "python3 night_watch.py"
    #[arg(long, value_name = "COMMAND", requires = "script", conflicts_with_all = ["package", "bin", "example"], group = "no package")]
    cmd: Option<String>,
    /// Script name that the extension of --cmd registers under, such as extensionNightWatch.sh; with --zip, the start script to
    /// boot if there are several
    #[arg(long, value_name = "NAME", requires = "no package")]
    pub(super) script: Option<String>,
    /// ZIP to unpack and boot the extension from, instead of a package
    #[arg(long, value_name = "FILE", conflicts_with_all = ["package", "bin", "example", "cmd"], group = "no package")]
    zip: Option<PathBuf>,
    /// Arguments for the program of the extension
    #[arg(last = true, value_name = "ARGS", conflicts_with = "zip")]
    arguments: Vec<String>,
}

impl TargetArgs {
    pub(super) fn build_target(&self) -> BuildTarget {
        BuildTarget {
            package: self.package.clone(),
            program: match (&self.bin, &self.example) {
                (Some(bin), _) => ProgramChoice::Binary(bin.clone()),
                (None, Some(example)) => ProgramChoice::Example(example.clone()),
                (None, None) => ProgramChoice::OnlyBinary,
            },
        }
    }
}

impl SourceArgs {
    /// Returns the arguments that select a package, unless the extension is a command or a ZIP.
    pub(super) fn package_target(&self) -> Option<&TargetArgs> {
        (self.cmd.is_none() && self.zip.is_none()).then_some(&self.target)
    }

    /// Returns the source that the arguments select.
    ///
    /// # Errors
    ///
    /// Returns an error if the command cannot be split into arguments.
    pub(super) fn source(&self) -> anyhow::Result<ExtensionSource> {
        let script_name = self.script.clone();
        if let Some(path) = self.zip.clone() {
            return Ok(ExtensionSource::Zip { path, script_name });
        }
        let arguments = self.arguments.clone();
        let Some(command) = &self.cmd else {
            let target = self.target.build_target();
            return Ok(ExtensionSource::Package(target, arguments));
        };
        let script_name = script_name.unwrap_or_default();
        let mut source = ExtensionSource::from_command_line(&script_name, command)?;
        if let ExtensionSource::Command { command, .. } = &mut source {
            command.extend(arguments);
        }
        Ok(source)
    }
}
