//! The source of an extension: a Rust package, a command in any language, or a ZIP.

use std::path::PathBuf;

use fg_conformance::artifact::{UnpackedPackage, read_script_name};

use super::boot_spec::{BootProgram, BootSpec};
use crate::cargo::{BuildTarget, build};

/// The source of an extension.
#[derive(Clone, Debug)]
pub(crate) enum ExtensionSource {
    /// A package that uses `fg-extension`.
    Package(BuildTarget),
    /// A command line that runs an extension in any language, and the script name that it registers under.
    Command {
        script_name: String,
        command: String,
    },
    /// A ZIP that can be uploaded.
    Zip(PathBuf),
}

impl ExtensionSource {
    /// Builds the package, splits the command line, or unpacks the ZIP, so that the extension can be booted.
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
                let package = UnpackedPackage::unpack(zip)?;
                Ok(BootSpec {
                    script_name: package.script_name().to_owned(),
                    program: BootProgram::Unpacked {
                        zip: zip.clone(),
                        package,
                    },
                })
            }
        }
    }
}
