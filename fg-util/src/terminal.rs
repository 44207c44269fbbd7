//! Makes text of other programs safe to show on a terminal.

use std::borrow::Cow;

/// The sequence that ends all colors and styles.
const RESET: &str = "\x1b[0m";

/// Returns the text with its control characters escaped, so that it can neither move the cursor, nor hide other text, nor
/// send input to the terminal: `\x1b[2J` for the sequence that clears the screen.
///
/// Line breaks and tabs are kept. So are colors and styles (`ESC [ … m`), which are ended at the end of the text.
/// Characters that change the direction of the text count as control characters.
#[must_use]
pub fn neutralize(text: &str) -> Cow<'_, str> {
    // The last line of a text with the line breaks of Windows.
    let text = text.strip_suffix('\r').unwrap_or(text);
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + RESET.len());
    let (mut rest, mut is_styled) = (text, false);
    while let Some(c) = rest.chars().next() {
        if let Some(style) = style(rest) {
            safe.push_str(style);
            is_styled = style != RESET;
            rest = &rest[style.len()..];
            continue;
        }
        rest = &rest[c.len_utf8()..];
        match c {
            '\r' if rest.starts_with('\n') => {}
            '\r' => safe.push_str("\\r"),
            c if c.is_control() && is_unsafe(c) => safe.push_str(&format!("\\x{:02x}", c as u32)),
            c if is_unsafe(c) => safe.extend(c.escape_unicode()),
            c => safe.push(c),
        }
    }
    if is_styled {
        safe.push_str(RESET);
    }
    Cow::Owned(safe)
}

/// Returns the JSON text with the characters escaped that [`neutralize`] escapes and that JSON allows in strings, so that a
/// terminal can show it. The value is the same.
#[must_use]
pub fn neutralize_json(json: &str) -> Cow<'_, str> {
    if !json.chars().any(is_unsafe) {
        return Cow::Borrowed(json);
    }
    let mut safe = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            // Outside of strings, JSON allows no unsafe character but this one; in strings, it must be escaped.
            '\r' => safe.push(c),
            c if is_unsafe(c) => safe.push_str(&format!("\\u{:04x}", c as u32)),
            c => safe.push(c),
        }
    }
    Cow::Owned(safe)
}

fn is_unsafe(c: char) -> bool {
    let changes_direction = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    changes_direction || (c.is_control() && c != '\n' && c != '\t')
}

/// Returns the sequence at the start of the text if it sets a color or a style.
fn style(text: &str) -> Option<&str> {
    let parameters = text.strip_prefix("\x1b[")?;
    let end = parameters.find(|c: char| !matches!(c, '0'..='9' | ';' | ':'))?;
    let is_style = parameters[end..].starts_with('m');
    is_style.then(|| &text[.."\x1b[".len() + end + 1])
}

#[cfg(test)]
mod tests {
    use super::{neutralize, neutralize_json};

    #[test]
    fn control_characters_are_escaped() {
        for (text, expected) in [
            ("plain\ttext\nof two lines", "plain\ttext\nof two lines"),
            ("\x1b[2J\x1b[H", r"\x1b[2J\x1b[H"),
            // Sets the title of the window.
            ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
            ("50 %\r100 %\r\ndone\r", "50 %\\r100 %\ndone"),
            ("\u{9b}2J \u{7f}", r"\x9b2J \x7f"),
            ("\u{202e}txt.exe", r"\u{202e}txt.exe"),
            ("\x1b[", r"\x1b["),
            ("\x1b[1", r"\x1b[1"),
            ("\x1b[?25m", r"\x1b[?25m"),
            ("\x1b", r"\x1b"),
        ] {
            assert_eq!(neutralize(text), expected, "{text:?}");
        }
    }

    #[test]
    fn colors_are_kept_and_ended() {
        for (text, expected) in [
            (
                "\x1b[31mred\x1b[0m text \u{1f980}",
                "\x1b[31mred\x1b[0m text \u{1f980}",
            ),
            ("\x1b[38:5:1;1mred", "\x1b[38:5:1;1mred\x1b[0m"),
            ("\x1b[1m\x1b[2Jé", "\x1b[1m\\x1b[2Jé\x1b[0m"),
        ] {
            assert_eq!(neutralize(text), expected, "{text:?}");
        }
    }

    #[test]
    fn json_has_no_control_characters_and_the_same_value() {
        for (json, expected) in [
            (
                "{\"a\": \"\u{9b}2Jé\u{202e}\u{7f}\"}",
                r#"{"a": "\u009b2Jé\u202e\u007f"}"#,
            ),
            ("[\r\n\t\"plain\"]", "[\r\n\t\"plain\"]"),
        ] {
            assert_eq!(neutralize_json(json), expected);
        }
    }
}
