//! Replaces trailing commas in JSON text.

/// Replaces each trailing comma by a space, in place, so that positions in the text stay correct.
pub(crate) fn blank_trailing_commas(text: String) -> String {
    let mut bytes = text.into_bytes();
    let mut scan = Scan::default();
    // The last two bytes outside of strings that are not white space, and the position of the last one.
    let (mut before, mut last, mut last_position) = (b'[', b'[', 0);
    for position in 0..bytes.len() {
        let byte = bytes[position];
        if !scan.is_outside_strings(byte) || byte.is_ascii_whitespace() {
            continue;
        }
        if last == b',' && b"]}".contains(&byte) && !b"[{,".contains(&before) {
            bytes[last_position] = b' ';
        }
        (before, last, last_position) = (last, byte, position);
    }
    // One ASCII character replaced another, so the text is still UTF-8.
    String::from_utf8(bytes).unwrap_or_default()
}

/// A minimal JSON scanner, which tracks whether the next byte is in a string.
#[derive(Default)]
struct Scan {
    in_string: bool,
    escaped: bool,
}

impl Scan {
    /// Moves past a byte. Returns `true` if the byte is outside of strings, or if it is the quote that ends one.
    fn is_outside_strings(&mut self, byte: u8) -> bool {
        if self.in_string {
            self.in_string = self.escaped || byte != b'"';
            self.escaped = !self.escaped && byte == b'\\';
            return !self.in_string;
        }
        self.in_string = byte == b'"';
        !self.in_string
    }
}

#[cfg(test)]
mod tests {
    use super::blank_trailing_commas;
    use crate::json::{Invalid, Scanner};

    #[test]
    fn trailing_commas_are_accepted_where_asked_for() {
        for (text, is_accepted) in [
            ("[1,]", true),
            ("[[1 , ] ,{\"a\":[{},],} , ]", true),
            ("{\"a\":1 ,\n}", true),
            ("[1,,]", false),
            ("[,]", false),
            ("{,}", false),
            ("{\"a\":,}", false),
            ("{\"a\":1,,}", false),
            ("{\"a\":[,]}", false),
            ("[1,}", false),
            ("[{\"a\":1,]", false),
            ("[1,", false),
        ] {
            let mut scanner = Scanner::accepting_trailing_commas(text);
            assert_eq!(scanner.value(0).is_ok(), is_accepted, "{text}");
            assert!(!is_accepted || scanner.has_trailing_commas(), "{text}");
            if text.starts_with('{') {
                let end = Scanner::accepting_trailing_commas(text).object(0, |_| ());
                assert_eq!(end.is_ok(), is_accepted, "{text}");
            }
            assert_eq!(Scanner::new(text).value(0), Err(Invalid), "{text}");
        }
        let mut scanner = Scanner::accepting_trailing_commas("[{},[]]");
        assert!(scanner.value(0).is_ok() && !scanner.has_trailing_commas());
    }

    #[test]
    fn only_trailing_commas_are_replaced() {
        for (text, blanked) in [
            ("[1,]", "[1 ]"),
            (
                r#"[ {"a,}" : [ "," , ] , } ,]"#,
                r#"[ {"a,}" : [ ","   ]   }  ]"#,
            ),
            (r#"["\"é,]", "\\",]"#, r#"["\"é,]", "\\" ]"#),
            ("[1,,]", "[1,,]"),
            ("[,]", "[,]"),
            ("[1, 2]", "[1, 2]"),
        ] {
            assert_eq!(blank_trailing_commas(text.to_owned()), blanked);
        }
    }
}
