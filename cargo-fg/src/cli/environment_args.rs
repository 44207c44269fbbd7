//! The environment of the extensions that `dev` and `check` boot.

use std::path::PathBuf;

use anyhow::bail;

use super::values::{setting, variable};
use crate::env_file::EnvFile;

#[derive(Debug, clap::Args)]
pub(super) struct EnvironmentArgs {
    /// Set an environment variable for the extension (repeatable)
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    env: Vec<(String, String)>,
    /// Set environment variables from a file with NAME=VALUE lines; --env takes precedence
    #[arg(long, value_name = "FILE")]
    env_file: Option<PathBuf>,
    /// Add a setting to RUNTIME_USERDATA, where the platform puts what a user sets in the function's console (repeatable)
    #[arg(long, value_name = "NAME=VALUE", value_parser = setting)]
    pub(super) user_data: Vec<(String, String)>,
}

impl EnvironmentArgs {
    /// Returns the environment variables: those of the file, then those of `--env`, which take precedence.
    pub(super) fn variables(&self) -> anyhow::Result<Vec<(String, String)>> {
        let mut variables = match &self.env_file {
            Some(path) => EnvFile::read(path)?.settings,
            None => Vec::new(),
        };
        variables.extend(self.env.iter().cloned());
        if !self.user_data.is_empty()
            && variables.iter().any(|(name, _)| name == "RUNTIME_USERDATA")
        {
            bail!("--user-data sets RUNTIME_USERDATA; do not set it with --env or --env-file, too");
        }
        Ok(variables)
    }
}
