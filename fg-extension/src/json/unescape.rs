//! Decodes the escapes in JSON strings.
//!
//! `serde_json` would decode them too, but a deserializer that accepts strings contains the code and the tables for
//! numbers, since its error messages quote them: 27 KB in every extension.

use fg_util::json_escape;

/// Returns the text between the quotes of a JSON string, with its escapes decoded, or `None` if one is invalid.
///
/// An unpaired surrogate is replaced, since no Rust string can contain it.
pub(super) fn unescape(text: &str) -> Option<String> {
    let mut unescaped = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, escape)) = rest.split_once('\\') {
        unescaped.push_str(before);
        let (character, after) = json_escape::decode(escape)?;
        unescaped.push(character);
        rest = after;
    }
    unescaped.push_str(rest);
    Some(unescaped)
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
