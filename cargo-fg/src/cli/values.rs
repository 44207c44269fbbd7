//! Values that several subcommands accept.

use std::time::Duration;

/// How `dev` and `invoke` print what happens.
#[derive(Clone, Copy, Eq, PartialEq, clap::ValueEnum)]
pub(super) enum OutputFormat {
    Human,
    Json,
}

/// Reads `NAME=VALUE`, a variable of the environment.
pub(super) fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("it takes the form NAME=VALUE".to_owned()),
    }
}

/// Reads a duration, which has a unit.
pub(super) fn duration(text: &str) -> Result<Duration, &'static str> {
    fg_util::duration::parse_with_unit(text).ok_or(fg_util::duration::HINT)
}
