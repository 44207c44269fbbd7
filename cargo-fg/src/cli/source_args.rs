//! The arguments that select an extension: a package, a command, or a ZIP.

use std::path::PathBuf;

use anyhow::bail;

use crate::boot::ExtensionSource;
use crate::cargo::{BuildTarget, ProgramChoice};

/// The arguments that select the program that cargo builds.
#[derive(clap::Args)]
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
}

/// The arguments that select the extension to boot.
#[derive(clap::Args)]
pub(super) struct SourceArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// Command that runs an extension in any language, instead of a package, such as "python3 night_watch.py"
    #[arg(long, value_name = "COMMAND", requires = "script", conflicts_with_all = ["package", "bin", "example"])]
    cmd: Option<String>,
    /// Script name that the extension of --cmd registers under, such as extensionNightWatch.sh; with --zip, the start script to
    /// boot if there are several
    #[arg(long, value_name = "NAME")]
    script: Option<String>,
    /// ZIP to unpack and boot the extension from, instead of a package
    #[arg(long, value_name = "FILE", conflicts_with_all = ["package", "bin", "example", "cmd"])]
    zip: Option<PathBuf>,
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
    pub(super) fn source(&self) -> anyhow::Result<ExtensionSource> {
        match (&self.zip, &self.cmd, &self.script) {
            (Some(zip), _, script) => Ok(ExtensionSource::Zip {
                path: zip.clone(),
                script_name: script.clone(),
            }),
            (None, Some(command), Some(script)) => Ok(ExtensionSource::Command {
                script_name: script.clone(),
                command: command.clone(),
            }),
            (None, None, Some(_)) => bail!("--script requires --cmd, the command to run, or --zip"),
            (None, _, None) => Ok(ExtensionSource::Package(self.target.build_target())),
        }
    }

    /// Returns the script name of an extension that the user starts: `--script`, or that of the package or ZIP.
    pub(super) fn script_to_attach(&self) -> anyhow::Result<String> {
        match &self.script {
            Some(script) => Ok(script.clone()),
            None => Ok(self.source()?.prepare()?.script_name),
        }
    }
}
