//! Matches the patterns of formats.

use std::ops::Range;

use opentelemetry_proto::tonic::logs::v1::SeverityNumber;

use super::formats::LETTERS;

/// What a pattern has matched.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Matched {
    pub(super) len: usize,
    /// Where the letter is, and what it stands for.
    pub(super) letter: Option<(Range<usize>, SeverityNumber)>,
    pub(super) number: Option<usize>,
}

/// The maximum length of any text in a pattern.
const MAX_ANY_BYTES: usize = 128;

/// Matches the start of a text with a pattern: see [`Opening`](super::formats::Opening).
pub(super) fn matches(pattern: &str, text: &str) -> Option<Matched> {
    let mut matched = Matched::default();
    let mut pattern = pattern.bytes();
    let text = text.as_bytes();
    while let Some(expected) = pattern.next() {
        let at = matched.len;
        let byte = text.get(at).copied();
        if expected != b'%' {
            if byte != Some(expected) {
                return None;
            }
            matched.len += 1;
            continue;
        }
        let digits = || {
            text[at..]
                .iter()
                .take_while(|byte| byte.is_ascii_digit())
                .count()
        };
        match pattern.next()? {
            b'L' => {
                let (_, number) = LETTERS
                    .iter()
                    .find(|(letter, _)| byte == Some(*letter as u8))?;
                matched.letter = Some((at..at + 1, *number));
                matched.len += 1;
            }
            b'd' => {
                byte.filter(u8::is_ascii_digit)?;
                matched.len += 1;
            }
            b'n' => {
                let digits = digits();
                let number = std::str::from_utf8(&text[at..at + digits]).ok()?;
                matched.number = Some(number.parse().ok()?);
                matched.len += digits;
            }
            // Any text ends where the next character of the pattern is.
            _ => {
                let end = pattern.clone().next()?;
                let mut any = text[at..].iter().take(MAX_ANY_BYTES);
                matched.len += any.position(|byte| *byte == end)?;
            }
        }
    }
    Some(matched)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_match_the_start_of_a_text() {
        let len = |pattern, text| matches(pattern, text).map(|matched| matched.len);
        assert_eq!(len("PHP ", "PHP Fatal"), Some(4));
        assert_eq!(len("PHP ", "PHP"), None);
        assert_eq!(len("%L%d%d%d%d %d", "E0501 12:00"), Some(7));
        assert_eq!(len("%L%d%d%d%d %d", "X0501 12:00"), None);
        assert_eq!(len("%L%d%d%d%d %d", "E05a1 12:00"), None);
        assert_eq!(
            len("thread '%*' panicked", "thread 'é' panicked at"),
            Some(20)
        );
        assert_eq!(len("thread '%*' panicked", "thread 'main"), None);
        assert_eq!(
            matches("<%n>", "<165>1").and_then(|matched| matched.number),
            Some(165)
        );
        assert_eq!(len("<%n>", "<>"), None);
        assert_eq!(len("<%n>", "<99999999999999999999999>"), None);
        assert_eq!(len("%L", ""), None);
    }
}
