//! The argument `timeout`: the time limit of one invocation.

use std::time::Duration;

use fg_util::duration;
use syn::Expr;

use super::literal::{string_literal, ungrouped};
use crate::diagnostics::{Diagnostics, with_help};

const MIN: Duration = Duration::from_millis(1);

/// Parses the timeout, a string with a unit, in the format of durations in settings.
pub(super) fn lower(value: &Expr, diagnostics: &mut Diagnostics) -> Option<Duration> {
    let problem = match string_literal(value) {
        None => "`timeout` must be a string with a unit".to_owned(),
        Some(literal) => {
            let text = literal.value();
            match parse(&text) {
                Some(duration) => return Some(duration),
                None => format!(
                    "timeout {text:?} is not a duration from {} to {}",
                    duration::format(MIN),
                    duration::format(duration::MAX)
                ),
            }
        }
    };
    diagnostics.error(
        ungrouped(value),
        with_help(
            problem,
            "write a number and a unit, such as `\"500ms\"`, `\"2s\"` or `\"1m\"`",
        ),
    );
    None
}

fn parse(text: &str) -> Option<Duration> {
    duration::parse_with_unit(text).filter(|duration| *duration >= MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeout_is_from_one_millisecond_to_one_hour() {
        assert_eq!(parse("1ms"), Some(Duration::from_millis(1)));
        assert_eq!(parse("1h"), Some(duration::MAX));
        for text in ["0s", "0.5ms", "2", "2h"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
