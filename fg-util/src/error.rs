//! An error in one line: its chain of sources, control characters escaped, a bounded length.

use std::error::Error;

/// Returns an error and its sources in one text, joined by `: `.
///
/// Some errors print their source themselves; a source that ends the line already is not repeated.
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

/// Returns the text trimmed and with its control characters escaped, so that a line break does not break a log line in
/// two.
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

/// The most characters of somebody else's text that a message quotes.
pub const EXCERPT_CHARS: usize = 300;

/// Returns the first [`EXCERPT_CHARS`] characters of a text, with `…` where it was cut.
///
/// A failure that quotes its input in full would grow for ever in the log of an extension that subscribes to that log.
#[must_use]
pub fn excerpt(text: &str) -> String {
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
    fn chain_has_each_message_once() {
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
    fn line_breaks_are_escaped() {
        assert_eq!(one_line(" a\nb\tc\u{7f} "), r"a\nb\tc\u{7f}");
    }

    #[test]
    fn excerpt_counts_characters() {
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
