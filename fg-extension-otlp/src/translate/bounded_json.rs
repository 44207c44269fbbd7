//! Limits on the JSON that is decoded. A decoded value can take a hundred times as much memory as its text.

use serde_json::Value;

/// The maximum length of JSON that is decoded.
pub(super) const MAX_JSON_BYTES: usize = 64 << 10;

/// The maximum number of values in JSON that is decoded.
const MAX_VALUES: usize = 4096;

/// Decodes JSON. Returns `None` if it exceeds the limits, or if a [`Value`] cannot represent it, such as the number
/// `1e999`.
pub(super) fn decode(json: &str) -> Option<Value> {
    is_within_limits(json).then(|| serde_json::from_str(json).ok())?
}

/// Decodes JSON. JSON that cannot be [decoded](decode) becomes a string that contains it.
pub(super) fn value(json: &str) -> Value {
    decode(json).unwrap_or_else(|| json.into())
}

/// Returns whether JSON can be decoded without taking much memory.
pub(super) fn is_within_limits(json: &str) -> bool {
    // A string takes as much memory as its text.
    json.starts_with('"') || are_few_values(json.len(), || count_values(json))
}

/// Returns whether the fields of a JSON object, except for this one, can be decoded without taking much memory.
pub(super) fn are_other_fields_within_limits(object: &str, field: &str) -> bool {
    let count = || count_values(object).saturating_sub(count_values(field));
    are_few_values(object.len().saturating_sub(field.len()), count)
}

/// Returns the start of a text, with at most `max` bytes.
pub(super) fn prefix(text: &str, max: usize) -> &str {
    let mut ends = (0..=max.min(text.len())).rev();
    let end = ends.find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or(0)]
}

fn are_few_values(bytes: usize, count: impl FnOnce() -> usize) -> bool {
    // Each value takes at least one byte, so the values of a short text need not be counted.
    bytes <= MAX_VALUES || bytes <= MAX_JSON_BYTES && count() <= MAX_VALUES
}

/// Returns an upper bound of the number of values: each one, except for the first, follows a comma or a bracket.
pub(super) fn count_values(json: &str) -> usize {
    let may_precede_value = |byte: &u8| matches!(byte, b',' | b'[' | b'{');
    json.bytes().filter(|byte| may_precede_value(byte)).count() + 1
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{MAX_JSON_BYTES, MAX_VALUES, are_other_fields_within_limits, prefix, value};

    #[test]
    fn json_within_the_limits_is_decoded() {
        let longest = format!("[{}]", " ".repeat(MAX_JSON_BYTES - 2));
        assert_eq!(value(&longest), json!([]));
        let long = format!("[{}]", " ".repeat(MAX_JSON_BYTES - 1));
        assert_eq!(value(&long), Value::String(long));

        let most = format!("[{}0]", "0,".repeat(MAX_VALUES - 2));
        assert!(value(&most).is_array());
        let too_many = format!("[{}0]", "0,".repeat(MAX_VALUES - 1));
        assert_eq!(value(&too_many), Value::String(too_many));

        // A string of any length is decoded.
        let text = ",".repeat(2 * MAX_JSON_BYTES);
        assert_eq!(value(&format!("\"{text}\"")), Value::String(text));
        assert_eq!(value("1e999"), json!("1e999"));
    }

    #[test]
    fn large_field_does_not_count_with_the_others() {
        let large = format!("[{}0]", "0,".repeat(MAX_JSON_BYTES));
        let object = |other: &str| format!("{{\"record\":{large},\"other\":{other}}}");
        assert!(are_other_fields_within_limits(&object("1"), &large));
        let many = format!("[{}0]", "0,".repeat(MAX_VALUES));
        assert!(!are_other_fields_within_limits(&object(&many), &large));
        assert!(!are_other_fields_within_limits(&object(&large), &large));
    }

    #[test]
    fn prefix_ends_between_characters() {
        for (max, expected) in [
            (0, ""),
            (1, "a"),
            (2, "a"),
            (3, "aé"),
            (4, "aéb"),
            (9, "aéb"),
        ] {
            assert_eq!(prefix("aéb", max), expected);
        }
    }
}
