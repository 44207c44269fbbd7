//! What follows a level, and marks it as one.

use super::formats::SEPARATORS;
use super::time_span::time_len;
use super::words::token;

/// What follows a word that may be a level.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Mark {
    /// `error: text`, `ERROR:root:text`
    Colon,
    /// `ERRO[0000]`, `ERRO[2023-06-25T00:00:00Z]`, `error[E0308]:`
    Counter,
    /// `|ERROR|`
    Pipe,
    /// `ERROR - text`
    Separator,
    /// `ERROR/MainProcess`
    Slash,
    /// `ERROR+4`, with the length and the value.
    Offset(usize, i32),
    /// `ERROR, text`, `ERROR! text`
    Punctuation,
    Tab,
    /// At least two spaces.
    Padding,
    Space,
    End,
}

impl Mark {
    /// Returns what follows a word, or `None` if the word is part of a longer one.
    pub(super) fn after(text: &str) -> Option<Self> {
        let mut chars = text.chars();
        let Some(first) = chars.next() else {
            return Some(Self::End);
        };
        let next = chars.next();
        match first {
            '：' => Some(Self::Colon),
            ':' if next.is_none_or(|next| !matches!(next, '/' | '0'..='9')) => Some(Self::Colon),
            '[' => {
                let (counter, _) = text[1..].split_once(']')?;
                let is_code =
                    !counter.is_empty() && counter.bytes().all(|byte| byte.is_ascii_alphanumeric());
                (is_code || time_len(counter).is_some()).then_some(Self::Counter)
            }
            '|' => Some(Self::Pipe),
            '/' => next.is_some_and(char::is_alphabetic).then_some(Self::Slash),
            '+' | '-' => {
                let digits = text[1..]
                    .find(|char: char| !char.is_ascii_digit())
                    .unwrap_or(text.len() - 1);
                let offset = text[..1 + digits].parse().ok()?;
                let ends = text[1 + digits..]
                    .chars()
                    .next()
                    .is_none_or(char::is_whitespace);
                ends.then_some(Self::Offset(1 + digits, offset))
            }
            ',' | ';' | '!' => Some(Self::Punctuation),
            '\t' => Some(Self::Tab),
            _ if first.is_whitespace() => {
                Some(match SEPARATORS.contains(&token(text.trim_start())) {
                    true => Self::Separator,
                    false if next == Some(' ') => Self::Padding,
                    false => Self::Space,
                })
            }
            _ => None,
        }
    }
}
