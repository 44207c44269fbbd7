//! `cargo fg check`: whether an extension does what the platform asks of it.

use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use anyhow::Context;
use fg_conformance::{Budget, Checks, ExtensionUnderTest, Format, Outcome, Selection, list_cases};

use super::variable;
use crate::stop::Stop;
use crate::subject::{Kind, Subject};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    subject: Subject,
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

/// 0 if nothing failed, 1 if something did; an error means that it could not be tried.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    if arguments.list {
        print(&list_cases())?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(name) = &arguments.explain {
        let selection = Selection::parse([name])?;
        let cases: Vec<_> = selection.cases().map(|case| case.explain()).collect();
        print(&cases.join("\n"))?;
        return Ok(ExitCode::SUCCESS);
    }
    let selection = Selection::parse(&arguments.cases)?;
    let mut extension = extension(&arguments.subject)?;
    for (name, value) in &arguments.env {
        extension = extension.env(name, value);
    }
    let mut checks = Checks::new(extension)
        .budget(arguments.budget.unwrap_or_default())
        .on_notice(|notice| {
            // Without standard error there is nobody to notify.
            let _ = writeln!(std::io::stderr(), "{notice}");
        });
    if !arguments.cases.is_empty() {
        checks = checks.select(selection);
    }
    let runtime = tokio::runtime::Runtime::new().context("cannot start the tokio runtime")?;
    // Interrupted, it leaves no processes and no folders behind.
    let report = runtime.block_on(async {
        Stop::listen()?
            .or(async { Ok(checks.run().await?) })
            .await
    })?;
    print(&report.write(arguments.format.into())?)?;
    Ok(match report.count(Outcome::Fail) {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::from(1),
    })
}

/// Builds it, or splits the command line.
fn extension(subject: &Subject) -> anyhow::Result<ExtensionUnderTest> {
    if let Some(zip) = subject.zip() {
        return Ok(ExtensionUnderTest::zip(zip));
    }
    let prepared = subject.prepare()?;
    Ok(match prepared.kind {
        Kind::Built(built) => {
            let description = format!("{} of package {}, debug build", built.name, built.package);
            ExtensionUnderTest::program(built.path)?.description(description)
        }
        Kind::Command(words) => {
            let description = shell_words::join(&words);
            let mut words = words.into_iter();
            let program = words.next().unwrap_or_default();
            ExtensionUnderTest::command(prepared.script, program, words).description(description)
        }
        Kind::Package { zip, .. } => ExtensionUnderTest::zip(zip),
    })
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

/// Prints it, without colours where they are not wanted.
fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = anstream::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        // Whoever reads has read enough, as `head`.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.context("cannot write the report"),
    }
}
