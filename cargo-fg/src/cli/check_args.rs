//! The arguments of `cargo fg check`.

use std::process::ExitCode;

use fg_conformance::{Budget, Format, Selection, list_cases};

use super::environment_args::EnvironmentArgs;
use super::source_args::SourceArgs;
use crate::check;

#[derive(Debug, clap::Args)]
pub(super) struct CheckArgs {
    /// Cases to run: an ID such as REG-01, or a prefix such as REG (default: all cases)
    #[arg(value_name = "CASE")]
    cases: Vec<String>,
    #[command(flatten)]
    pub(super) source: SourceArgs,
    /// Format of the report
    #[arg(long, value_enum, default_value_t = CheckFormat::Human)]
    format: CheckFormat,
    /// Limits for start-up time and peak memory, such as start=50ms,rss=8MB
    #[arg(long, value_name = "LIMITS")]
    budget: Option<Budget>,
    #[command(flatten)]
    environment: EnvironmentArgs,
    /// List the cases without running them
    #[arg(long)]
    list: bool,
    /// Explain a case: its source, how it is tested, and how to fix an extension that fails it
    #[arg(long, value_name = "CASE", conflicts_with = "list")]
    explain: Option<String>,
}

/// The format of the report.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum CheckFormat {
    /// Text, with colors on a terminal
    Human,
    /// One JSON object: {"cases": [{"id", "outcome", "detail", "source", "mark"}], "stderr": ["line"]}
    Json,
    /// JUnit XML for CI systems
    Junit,
}

impl CheckArgs {
    /// Runs the subcommand. Returns exit status 0 if no case failed, and 1 otherwise; an error if the cases could not be run.
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
        // Report an invalid file before anything is built.
        let variables = self.environment.variables()?;
        let mut extension =
            check::extension_under_test(&self.source.source()?, &self.source.target.cargo)?;
        for (name, value) in variables {
            extension = extension.env(name, value);
        }
        for (name, value) in &self.environment.user_data {
            extension = extension.user_data(name, value);
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
