//! `cargo fg check`: whether an extension does what the platform asks of it.

use std::process::ExitCode;
use std::time::Instant;

use super::variable;
use crate::check::{self, Budget, Format, Outcome};
use crate::subject::Subject;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    subject: Subject,
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

/// 0 if nothing failed, 1 if something did; an error means that it could not be tried.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    if arguments.list {
        check::print(&check::list())?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(name) = &arguments.explain {
        let cases: Vec<_> = check::find(name)?.into_iter().map(check::explain).collect();
        check::print(&cases.join("\n"))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut selected = check::select(&arguments.cases)?;
    if arguments.cases.is_empty() && arguments.budget.is_none() {
        selected.retain(|id| !id.starts_with("BUD"));
    }
    let start = Instant::now();
    let budget = arguments.budget.unwrap_or_default();
    let checked = check::check(&arguments.subject, selected, budget, &arguments.env)?;
    check::print(&check::report(arguments.format, &checked, start.elapsed())?)?;
    Ok(match checked.report.count(Outcome::Fail) {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::from(1),
    })
}
