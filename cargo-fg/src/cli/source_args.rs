//! Arguments that name an extension: a package, a command, or a ZIP.

use std::path::PathBuf;

use anyhow::bail;

use crate::boot::ExtensionSource;
use crate::cargo::{BuildTarget, ProgramChoice};

/// Which program cargo builds.
#[derive(clap::Args)]
pub(super) struct TargetArgs {
    /// Package to build (the one in this folder by default)
    #[arg(short, long, value_name = "NAME")]
    package: Option<String>,
    /// Binary of the package, if it has several
    #[arg(long, value_name = "NAME")]
    bin: Option<String>,
    /// Example of the package, instead of a binary
    #[arg(long, value_name = "NAME", conflicts_with = "bin")]
    example: Option<String>,
}

/// Which extension is booted.
#[derive(clap::Args)]
pub(super) struct SourceArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// Command that runs the extension, in any language, instead of a package: "python3 night_watch.py"
    #[arg(long, value_name = "COMMAND", requires = "script", conflicts_with_all = ["package", "bin", "example"])]
    cmd: Option<String>,
    /// Script name that the command registers under: extensionNightWatch.sh
    #[arg(long, value_name = "NAME")]
    script: Option<String>,
    /// ZIP to unpack and boot from, instead of a package
    #[arg(long, value_name = "FILE", conflicts_with_all = ["package", "bin", "example", "cmd", "script"])]
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
            (Some(zip), ..) => Ok(ExtensionSource::Zip(zip.clone())),
            (None, Some(command), Some(script)) => Ok(ExtensionSource::Command {
                script_name: script.clone(),
                command: command.clone(),
            }),
            (None, None, Some(_)) => bail!("--script names what --cmd runs: there is no --cmd"),
            (None, _, None) => Ok(ExtensionSource::Package(self.target.build_target())),
        }
    }

    /// Returns the script name of an extension that somebody else starts: `--script`, or that of the package or ZIP.
    pub(super) fn script_to_attach(&self) -> anyhow::Result<String> {
        match &self.script {
            Some(script) => Ok(script.clone()),
            None => Ok(self.source()?.prepare()?.script_name),
        }
    }
}
