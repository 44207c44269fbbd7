//! What `dev` and `check` work on: a package of ours, any command, or a ZIP.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use fg_conformance::artifact::{read_script_name, unpack};
use fg_emulator::ExtensionCommand;
use tempfile::TempDir;

use crate::build::{Built, Target, build};

#[derive(clap::Args)]
pub(crate) struct Subject {
    #[command(flatten)]
    target: Target,
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

/// Ready to boot, as often as is wanted.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// The name of the start script.
    pub(crate) script: String,
    /// Where it came from.
    pub(crate) kind: Kind,
}

#[derive(Debug)]
pub(crate) enum Kind {
    /// A program that cargo built.
    Built(Built),
    /// A program and its arguments.
    Command(Vec<String>),
    /// An unpacked ZIP.
    Package {
        /// The file.
        zip: PathBuf,
        /// Where it was unpacked.
        folder: TempDir,
    },
}

impl Subject {
    /// The ZIP, if it is one.
    pub(crate) fn zip(&self) -> Option<&Path> {
        self.zip.as_deref()
    }

    /// Builds it, splits the command line, or unpacks it.
    pub(crate) fn prepare(&self) -> anyhow::Result<Prepared> {
        if let Some(zip) = &self.zip {
            let folder = TempDir::with_prefix("cargo-fg-")
                .context("cannot make a temporary folder to unpack into")?;
            return Ok(Prepared {
                script: unpack(zip, folder.path())?,
                kind: Kind::Package {
                    zip: zip.clone(),
                    folder,
                },
            });
        }
        if let (Some(command), Some(script)) = (&self.cmd, &self.script) {
            return Prepared::command(script, command);
        }
        if self.script.is_some() {
            bail!("--script names what --cmd runs: there is no --cmd");
        }
        Prepared::built(&self.target)
    }

    /// The script name of a process that somebody else starts.
    pub(crate) fn script_to_attach(&self) -> anyhow::Result<String> {
        match &self.script {
            Some(script) => Ok(script.clone()),
            None => Ok(self.prepare()?.script),
        }
    }
}

impl Prepared {
    /// Of a package of ours.
    pub(crate) fn built(target: &Target) -> anyhow::Result<Self> {
        let built = build(target, &[], &[])?;
        Ok(Self {
            script: read_script_name(&built.path)?,
            kind: Kind::Built(built),
        })
    }

    /// Of a command line, which is split as a shell would.
    pub(crate) fn command(script: &str, command: &str) -> anyhow::Result<Self> {
        let words = shell_words::split(command)
            .with_context(|| format!("cannot split the command `{command}`"))?;
        if words.is_empty() {
            bail!("the command for {script} is empty");
        }
        Ok(Self {
            script: script.to_owned(),
            kind: Kind::Command(words),
        })
    }

    /// What the emulator boots.
    pub(crate) fn boot(&self) -> ExtensionCommand {
        match &self.kind {
            Kind::Built(built) => ExtensionCommand::new(&self.script, &built.path),
            Kind::Command(words) => {
                let mut words = words.iter();
                let program = words.next().map(PathBuf::from).unwrap_or_default();
                words.fold(
                    ExtensionCommand::new(&self.script, program),
                    ExtensionCommand::arg,
                )
            }
            Kind::Package { folder, .. } => ExtensionCommand::package(&self.script, folder.path()),
        }
    }
}
