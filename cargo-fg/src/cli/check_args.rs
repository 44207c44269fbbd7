//! The arguments of `cargo fg check`.

use std::process::ExitCode;
use std::time::Instant;

use super::source_args::SourceArgs;
use super::values::variable;
use crate::check::{self, Budget, Format, Outcome};

#[derive(clap::Args)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    source: SourceArgs,
    /// Cases to try, as REG-01, or REG for all that begin so (all of them by default)
    #[arg(value_name = "CASE")]
    cases: Vec<String>,
    /// How to tell what was found
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// What a start may take, and memory: start=50ms,rss=8MB
    #[arg(long, value_name = "LIMITS")]
    budget: Option<Budget>,
    /// Set a variable for the extension (repeatable)
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    env: Vec<(String, String)>,
    /// List the cases, and try none
    #[arg(long)]
    list: bool,
    /// Tell all about a case, and try none
    #[arg(long, value_name = "CASE", conflicts_with = "list")]
    explain: Option<String>,
}

impl CheckArgs {
    /// Returns exit status 0 if no case failed, 1 if one did; an error means that the cases could not be tried.
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        if self.list {
            check::print(&check::list())?;
            return Ok(ExitCode::SUCCESS);
        }
        if let Some(name) = &self.explain {
            let cases: Vec<_> = check::find(name)?.into_iter().map(check::explain).collect();
            check::print(&cases.join("\n"))?;
            return Ok(ExitCode::SUCCESS);
        }
        let mut selected = check::select(&self.cases)?;
        if self.cases.is_empty() && self.budget.is_none() {
            selected.retain(|id| !id.starts_with("BUD"));
        }
        let start = Instant::now();
        let budget = self.budget.unwrap_or_default();
        let checked = check::check(&self.source.source()?, selected, budget, &self.env)?;
        check::print(&check::report(self.format, &checked, start.elapsed())?)?;
        Ok(match checked.report.count(Outcome::Fail) {
            0 => ExitCode::SUCCESS,
            _ => ExitCode::from(1),
        })
    }
}
