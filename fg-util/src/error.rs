//! Error messages in one line of bounded length.

use std::error::Error;

/// Returns the message of an error and those of its sources, joined by `: `.
///
/// Some errors include their source in their own message. A source with which the message already ends is not repeated.
#[must_use]
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        let message = error.to_string();
        if !line.ends_with(&message) {
            line.push_str(": ");
            line.push_str(&message);
        }
        next = error.source();
    }
    line
}

/// Returns the trimmed string with its control characters escaped, so that it fits into one log line.
#[must_use]
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.trim().chars() {
        if c.is_control() {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
    line
}

/// The maximum number of characters that [`excerpt`] returns, not counting the `…`.
pub const EXCERPT_CHARS: usize = 300;

/// Returns the first [`EXCERPT_CHARS`] characters of a string, followed by `…` if it was truncated.
///
/// Error messages that quote input have to be bounded: an extension can subscribe to its own log, where a message about
/// a log line would contain that line, the next message would contain both, and so on.
#[must_use]
pub fn excerpt(text: &str) -> String {
    // Most texts are so short that their characters need not be counted.
    if text.len() <= EXCERPT_CHARS {
        return text.to_owned();
    }
    match text.char_indices().nth(EXCERPT_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use super::*;

    #[derive(Debug)]
    struct Outer(&'static str, Box<dyn Error + Send + Sync>);

    impl fmt::Display for Outer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Outer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(self.1.as_ref())
        }
    }

    #[test]
    fn chain_contains_each_message_once() {
        assert_eq!(
            chain(&Outer("cannot flush", "disk\nfull".into())),
            "cannot flush: disk\nfull"
        );
        assert_eq!(
            chain(&Outer("cannot flush: disk full", "disk full".into())),
            "cannot flush: disk full"
        );
    }

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(one_line(" a\nb\tc\u{7f} "), r"a\nb\tc\u{7f}");
    }

    #[test]
    fn excerpt_is_limited_by_characters() {
        assert_eq!(excerpt("short"), "short");
        assert_eq!(
            excerpt(&"é".repeat(EXCERPT_CHARS)),
            "é".repeat(EXCERPT_CHARS)
        );
        assert_eq!(
            excerpt(&"é".repeat(EXCERPT_CHARS + 1)),
            "é".repeat(EXCERPT_CHARS) + "…"
        );
    }
}
