//! The arguments of `cargo fg package`.

use std::path::PathBuf;
use std::process::ExitCode;

use super::source_args::TargetArgs;
use super::values::variable;
use crate::env_file::EnvFile;
use crate::package::{PackageOptions, Steps, package};

#[derive(Debug, clap::Args)]
pub(super) struct PackageArgs {
    #[command(flatten)]
    pub(super) target: TargetArgs,
    /// ZIP to write, or directory to write it to, which exists or ends with `/` (default: target/fg/NAME.zip)
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// File or directory to put next to the program; links are followed (repeatable)
    #[arg(long, value_name = "PATH")]
    include: Vec<PathBuf>,
    /// Target to build for, such as aarch64-unknown-linux-musl (default: musl for this machine's processor)
    #[arg(long = "target", value_name = "TARGET")]
    triple: Option<String>,
    /// File with settings, NAME=VALUE lines, to put next to the program: the extension reads them if they are set nowhere else
    #[arg(long, value_name = "FILE")]
    env_file: Option<PathBuf>,
    /// Set an environment variable for the boot that verifies the ZIP (repeatable)
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    env: Vec<(String, String)>,
    // Rejects them with a reason.
    #[arg(last = true, hide = true, value_name = "ARGS", value_parser = no_arguments)]
    arguments: Vec<String>,
}

fn no_arguments(_: &str) -> Result<String, &'static str> {
    Err("FunctionGraph starts an extension without arguments; use settings instead (--env-file)")
}

impl PackageArgs {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        package(&self.options(Steps::Stdout)?)?;
        Ok(ExitCode::SUCCESS)
    }

    /// Returns the options of the build, whose steps are printed to this stream.
    pub(super) fn options(self, steps: Steps) -> anyhow::Result<PackageOptions> {
        Ok(PackageOptions {
            target: self.target.build_target(),
            cargo: self.target.cargo.or_release(),
            triple: self.triple,
            include: self.include,
            out: self.out,
            env_file: self.env_file.as_deref().map(EnvFile::read).transpose()?,
            environment: self.env,
            steps,
        })
    }
}
