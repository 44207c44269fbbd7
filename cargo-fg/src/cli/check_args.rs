//! The arguments of `cargo fg check`.

use std::path::PathBuf;
use std::process::ExitCode;

use fg_conformance::{Budget, Checks, Format, Selection, list_cases};

use super::environment_args::EnvironmentArgs;
use super::source_args::SourceArgs;
use crate::check;
use crate::ui::PagePort;

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
    /// Serve a page that shows the progress and the report, on 127.0.0.1 (default port: 8700, or a free one), until Ctrl-C
    #[arg(long, value_name = "PORT", num_args = 0..=1, require_equals = true, value_parser = clap::value_parser!(u16).range(1..))]
    ui: Option<Option<u16>>,
    /// Write the page with the report to a file, which needs no server
    #[arg(long, value_name = "FILE")]
    export: Option<PathBuf>,
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
        // Report what cannot work before anything is built.
        let views = check::Views {
            page: self.ui.map(|fixed| PagePort {
                fixed,
                reserved: None,
            }),
            export: self.export.clone(),
        };
        views.check()?;
        let variables = self.environment.variables()?;
        let mut extension =
            check::extension_under_test(&self.source.source()?, &self.source.target.cargo)?;
        for (name, value) in variables {
            extension = extension.env(name, value);
        }
        for (name, value) in &self.environment.user_data {
            extension = extension.user_data(name, value);
        }
        let mut checks = Checks::new(extension).budget(self.budget.unwrap_or_default());
        if !self.cases.is_empty() {
            checks = checks.select(selection);
        }
        check::run(checks, self.format.into(), &views)
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
