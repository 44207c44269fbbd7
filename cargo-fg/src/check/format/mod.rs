//! How a report is written.

mod human;
mod json;
mod junit;

use std::io::{ErrorKind, Write};
use std::time::Duration;

use anyhow::Context;

pub(crate) use self::human::{explain, list};
use super::Checked;

/// For whom.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum Format {
    /// Grouped and aligned, with colours on a terminal
    Human,
    /// One object: {"cases": [{"id", "outcome", "detail", "source", "mark"}]}
    Json,
    /// As test reports are read by CI systems
    Junit,
}

/// The report, as text.
pub(crate) fn report(format: Format, checked: &Checked, took: Duration) -> anyhow::Result<String> {
    match format {
        Format::Human => Ok(human::report(checked, took)),
        Format::Json => json::report(&checked.report),
        Format::Junit => junit::report(checked, took),
    }
}

/// Prints it, without colours where they are not wanted.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
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
