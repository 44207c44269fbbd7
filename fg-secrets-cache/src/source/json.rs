//! JSON that contains secrets: read in place, so that the parser leaves no copies of values in memory.

use std::borrow::Cow;
use std::collections::HashMap;

use fg_util::json_escape;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

/// Returns the fields of an object, or `None` if the text is not one. The error of the parser is left out, because it may
/// quote the text.
pub(super) fn fields(json: &[u8]) -> Option<HashMap<Cow<'_, str>, &RawValue>> {
    serde_json::from_slice(json).ok()
}

/// Returns the text of a JSON string, or any other JSON value as it is.
pub(super) fn decode(json: &str) -> Option<Zeroizing<Vec<u8>>> {
    // No escape is shorter than what it stands for.
    let mut value = Zeroizing::new(Vec::with_capacity(json.len()));
    let string = json.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
    let Some(mut rest) = string else {
        value.extend_from_slice(json.as_bytes());
        return Some(value);
    };
    while let Some((text, escape)) = rest.split_once('\\') {
        value.extend_from_slice(text.as_bytes());
        let (c, after) = json_escape::decode(escape)?;
        // What stands for half of a character, unless the file itself contains it.
        let is_replacement = || {
            escape
                .get(..5)
                .is_some_and(|it| it.eq_ignore_ascii_case("ufffd"))
        };
        if c == char::REPLACEMENT_CHARACTER && !is_replacement() {
            return None;
        }
        value.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        rest = after;
    }
    value.extend_from_slice(rest.as_bytes());
    Some(value)
}
