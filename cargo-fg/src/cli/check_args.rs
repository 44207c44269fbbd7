//! The arguments of `cargo fg check`.

use std::process::ExitCode;

use fg_conformance::{Budget, Format, Selection, list_cases};

use super::source_args::SourceArgs;
use super::values::variable;
use crate::check;

#[derive(clap::Args)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    source: SourceArgs,
    /// Cases to try, as REG-01, or REG for all that begin so (all of them by default)
    #[arg(value_name = "CASE")]
    cases: Vec<String>,
    /// How to tell what was found
    #[arg(long, value_enum, default_value_t = CheckFormat::Human)]
    format: CheckFormat,
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

/// For whom the report is written.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum CheckFormat {
    /// Grouped and aligned, with colours on a terminal
    Human,
    /// One object: {"cases": [{"id", "outcome", "detail", "source", "mark"}]}
    Json,
    /// As test reports are read by CI systems
    Junit,
}

impl CheckArgs {
    /// Returns exit status 0 if no case failed, and 1 if one did; an error means that the cases could not be tried.
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        if self.list {
            check::print(&list_cases())?;
            return Ok(ExitCode::SUCCESS);
        }
        if let Some(name) = &self.explain {
            let selection = Selection::parse([name])?;
            let cases: Vec<_> = selection.cases().map(|case| case.explain()).collect();
            check::print(&cases.join("\n"))?;
            return Ok(ExitCode::SUCCESS);
        }
        let selection = Selection::parse(&self.cases)?;
        let mut extension = check::extension_under_test(&self.source.source()?)?;
        for (name, value) in &self.env {
            extension = extension.env(name, value);
        }
        check::run(
            extension,
            self.budget.unwrap_or_default(),
            (!self.cases.is_empty()).then_some(selection),
            self.format.into(),
        )
    }
}

impl From<CheckFormat> for Format {
    fn from(format: CheckFormat) -> Self {
        match format {
            CheckFormat::Human => Self::Human,
            CheckFormat::Json => Self::Json,
            CheckFormat::Junit => Self::Junit,
        }
    }
}
