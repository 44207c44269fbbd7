//! Removes the colors of terminals.

use std::borrow::Cow;

const ESCAPE: char = '\u{1b}';

/// Removes ANSI escape sequences: colors, styles, and links.
pub(in crate::translate::logs) fn without_ansi(text: &str) -> Cow<'_, str> {
    if !text.as_bytes().contains(&(ESCAPE as u8)) {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, sequence)) = rest.split_once(ESCAPE) {
        plain.push_str(before);
        rest = after_sequence(sequence);
    }
    plain.push_str(rest);
    Cow::Owned(plain)
}

/// Returns what follows an escape sequence, whose first character was removed.
fn after_sequence(text: &str) -> &str {
    let mut chars = text.chars();
    match chars.next() {
        // A control sequence ends with a letter or similar.
        Some('[') => {
            let end = text[1..].find(|char| matches!(char, '@'..='~'));
            end.map_or("", |end| &text[1 + end + 1..])
        }
        // A command for the terminal, such as a link, ends with a bell or with another escape.
        Some(']') => match text.find(['\u{7}', ESCAPE]) {
            Some(end) => text[end + 1..].trim_start_matches('\\'),
            None => "",
        },
        Some(_) => chars.as_str(),
        None => "",
    }
}

#[cfg(test)]
mod tests {
    use super::without_ansi;

    #[test]
    fn escape_sequences_are_removed() {
        for (text, plain) in [
            ("plain é", "plain é"),
            ("\u{1b}[31mERROR\u{1b}[0m: x", "ERROR: x"),
            ("\u{1b}[38;5;196mred\u{1b}[m", "red"),
            ("a\u{1b}[2K\u{1b}[1Gb", "ab"),
            ("\u{1b}]8;;http://a/\u{7}link\u{1b}]8;;\u{1b}\\ x", "link x"),
            ("\u{1b}(Bx", "Bx"),
            ("x\u{1b}", "x"),
            ("x\u{1b}[", "x"),
            ("x\u{1b}[31", "x"),
            ("\u{1b}é", ""),
        ] {
            assert_eq!(without_ansi(text), plain, "{text:?}");
        }
    }
}
