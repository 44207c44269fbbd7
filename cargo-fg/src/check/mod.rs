//! `cargo fg check`: runs conformance tests against an extension, and prints the report.

use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use anyhow::Context;
use fg_conformance::{Budget, Checks, ExtensionUnderTest, Format, Outcome, Selection};

use crate::boot::ExtensionSource;
use crate::cargo::{BuiltProgram, CargoOptions, Workspace, build};
use crate::signals::ShutdownSignals;
use crate::terminal::printable;

/// Runs the selected cases, or all cases if there is no selection, and prints the report. An interrupt cancels the run.
///
/// Returns exit status 0 if no case failed, and 1 otherwise.
///
/// # Errors
///
/// Returns an error if the cases could not be run.
pub(crate) fn run(
    extension: ExtensionUnderTest,
    budget: Budget,
    selection: Option<Selection>,
    format: Format,
) -> anyhow::Result<ExitCode> {
    let mut checks = Checks::new(extension).budget(budget).on_notice(|notice| {
        // If standard error is closed, the notice is lost.
        let stderr = std::io::stderr();
        let notice = printable(notice, &stderr);
        let _ = writeln!(&stderr, "{notice}");
    });
    if let Some(selection) = selection {
        checks = checks.select(selection);
    }
    let runtime = tokio::runtime::Runtime::new().context("cannot start the tokio runtime")?;
    // Cancellation drops the checks, which kills the processes and removes the temporary directories.
    let report = runtime.block_on(async {
        ShutdownSignals::listen()?
            .run_or_cancel(async { Ok(checks.run().await?) })
            .await
    })?;
    print(&report.render(format)?)?;
    Ok(match report.count(Outcome::Fail) {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::from(1),
    })
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
            let targets = std::slice::from_ref(target);
            let programs = Workspace::read(options)?.select(targets, options)?;
            let mut built = build(&programs, options, &[], &[])?.into_iter();
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
