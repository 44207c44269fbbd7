//! The argument `timeout`: the longest time for one invocation.

use std::time::Duration;

use fg_util::duration;
use syn::Expr;

use super::literal::{string_literal, ungrouped};
use crate::diagnostics::Diagnostics;

const MIN: Duration = Duration::from_millis(1);

/// It is a string with a unit, as the durations of the settings are.
pub(super) fn lower(value: &Expr, diagnostics: &mut Diagnostics) -> Option<Duration> {
    let problem = match string_literal(value) {
        None => "timeout must be a text with a unit".to_owned(),
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
        format!("{problem}, write it as `\"500ms\"`, `\"2s\"` or `\"1m\"`"),
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
    fn timeout_is_a_millisecond_at_least() {
        assert_eq!(parse("1ms"), Some(Duration::from_millis(1)));
        assert_eq!(parse("1h"), Some(duration::MAX));
        for text in ["0s", "0.5ms", "2", "2h"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
