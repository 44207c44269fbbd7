//! Recognizes levels among the words of a header.

use super::Found;
use super::formats::{COUNTERS, NO_ERROR, NO_ERROR_ALONE, SEPARATORS};
use crate::translate::logs::severity::{Level, Usage};

/// Returns the level in the text in brackets, after a time.
pub(super) fn level_in_group(text: &str, is_after_time: bool, open: char) -> Option<Found> {
    let (word, level) = match level_word(text) {
        Some(found) => found,
        // `core:error`
        None => {
            let at = text.find([':', '#'])?;
            let (name, text) = (&text[..at], &text[at + 1..]);
            let (word, level) = level_word(text)?;
            let is_name = name
                .chars()
                .all(|char| char.is_ascii_alphanumeric() || char == '_');
            if !is_name || word.len() < text.len() || level.usage != Usage::Word {
                return None;
            }
            (word, level)
        }
    };
    let after = &text[text.find(word)? + word.len()..];
    let is_upper = is_upper(word);
    let found = Found::new(level.number, word, true);
    if after.is_empty() {
        let is_level = match level.usage {
            Usage::Word | Usage::Marked => is_upper || open != '<',
            Usage::UpperMarked => is_upper || level.is("success") || level.is("note"),
            Usage::Code => is_upper,
            Usage::Field => false,
        };
        return is_level.then_some(found);
    }
    // `ERROR/MainProcess`, `ERROR pay::disk`
    let is_name = |text: &str| !text.is_empty() && !text.contains(char::is_whitespace);
    let is_level = is_upper
        && match after.strip_prefix('/') {
            Some(name) => is_name(name),
            None => {
                let name = after.trim_start();
                name.len() < after.len()
                    && is_name(name)
                    && (is_after_time || level.usage == Usage::Word)
            }
        };
    is_level.then_some(found)
}

/// Returns the level after the name of a logger, and where it starts: `app.ERROR:`, `log4j:WARN`.
pub(super) fn level_after_name(token: &str) -> Option<(usize, &str, Level)> {
    let name = token.trim_end_matches(':');
    let start = name.rfind(['.', ':'])? + 1;
    let text = &name[start..];
    let is_marked = token.len() > name.len() || name[..start].ends_with(':');
    let level = Level::of_word(text).filter(|level| level.usage == Usage::Word)?;
    (is_marked && is_upper(text)).then_some((start, text, level))
}

/// Returns the first word of a text if it is a level.
pub(super) fn level_word(text: &str) -> Option<(&str, Level)> {
    let is_ascii = text.starts_with(|char: char| char.is_ascii_alphabetic());
    let end = match is_ascii {
        true => text.find(|char: char| !char.is_ascii_alphabetic()),
        false => text.find(|char: char| !char.is_alphabetic()),
    };
    let word = &text[..end.unwrap_or(text.len())];
    Some((word, Level::of_word(word)?))
}

/// Returns whether the message denies an error, as in `error: none`.
pub(super) fn is_no_error(word: &str, after: &str) -> bool {
    let message = after.trim_start_matches([':', '：']).trim();
    let end = message.find(|char: char| char.is_whitespace() || matches!(char, ',' | ';' | ')'));
    let (first, rest) = message.split_at(end.unwrap_or(message.len()));
    let is = |text: &str, words: &[&str]| words.iter().any(|word| word.eq_ignore_ascii_case(text));
    let is_alone = !rest.starts_with(char::is_whitespace);
    let is_none = is_alone && (is(first, NO_ERROR) || is(message, NO_ERROR_ALONE));
    // `错误：0 个`
    let count = message.strip_prefix('0').map(str::trim_start);
    !is_upper(word) && (is_none || count.is_some_and(|unit| unit.starts_with(COUNTERS)))
}

/// Returns whether a category of `Microsoft.Extensions.Logging` follows: `: Name.Space[14]`.
pub(super) fn is_category(after: &str) -> bool {
    let token = token(after.trim_start_matches(':').trim_start());
    token.ends_with(']') && token.contains('[')
}

pub(super) fn is_before_separator(after: &str) -> bool {
    let next = after.trim_start();
    next.len() < after.len() && SEPARATORS.contains(&token(next))
}

/// Returns the length of a quoted text, before its closing quote.
pub(super) fn quoted_len(text: &str, quote: char) -> usize {
    let mut is_escaped = false;
    let end = text.find(|char| {
        let is_end = char == quote && !is_escaped;
        is_escaped = char == '\\' && !is_escaped;
        is_end
    });
    end.unwrap_or(text.len())
}

pub(super) fn token(text: &str) -> &str {
    let end = text.find(char::is_whitespace);
    &text[..end.unwrap_or(text.len())]
}

pub(super) fn is_upper(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_uppercase())
}

pub(super) fn has_capitals(word: &str) -> bool {
    word.bytes().any(|byte| byte.is_ascii_uppercase())
}

/// Returns whether a word is in lower case, possibly with a capital.
pub(super) fn is_usual_case(word: &str) -> bool {
    !has_capitals(word.get(1..).unwrap_or_default())
}
