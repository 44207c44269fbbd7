//! The arguments of `cargo fg package`.

use std::path::PathBuf;
use std::process::ExitCode;

use super::source_args::TargetArgs;
use super::values::variable;
use crate::package::{PackageOptions, package};

#[derive(clap::Args)]
pub(super) struct PackageArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// ZIP to write (target/fg/NAME.zip by default)
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// File or folder to put beside the program, as often as wanted
    #[arg(long, value_name = "PATH")]
    include: Vec<PathBuf>,
    /// Target to build for: aarch64-unknown-linux-musl (musl on this machine's processor by default)
    #[arg(long = "target", value_name = "TARGET")]
    triple: Option<String>,
    /// Variable for the boot that verifies the package, as often as wanted
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    env: Vec<(String, String)>,
}

impl PackageArgs {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        package(&PackageOptions {
            target: self.target.build_target(),
            triple: self.triple,
            include: self.include,
            out: self.out,
            environment: self.env,
        })?;
        Ok(ExitCode::SUCCESS)
    }
}
