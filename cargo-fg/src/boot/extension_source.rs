//! The source of an extension: a Rust package, a command in any language, or a ZIP.

use std::path::{Path, PathBuf};

use anyhow::Context;
use fg_conformance::artifact::{UnpackedPackage, read_script_name};

use super::boot_spec::{BootProgram, BootSpec};
use crate::cargo::{BuildTarget, build};
use crate::signals::ShutdownSignals;

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
    /// A ZIP that can be uploaded, and the start script to boot if it has several.
    Zip {
        path: PathBuf,
        script_name: Option<String>,
    },
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
            Self::Zip { path, script_name } => {
                let package = unpack(path, script_name.clone())?;
                Ok(BootSpec {
                    script_name: package.script_name().to_owned(),
                    program: BootProgram::Unpacked {
                        zip: path.clone(),
                        package,
                    },
                })
            }
        }
    }
}

/// Unpacks a ZIP. A signal interrupts it, and then this returns when the temporary directory is removed.
fn unpack(zip: &Path, script_name: Option<String>) -> anyhow::Result<UnpackedPackage> {
    // A runtime waits for its threads when it is dropped.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the tokio runtime")?;
    runtime.block_on(async {
        let mut signals = ShutdownSignals::listen()?;
        let unpacked = async { Ok(UnpackedPackage::unpack(zip, script_name).await?) };
        signals.run_or_cancel(unpacked).await
    })
}
