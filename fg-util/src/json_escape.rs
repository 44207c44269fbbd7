//! Escapes in JSON strings.

/// Decodes what follows a backslash in a JSON string. Returns the character and the rest of the text, or `None` if the
/// escape is invalid.
///
/// An unpaired surrogate is replaced, since no Rust string can contain it.
///
/// ```
/// use fg_util::json_escape::decode;
///
/// assert_eq!(decode("n!"), Some(('\n', "!")));
/// assert_eq!(decode(r"ud83d\ude00!"), Some(('\u{1f600}', "!")));
/// assert_eq!(decode("x!"), None);
/// ```
#[must_use]
pub fn decode(text: &str) -> Option<(char, &str)> {
    let mut characters = text.chars();
    let character = match characters.next()? {
        character @ ('"' | '\\' | '/') => character,
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'u' => return unicode(characters.as_str()),
        _ => return None,
    };
    Some((character, characters.as_str()))
}

/// Decodes what follows `\u`: a code unit, or both code units of a surrogate pair. Returns the rest of the text, too.
fn unicode(text: &str) -> Option<(char, &str)> {
    let (first, rest) = code_unit(text)?;
    if let Some(character) = char::from_u32(first.into()) {
        return Some((character, rest));
    }
    if let Some((second, after)) = rest.strip_prefix("\\u").and_then(code_unit)
        && let Some(Ok(character)) = char::decode_utf16([first, second]).next()
    {
        return Some((character, after));
    }
    Some((char::REPLACEMENT_CHARACTER, rest))
}

fn code_unit(text: &str) -> Option<(u16, &str)> {
    let (digits, rest) = text.split_at_checked(4)?;
    // `from_str_radix` would accept a sign.
    if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    Some((u16::from_str_radix(digits, 16).ok()?, rest))
}
