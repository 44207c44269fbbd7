//! Percent-encoding, as in URLs.

/// Decodes a text, or returns `None` if a `%` is not followed by two hexadecimal digits.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                (digit()? << 4 | digit()?) as u8
            }
            byte => byte,
        });
    }
    Some(decoded)
}

#[cfg(test)]
mod tests {
    #[test]
    fn escapes_are_decoded() {
        let decode = |text| super::decode(text);
        assert_eq!(decode("a%2Fb%c3%A4").as_deref(), Some("a/bä".as_bytes()));
        for text in ["%", "a%2", "%zz", "%+1"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
