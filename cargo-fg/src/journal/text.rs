//! Texts in entries, which are cut, and bytes in details, which are complete.

use std::borrow::Cow;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

/// The longest line in an entry, in bytes. A longer one is cut, and complete in the detail.
pub(crate) const MAX_LINE: usize = 4 * 1024;
/// The longest excerpt of a payload, a response or an error in an entry, in bytes.
const MAX_EXCERPT: usize = 512;

/// Bytes of a request or a response. In JSON, they are a string, or `{"base64": "…"}` if they are not UTF-8, as in a recording.
pub(crate) struct Body<'a>(pub(crate) &'a [u8]);

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(self.0) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("base64", &BASE64_STANDARD.encode(self.0))?;
                map.end()
            }
        }
    }
}

impl<'a> Body<'a> {
    /// Returns the start of the bytes as text. Bytes that are not UTF-8 are shown in the form that they have in JSON.
    pub(crate) fn excerpt(&self) -> Cow<'a, str> {
        match std::str::from_utf8(self.0) {
            Ok(text) => excerpt(text),
            Err(_) => {
                // 3 bytes are 4 characters, so only the end can be padded.
                let start = &self.0[..self.0.len().min(MAX_EXCERPT / 4 * 3)];
                let end = match start.len() == self.0.len() {
                    true => "\"}",
                    false => "…",
                };
                let text = BASE64_STANDARD.encode(start);
                Cow::Owned(format!("{{\"base64\": \"{text}{end}"))
            }
        }
    }
}

/// Returns the start of a text, followed by `…` if it was cut.
pub(crate) fn excerpt(text: &str) -> Cow<'_, str> {
    let cut = cut(text, MAX_EXCERPT);
    match cut.len() == text.len() {
        true => Cow::Borrowed(text),
        false => Cow::Owned(format!("{cut}…")),
    }
}

/// Returns the start of a text: at most this many bytes, cut between two characters.
pub(crate) fn cut(text: &str, max_bytes: usize) -> &str {
    let mut end = text.len().min(max_bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::{Body, MAX_EXCERPT, cut, excerpt};

    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!(cut("aé", 2), "a");
        assert_eq!(cut("aé", 3), "aé");
        assert_eq!(excerpt("short"), "short");
        let long = "é".repeat(MAX_EXCERPT);
        assert_eq!(excerpt(&long), format!("{}…", "é".repeat(MAX_EXCERPT / 2)));
    }

    #[test]
    fn bytes_are_text_or_base64() {
        let json = |bytes: &[u8]| serde_json::to_string(&Body(bytes)).unwrap();
        assert_eq!(json(b"\"\x1b[1m\""), r#""\"\u001b[1m\"""#);
        assert_eq!(json(b"\xff\x00"), r#"{"base64":"/wA="}"#);
        assert_eq!(Body(b"{}").excerpt(), "{}");
        assert_eq!(Body(b"\xff\x00").excerpt(), r#"{"base64": "/wA="}"#);

        let shown = Body(&[0xff; 2 * MAX_EXCERPT]).excerpt();
        assert!(
            shown.starts_with(r#"{"base64": "////"#) && shown.ends_with("//…"),
            "{shown}"
        );
    }
}
