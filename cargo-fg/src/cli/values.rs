//! Argument types and parsers that several subcommands share.

use std::time::Duration;

/// The output format of `dev` and `invoke`.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub(super) enum OutputFormat {
    Human,
    Json,
}

/// Parses an environment variable, `NAME=VALUE`.
pub(super) fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

/// Parses a setting of the function's console, `NAME=VALUE`.
pub(super) fn setting(text: &str) -> Result<(String, String), String> {
    let (name, value) = variable(text)?;
    if !fg_util::env_file::is_name(&name) {
        return Err("a name consists of letters, digits and `_`".to_owned());
    }
    if fg_util::setting::is_set_by_platform(&name) {
        return Err(format!("the platform sets {name}; use --env to replace it"));
    }
    Ok((name, value))
}

/// Parses a time-out such as `3s`, which must be longer than zero.
pub(super) fn timeout(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("must be longer than zero".to_owned()),
        timeout => Ok(timeout),
    }
}

/// Parses a duration such as `200ms`; the unit is required.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    fg_util::duration::parse_with_unit(text)
        .ok_or_else(|| format!("not a duration; {}", fg_util::duration::HINT))
}
