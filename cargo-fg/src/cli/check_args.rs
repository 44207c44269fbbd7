//! The arguments of `cargo fg check`.

use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use anyhow::Context;
use fg_conformance::{Budget, Checks, ExtensionUnderTest, Format, Outcome, Selection, list_cases};

use super::source_args::SourceArgs;
use super::values::variable;
use crate::boot::{BootProgram, ExtensionSource};
use crate::signals::ShutdownSignals;

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
            print(&list_cases())?;
            return Ok(ExitCode::SUCCESS);
        }
        if let Some(name) = &self.explain {
            let selection = Selection::parse([name])?;
            let cases: Vec<_> = selection.cases().map(|case| case.explain()).collect();
            print(&cases.join("\n"))?;
            return Ok(ExitCode::SUCCESS);
        }
        let selection = Selection::parse(&self.cases)?;
        let mut extension = extension(&self.source.source()?)?;
        for (name, value) in &self.env {
            extension = extension.env(name, value);
        }
        let mut checks = Checks::new(extension)
            .budget(self.budget.unwrap_or_default())
            .on_notice(|notice| {
                // Without standard error there is nobody to notify.
                let _ = writeln!(std::io::stderr(), "{notice}");
            });
        if !self.cases.is_empty() {
            checks = checks.select(selection);
        }
        let runtime = tokio::runtime::Runtime::new().context("cannot start the tokio runtime")?;
        // Interrupted, it leaves no processes and no folders behind.
        let report = runtime.block_on(async {
            ShutdownSignals::listen()?
                .run_or_cancel(async { Ok(checks.run().await?) })
                .await
        })?;
        print(&report.render(self.format.into())?)?;
        Ok(match report.count(Outcome::Fail) {
            0 => ExitCode::SUCCESS,
            _ => ExitCode::from(1),
        })
    }
}

/// Builds a package, or splits a command line; a ZIP is checked as it is.
fn extension(source: &ExtensionSource) -> anyhow::Result<ExtensionUnderTest> {
    if let ExtensionSource::Zip(zip) = source {
        return Ok(ExtensionUnderTest::zip(zip));
    }
    let spec = source.prepare()?;
    Ok(match spec.program {
        BootProgram::Built(built) => {
            let description = format!("{} of package {}, debug build", built.name, built.package);
            ExtensionUnderTest::program(built.path)?.description(description)
        }
        BootProgram::Command(arguments) => {
            let description = shell_words::join(&arguments);
            let mut arguments = arguments.into_iter();
            let program = arguments.next().unwrap_or_default();
            ExtensionUnderTest::command(spec.script_name, program, arguments)
                .description(description)
        }
        BootProgram::Unpacked { zip, .. } => ExtensionUnderTest::zip(zip),
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

/// Prints a report, without colours where they are not wanted.
fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = anstream::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        // The reader has read enough, as `head` does.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.context("cannot write the report"),
    }
}
