//! `cargo fg check`: runs conformance tests against an extension, and prints the report.

mod journal_entries;

use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use fg_conformance::{Checks, ExtensionUnderTest, Format, Outcome, Report};
use tokio::sync::watch;

use crate::boot::ExtensionSource;
use crate::cargo::{BuiltProgram, CargoOptions, build_to_run};
use crate::journal::{Entry, Journal};
use crate::signals::ShutdownSignals;
use crate::terminal::printable;
use crate::ui::{PageContent, PageMode, PagePort, PageServer, PageState, export};

/// Where the progress and the report are shown besides standard output.
#[derive(Default)]
pub(crate) struct Views {
    /// Where to serve the page.
    pub(crate) page: Option<PagePort>,
    /// The file that the page is written to.
    pub(crate) export: Option<PathBuf>,
}

/// Runs the selected cases, or all cases if there is no selection, and prints the report. An interrupt cancels the run.
///
/// If a page is served, it stays until a signal arrives.
///
/// Returns exit status 0 if no case failed, and 1 otherwise.
///
/// # Errors
///
/// Returns an error if the cases could not be run, or if a view of them failed.
pub(crate) fn run(checks: Checks, format: Format, views: &Views) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Runtime::new().context("cannot start the tokio runtime")?;
    runtime.block_on(async {
        let mut signals = ShutdownSignals::listen()?;
        let journal = Arc::new(Journal::new());
        let checks = journal_entries::observe(with_notices(checks, &journal), &journal);
        let page = views.serve(&journal).await?;
        let start = Instant::now();
        // Cancellation drops the checks, which kills the processes and removes the temporary directories.
        let outcome = signals
            .run_or_cancel(async { Ok(checks.run().await?) })
            .await;
        journal_entries::finish(&journal, start, &outcome);
        let exported = views.write_export(&journal);
        let shown = async {
            let report = outcome?;
            print(&report.render(format)?)?;
            exported?;
            if let Some(page) = &page {
                note(
                    "waiting",
                    &format!("for Ctrl-C; until then, the page stays at {}", page.url()),
                );
                signals.recv().await;
            }
            Ok(report)
        };
        let shown: anyhow::Result<Report> = shown.await;
        if let Some(page) = page {
            page.shut_down().await;
        }
        Ok(match shown?.count(Outcome::Fail) {
            0 => ExitCode::SUCCESS,
            _ => ExitCode::from(1),
        })
    })
}

/// Prints the notices of the checks to standard error, and adds them to the journal.
fn with_notices(checks: Checks, journal: &Arc<Journal>) -> Checks {
    let journal = Arc::clone(journal);
    checks.on_notice(move |notice| {
        // If standard error is closed, the notice is lost.
        let stderr = std::io::stderr();
        let _ = writeln!(&stderr, "{}", printable(notice, &stderr));
        journal.add_now(Entry::Warning { message: notice });
    })
}

impl Views {
    /// Checks that they can be shown, before anything is built.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        self.page.map(PagePort::check).transpose()?;
        self.export.as_deref().map(export::check).transpose()?;
        Ok(())
    }

    /// Serves the page, if it was asked for, and prints its address to standard error.
    async fn serve(&self, journal: &Arc<Journal>) -> anyhow::Result<Option<PageServer>> {
        let Some(port) = self.page else {
            return Ok(None);
        };
        let state = PageState::without_controls(PageMode::Check);
        let content = PageContent {
            journal: Arc::clone(journal),
            state: watch::Sender::new(state).subscribe(),
            commands: None,
        };
        let server = PageServer::start(port, content).await?;
        note("page", &server.url());
        Ok(Some(server))
    }

    fn write_export(&self, journal: &Journal) -> anyhow::Result<()> {
        if let Some(path) = &self.export {
            let left_out = export::write(path, journal)?;
            note("exported", &path.display().to_string());
            if let Some(message) = left_out.message() {
                note("warning", &message);
            }
        }
        Ok(())
    }
}

/// Prints a line to standard error, since standard output contains the report and nothing else.
fn note(label: &str, text: &str) {
    let stderr = std::io::stderr();
    // If standard error is closed, nobody waits for the line.
    let _ = writeln!(&stderr, "{label:>12} {}", printable(text, &stderr));
}

/// Returns the extension to check. Builds it if the source is a package.
pub(crate) fn extension_under_test(
    source: &ExtensionSource,
    options: &CargoOptions,
) -> anyhow::Result<ExtensionUnderTest> {
    match source {
        ExtensionSource::Zip { path, script_name } => {
            let extension = ExtensionUnderTest::zip(path);
            Ok(match script_name {
                Some(script_name) => extension.start_script(script_name),
                None => extension,
            })
        }
        ExtensionSource::Command {
            script_name,
            command,
        } => {
            let (program, arguments) = command.split_first().context("the command is empty")?;
            Ok(ExtensionUnderTest::command(script_name, program, arguments)
                .description(shell_words::join(command)))
        }
        ExtensionSource::Package(target, arguments) => {
            let mut built = build_to_run(std::slice::from_ref(target), options)?.into_iter();
            let BuiltProgram {
                name,
                package,
                path,
            } = built.next().context("cargo built no program")?;
            let profile = options.profile_name();
            Ok(ExtensionUnderTest::program(path)?
                .arguments(arguments)
                .description(format!("{name} of package {package}, {profile} build")))
        }
    }
}

/// Prints a report to standard output, without colors if standard output does not support them.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = anstream::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        // The reader, for example `head`, has closed the pipe.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.context("cannot write the report to standard output"),
    }
}
