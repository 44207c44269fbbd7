//! Finds where a time ends, in any usual format.

/// Returns the length of the time that a text starts with, including its date and its zone, or `None` if the text does not
/// start with a time.
pub(super) fn time_len(text: &str) -> Option<usize> {
    if !text.starts_with(|char: char| char.is_ascii_digit() || char.is_ascii_uppercase()) {
        return None;
    }
    let mut end = 0;
    let mut previous = None;
    let mut has_name = false;
    loop {
        let rest = &text[end..];
        let spaces = rest.len() - rest.trim_start_matches(' ').len();
        let token = token(&rest[spaces..]);
        let part = Part::of(token, previous, has_name)?;
        // The name of a month or a weekday starts a time only if a number follows.
        let next = rest[spaces + token.len()..].trim_start();
        if part == Part::Name && previous.is_none() && !starts_time(next) {
            return None;
        }
        end += spaces + token.len();
        previous = Some(part);
        has_name |= part == Part::Name;
        if !continues(&text[end..], part, has_name) {
            break;
        }
    }
    (previous != Some(Part::Name)).then_some(text[..end].trim_end_matches([':', ',']).len())
}

/// A part of a time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Part {
    /// A month or a weekday.
    Name,
    /// A day or a year, after a month.
    Number,
    /// Digits with separators.
    Digits,
    /// A zone, or a half of a day.
    Suffix,
}

const NAMES: &[&str] = &[
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "Mon",
    "Tue", "Wed", "Thu", "Fri", "Sat", "Sun",
];
const SUFFIXES: &[&str] = &["UTC", "GMT", "Z", "AM", "PM", "am", "pm", "上午", "下午"];

impl Part {
    fn of(token: &str, previous: Option<Self>, has_name: bool) -> Option<Self> {
        let bare = token.trim_end_matches([':', ',', '.']);
        let is_number = !bare.is_empty() && bare.bytes().all(|byte| byte.is_ascii_digit());
        match previous {
            None if is_name(bare) => Some(Self::Name),
            None if is_digits(bare) => Some(Self::Digits),
            None => None,
            Some(Self::Name) if is_name(bare) => Some(Self::Name),
            Some(Self::Name | Self::Number) if is_number && bare.len() <= 4 => Some(Self::Number),
            Some(_) if SUFFIXES.contains(&bare) || is_offset(bare) => Some(Self::Suffix),
            Some(_) if is_digits(bare) && !is_number => Some(Self::Digits),
            // `Sat Jun 25 00:00:00 2023`
            Some(Self::Digits) if has_name && is_number && bare.len() == 4 => Some(Self::Number),
            Some(_) => None,
        }
    }
}

/// Returns whether another part follows a part of a time.
fn continues(rest: &str, part: Part, has_name: bool) -> bool {
    let next = rest.trim_start_matches(' ');
    next.len() < rest.len() && Part::of(token(next), Some(part), has_name).is_some()
}

fn starts_time(text: &str) -> bool {
    text.starts_with(|char: char| char.is_ascii_digit()) || is_name(token(text))
}

fn token(text: &str) -> &str {
    const ENDS: &[char] = &[
        '|', ';', '[', ']', '(', ')', '{', '}', '<', '>', '=', '"', '\'', '#', '【', '】', '［',
        '］', '（', '）', '〔', '〕', '〖', '〗', '《', '》',
    ];
    let end = text.find(|char: char| char.is_whitespace() || ENDS.contains(&char));
    &text[..end.unwrap_or(text.len())]
}

fn is_name(token: &str) -> bool {
    NAMES.contains(&token)
        || token.strip_suffix('月').is_some_and(|month| {
            matches!(month.len(), 1 | 2) && month.bytes().all(|byte| byte.is_ascii_digit())
        })
}

/// Returns whether a token is a date, a time of day, both, or a long number of seconds.
fn is_digits(token: &str) -> bool {
    let is_separated = token.contains([':', '-', '/']);
    let is_digit_or_separator = |char: char| {
        char.is_ascii_digit()
            || matches!(
                char,
                '-' | ':' | '.' | ',' | '+' | '/' | 'T' | 't' | 'Z' | 'z'
            )
    };
    let without_name = || {
        // `25-Jun-2023`, `25/Jun/2023:00:00:00`, `9:17AM`
        let at = token.find(|char: char| char.is_ascii_alphabetic())?;
        let end = at
            + token[at..]
                .find(|char: char| !char.is_ascii_alphabetic())
                .unwrap_or(token.len() - at);
        let (name, after) = (&token[at..end], &token[end..]);
        let is_known = NAMES.contains(&name) && !after.is_empty()
            || SUFFIXES.contains(&name) && after.is_empty();
        is_known.then(|| {
            token[..at]
                .chars()
                .chain(after.chars())
                .all(is_digit_or_separator)
        })
    };
    token.starts_with(|char: char| char.is_ascii_digit())
        && (is_separated || token.len() >= "1687651200".len())
        && (token.chars().all(is_digit_or_separator) || without_name() == Some(true))
}

/// Returns whether a token is an offset from UTC: `+08:00`, `+0800`, or `+08`.
fn is_offset(token: &str) -> bool {
    token.strip_prefix(['+', '-']).is_some_and(|digits| {
        matches!(digits.len(), 2 | 4 | 5)
            && digits
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte == b':')
    })
}

#[cfg(test)]
mod tests {
    use super::time_len;

    #[test]
    fn usual_formats_are_times() {
        for time in [
            "2023-06-25T00:00:00.250Z",
            "2023-06-25T08:00:00.250+08:00",
            "2023-06-25 00:00:00,250",
            "2023-06-25 00:00:00 +0800",
            "2023-06-25 00:00:00.000 UTC",
            "2023/06/25 00:00:00.000000",
            "06/25/23 00:00:00",
            "00:00:00.250",
            "9:17AM",
            "9:17:42 AM",
            "Jun 25 00:00:00.250",
            "Jun 25, 2023 9:17:42 AM",
            "6月 25, 2023 9:17:43 上午",
            "Sun Jun 25 00:00:00.123456 2023",
            "25-Jun-2023 00:00:00 UTC",
            "25/Jun/2023:00:00:00 +0000",
            "1687651200.250",
        ] {
            for after in [
                "",
                " ERROR x",
                "|x",
                ";x",
                "] x",
                ": x",
                " [main] x",
                "\tx",
                "【x】",
            ] {
                let line = format!("{time}{after}");
                assert_eq!(time_len(&line), Some(time.len()), "{line}");
            }
        }
    }

    #[test]
    fn other_texts_are_not_times() {
        for text in [
            "",
            "hello",
            "May the force",
            "Sun",
            "Mon ami",
            "12 errors",
            "T",
            "+08:00",
            "UTC",
            "v1.2.3",
            "é",
        ] {
            assert_eq!(time_len(text), None, "{text}");
        }
    }
}
