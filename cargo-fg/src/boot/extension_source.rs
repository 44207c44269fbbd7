//! Where an extension comes from: a package of Rust, any command, or a ZIP.

use std::path::PathBuf;

use anyhow::Context;
use fg_conformance::artifact::{read_script_name, unpack};
use tempfile::TempDir;

use super::boot_spec::{BootProgram, BootSpec};
use crate::cargo::{BuildTarget, build};

/// Where an extension comes from.
#[derive(Clone, Debug)]
pub(crate) enum ExtensionSource {
    /// A package that uses `fg-extension`.
    Package(BuildTarget),
    /// A command line, in any language, and the script name that it registers under.
    Command {
        script_name: String,
        command: String,
    },
    /// A ZIP, as it is uploaded.
    Zip(PathBuf),
}

impl ExtensionSource {
    /// Builds the package, splits the command line, or unpacks the ZIP.
    pub(crate) fn prepare(&self) -> anyhow::Result<BootSpec> {
        match self {
            Self::Package(target) => {
                let built = build(target, &[], &[])?;
                Ok(BootSpec {
                    script_name: read_script_name(&built.path)?,
                    program: BootProgram::Built(built),
                })
            }
            Self::Command {
                script_name,
                command,
            } => BootSpec::from_command_line(script_name, command),
            Self::Zip(zip) => {
                let folder = TempDir::with_prefix("cargo-fg-")
                    .context("cannot make a temporary folder to unpack into")?;
                Ok(BootSpec {
                    script_name: unpack(zip, folder.path())?,
                    program: BootProgram::Unpacked {
                        zip: zip.clone(),
                        folder,
                    },
                })
            }
        }
    }
}
