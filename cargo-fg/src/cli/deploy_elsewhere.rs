//! `cargo fg deploy` in a build without the feature `deploy`: the alias of a clone, which builds the command again with it.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail};

use crate::cargo::cargo;

#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true)]
pub(super) struct DeployArgs {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    arguments: Vec<OsString>,
}

impl DeployArgs {
    /// Replaces this process by `cargo run` with the feature. Returns only if that fails.
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        // `cargo run` sets them, and so does the alias. Those of another package are inherited from a build or a test.
        let is_own = std::env::var_os("CARGO_PKG_NAME").is_some_and(|it| it == "cargo-fg");
        let directory = std::env::var_os("CARGO_MANIFEST_DIR").filter(|_| is_own);
        let Some(directory) = directory else {
            bail!(
                "this cargo-fg was built without the feature `deploy`; install it with its default features"
            );
        };
        eprintln!("note: building `cargo fg deploy`, which the alias leaves out to compile faster");
        let error = cargo()
            .args(["run", "--quiet", "--manifest-path"])
            .arg(Path::new(&directory).join("Cargo.toml"))
            .args(["--features", "deploy", "--", "deploy"])
            .args(self.arguments)
            .exec();
        Err(error).context("cannot run cargo")
    }
}
