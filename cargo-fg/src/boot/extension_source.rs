//! The source of an extension: a Rust package, a command in any language, or a ZIP.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use fg_conformance::artifact::{UnpackedPackage, read_script_name};
use fg_emulator::ScriptName;

use super::boot_spec::{BootProgram, BootSpec};
use crate::cargo::{BuildTarget, BuiltProgram};
use crate::signals::{ShutdownSignals, before_kill};

/// The source of an extension.
#[derive(Clone, Debug)]
pub(crate) enum ExtensionSource {
    /// A package that uses `fg-extension`, and the arguments for its program.
    Package(BuildTarget, Vec<String>),
    /// A program in any language with its arguments, and the script name that it registers under.
    Command {
        script_name: String,
        command: Vec<String>,
    },
    /// A ZIP that can be uploaded, and the start script to boot if it has several.
    Zip {
        path: PathBuf,
        script_name: Option<String>,
    },
}

impl ExtensionSource {
    /// Creates the source for a command line, which is split into arguments as by a shell.
    ///
    /// # Errors
    ///
    /// Returns an error if the command line is empty or has an unclosed quote.
    pub(crate) fn from_command_line(script_name: &str, command: &str) -> anyhow::Result<Self> {
        let arguments = shell_words::split(command)
            .with_context(|| format!("cannot split the command `{command}`"))?;
        if arguments.is_empty() {
            bail!("the command for {script_name} is empty");
        }
        Ok(Self::Command {
            script_name: script_name.to_owned(),
            command: arguments,
        })
    }

    /// Returns the script name, if it is known before the extension is built or unpacked.
    pub(super) fn script_name(&self) -> Option<&str> {
        match self {
            Self::Package(..) => None,
            Self::Command { script_name, .. } => Some(script_name),
            Self::Zip { script_name, .. } => script_name.as_deref(),
        }
    }

    /// Checks what can be checked before the packages are built.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        if let Some(name) = self.script_name() {
            ScriptName::new(name)?;
        }
        match self {
            Self::Package(..) => Ok(()),
            Self::Command { command, .. } => {
                let program = command.first().map(String::as_str).unwrap_or_default();
                match is_program(program) {
                    true => Ok(()),
                    false => bail!("cannot find {program}"),
                }
            }
            Self::Zip { path, .. } => {
                let metadata = std::fs::metadata(path);
                metadata.with_context(|| format!("cannot read {}", path.display()))?;
                Ok(())
            }
        }
    }

    /// Reads the script name of the program that was built from the package, or unpacks the ZIP, so that the extension can be
    /// booted. Takes the program from `built` if this is a package.
    pub(super) fn prepare(
        &self,
        built: &mut impl Iterator<Item = BuiltProgram>,
    ) -> anyhow::Result<BootSpec> {
        match self {
            Self::Package(_, arguments) => {
                let built = built.next().context("a package was not built")?;
                Ok(BootSpec {
                    script_name: read_script_name(&built.path)?,
                    program: BootProgram::Built(built),
                    arguments: arguments.clone(),
                })
            }
            Self::Command {
                script_name,
                command,
            } => Ok(BootSpec {
                script_name: script_name.clone(),
                program: BootProgram::Command(command.clone()),
                arguments: Vec::new(),
            }),
            Self::Zip { path, script_name } => {
                let package = unpack(path, script_name.clone())?;
                let directory = package.directory().to_owned();
                let kill_hook = before_kill(move || {
                    // Nobody can handle an error of a process that is being killed.
                    let _ = std::fs::remove_dir_all(&directory);
                });
                Ok(BootSpec {
                    script_name: package.script_name().to_owned(),
                    program: BootProgram::Unpacked {
                        zip: path.clone(),
                        package,
                        _kill_hook: kill_hook,
                    },
                    arguments: Vec::new(),
                })
            }
        }
    }
}

/// Returns whether a program exists: like a shell, this searches `PATH` for a name without a slash, and, as the emulator does,
/// then the working directory.
fn is_program(program: &str) -> bool {
    let paths = std::env::var_os("PATH").filter(|_| !program.contains('/'));
    let mut in_path = paths.iter().flat_map(std::env::split_paths);
    in_path.any(|path| path.join(program).is_file()) || Path::new(program).is_file()
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
