//! Decodes the escapes in JSON strings.
//!
//! `serde_json` would decode them too, but a deserializer that accepts strings contains the code and the tables for
//! numbers, since its error messages quote them: 27 KB in every extension.

/// Returns the text between the quotes of a JSON string, with its escapes decoded, or `None` if one is invalid.
///
/// An unpaired surrogate is replaced, since no Rust string can contain it.
pub(super) fn unescape(text: &str) -> Option<String> {
    let mut unescaped = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, escape)) = rest.split_once('\\') {
        unescaped.push_str(before);
        let mut characters = escape.chars();
        let character = characters.next()?;
        rest = characters.as_str();
        unescaped.push(match character {
            '"' | '\\' | '/' => character,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let (character, after) = unicode(rest)?;
                rest = after;
                character
            }
            _ => return None,
        });
    }
    unescaped.push_str(rest);
    Some(unescaped)
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

#[cfg(test)]
mod tests {
    use super::unescape;

    #[test]
    fn escapes_are_decoded_as_serde_json_does() {
        for text in [
            "",
            "a",
            r#"\"\\\/\b\f\n\r\tz"#,
            r"\u0061\u00e9\u20AC\uFFFF\u0000",
            r"é\ud83d\ude00é",
            r"\ud83d\uDE00\ud83d\ude00",
        ] {
            let expected: String = serde_json::from_str(&format!("\"{text}\"")).unwrap();
            assert_eq!(unescape(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn unpaired_surrogates_are_replaced() {
        for (text, expected) in [
            (r"\ud800", "\u{fffd}"),
            (r"\udc00a", "\u{fffd}a"),
            (r"\ud800\n", "\u{fffd}\n"),
            (r"\ud800\u0061", "\u{fffd}a"),
            (r"\ud800\ud83d\ude00", "\u{fffd}\u{1f600}"),
            (r"\udc00\ud800", "\u{fffd}\u{fffd}"),
        ] {
            assert_eq!(unescape(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn invalid_escapes_are_rejected() {
        for text in [
            r"\", r"\x", r"\U0061", r"\u", r"\u006", r"\u006g", r"\u+061", r"\u00é", r"\é",
        ] {
            assert_eq!(unescape(text), None, "{text}");
        }
    }
}
