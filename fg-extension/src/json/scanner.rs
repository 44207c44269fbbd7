//! Validates JSON text, and finds the bounds of its values.

use std::ops::Range;

/// A position in JSON text.
///
/// Unlike a deserializer, it decodes nothing and can say where each value begins and ends. Like `serde_json`, it accepts
/// numbers of any size and unpaired surrogates as long as nobody reads them; values may be nested without a limit, since
/// it does not recurse.
pub(crate) struct Scanner<'a> {
    text: &'a [u8],
    position: usize,
    /// The opening brackets of the arrays and objects around the position, up to the value that is being read.
    open: Vec<u8>,
}

/// The text is not what was expected.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Invalid;

/// Where the name of a field is, without its quotes, and its value.
pub(crate) struct Field {
    pub(crate) name: Range<usize>,
    pub(crate) value: Range<usize>,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self {
            text: text.as_bytes(),
            position: 0,
            open: Vec::new(),
        }
    }

    /// Returns another position in the same text.
    pub(crate) fn at(&self, position: usize) -> Self {
        Self {
            position,
            open: Vec::new(),
            ..*self
        }
    }

    pub(crate) fn position(&self) -> usize {
        self.position
    }

    /// Returns the next byte that is not white space, and moves to it.
    #[inline]
    pub(crate) fn peek(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.byte() {
            self.position += 1;
        }
        self.byte()
    }

    /// Moves past the next byte that is not white space if it is this one.
    #[inline]
    fn take(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.position += usize::from(is_next);
        is_next
    }

    /// Moves past the next byte that is not white space, which must be this one.
    #[inline]
    pub(crate) fn expect(&mut self, byte: u8) -> Result<(), Invalid> {
        self.take(byte).then_some(()).ok_or(Invalid)
    }

    /// Moves past a value.
    #[inline]
    pub(crate) fn value(&mut self) -> Result<(), Invalid> {
        match self.next()? {
            first @ (b'{' | b'[') => self.rest_of_container(first),
            first => self.rest_of_scalar(first),
        }
    }

    /// Moves past an object, and passes on its fields, in order.
    #[inline]
    pub(crate) fn object(&mut self, mut each: impl FnMut(Field)) -> Result<(), Invalid> {
        self.expect(b'{')?;
        if self.take(b'}') {
            return Ok(());
        }
        loop {
            self.expect(b'"')?;
            let start = self.position;
            self.rest_of_string()?;
            let name = start..self.position - 1;
            self.expect(b':')?;
            self.peek();
            let start = self.position;
            self.value()?;
            let value = start..self.position;
            each(Field { name, value });
            if !self.take(b',') {
                return self.expect(b'}');
            }
        }
    }

    #[inline]
    fn byte(&self) -> Option<u8> {
        self.text.get(self.position).copied()
    }

    /// Returns the next byte that is not white space, and moves past it.
    #[inline]
    fn next(&mut self) -> Result<u8, Invalid> {
        let byte = self.peek().ok_or(Invalid)?;
        self.position += 1;
        Ok(byte)
    }

    /// Moves past the rest of an array or object after its opening bracket.
    fn rest_of_container(&mut self, first: u8) -> Result<(), Invalid> {
        self.open.clear();
        self.open.push(first);
        let mut is_empty = true;
        while let Some(&bracket) = self.open.last() {
            let mut byte = self.next()?;
            if byte == closing(bracket) {
                self.open.pop();
                is_empty = false;
                continue;
            }
            if !is_empty {
                if byte != b',' {
                    return Err(Invalid);
                }
                byte = self.next()?;
            }
            if bracket == b'{' {
                if byte != b'"' {
                    return Err(Invalid);
                }
                self.rest_of_string()?;
                self.expect(b':')?;
                byte = self.next()?;
            }
            is_empty = matches!(byte, b'{' | b'[');
            if is_empty {
                self.open.push(byte);
            } else {
                self.rest_of_scalar(byte)?;
            }
        }
        Ok(())
    }

    /// Moves past the rest of a string, number or word after its first byte.
    #[inline]
    fn rest_of_scalar(&mut self, first: u8) -> Result<(), Invalid> {
        match first {
            b'"' => self.rest_of_string(),
            b'-' | b'0'..=b'9' => self.rest_of_number(first),
            b't' => self.rest_of_word(b"rue"),
            b'f' => self.rest_of_word(b"alse"),
            b'n' => self.rest_of_word(b"ull"),
            _ => Err(Invalid),
        }
    }

    fn rest_of_word(&mut self, rest: &[u8]) -> Result<(), Invalid> {
        let end = self.position + rest.len();
        if self.text.get(self.position..end) != Some(rest) {
            return Err(Invalid);
        }
        self.position = end;
        Ok(())
    }

    fn rest_of_number(&mut self, first: u8) -> Result<(), Invalid> {
        match first {
            b'-' if self.byte() == Some(b'0') => self.position += 1,
            b'-' => self.digits()?,
            b'0' => {}
            _ => self.optional_digits(),
        }
        if self.byte() == Some(b'.') {
            self.position += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.byte() {
            self.position += 1;
            if let Some(b'+' | b'-') = self.byte() {
                self.position += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Invalid> {
        match self.byte() {
            Some(b'0'..=b'9') => {
                self.optional_digits();
                Ok(())
            }
            _ => Err(Invalid),
        }
    }

    fn optional_digits(&mut self) {
        while let Some(b'0'..=b'9') = self.byte() {
            self.position += 1;
        }
    }

    /// Moves past the rest of a string, with its closing quote.
    #[inline]
    fn rest_of_string(&mut self) -> Result<(), Invalid> {
        loop {
            let byte = self.skip_plain().ok_or(Invalid)?;
            self.position += 1;
            match byte {
                b'"' => return Ok(()),
                b'\\' => self.rest_of_escape()?,
                // A control character.
                _ => return Err(Invalid),
            }
        }
    }

    /// Moves to the next quote, backslash or control character, and returns it.
    #[inline]
    fn skip_plain(&mut self) -> Option<u8> {
        // Eight bytes at a time.
        while let Some(bytes) = self.text.get(self.position..)?.first_chunk() {
            let special = special_bytes(u64::from_le_bytes(*bytes));
            if special != 0 {
                self.position += special.trailing_zeros() as usize / 8;
                return self.byte();
            }
            self.position += bytes.len();
        }
        let is_plain = |byte| byte != b'"' && byte != b'\\' && byte >= b' ';
        while self.byte().is_some_and(is_plain) {
            self.position += 1;
        }
        self.byte()
    }

    // Not inlined, since most strings have no escapes.
    #[cold]
    fn rest_of_escape(&mut self) -> Result<(), Invalid> {
        let byte = self.byte().ok_or(Invalid)?;
        self.position += 1;
        match byte {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Ok(()),
            b'u' => {
                let end = self.position + 4;
                let digits = self.text.get(self.position..end).ok_or(Invalid)?;
                self.position = end;
                let are_valid = digits.iter().all(u8::is_ascii_hexdigit);
                are_valid.then_some(()).ok_or(Invalid)
            }
            _ => Err(Invalid),
        }
    }
}

/// Returns a number whose lowest bit that is set is the highest one of the first byte, of eight, that is a quote, a
/// backslash or a control character. It is zero if there is no such byte.
fn special_bytes(bytes: u64) -> u64 {
    const EACH: u64 = u64::from_ne_bytes([1; 8]);
    // Sets the highest bit of bytes that are less than `limit`, and maybe of bytes after the first of them.
    let less_than = |bytes: u64, limit: u8| bytes.wrapping_sub(EACH * u64::from(limit)) & !bytes;
    // Control characters stay less than `!`, a quote becomes a space, and a space and `!` become larger.
    let quotes_and_controls = less_than(bytes ^ (EACH * 2), b'!');
    let backslashes = less_than(bytes ^ (EACH * u64::from(b'\\')), 1);
    (quotes_and_controls | backslashes) & (EACH << 7)
}

/// Returns the closing bracket.
fn closing(opening: u8) -> u8 {
    match opening {
        b'{' => b'}',
        _ => b']',
    }
}

#[cfg(test)]
mod tests {
    use serde::de::IgnoredAny;

    use super::{Invalid, Scanner};

    /// Returns whether the text is one JSON value.
    fn is_valid(text: &str) -> bool {
        let mut scanner = Scanner::new(text);
        scanner.value().is_ok() && scanner.peek().is_none()
    }

    fn assert_same_as_serde_json(text: &str) {
        let is_expected = serde_json::from_str::<IgnoredAny>(text).is_ok();
        assert_eq!(is_valid(text), is_expected, "{text:?}");
    }

    /// Values with all kinds of tokens.
    const VALUES: &[&str] = &[
        r#"{"name":"platform.report","metrics":{"a":12.5,"b":-0,"c":[1e3,1E-2,0.5e+7]},"x":null}"#,
        r#" [ true , false,null ,"", "\"\\\/\b\f\n\r\t\u00e9\uD83D\uDE00\ud800", {"\u0061" : [ ] , "" : { } } ] "#,
        "\"eight by, and more: \u{e9}\u{4e2d}\u{1f600} \u{7f}\"",
        "-12.25e-3",
        "[[[[{\"a\":[{}]}]]]]",
        "123456789012345678901234567890",
    ];

    #[test]
    fn texts_are_valid_as_for_serde_json() {
        for text in VALUES {
            assert!(is_valid(text), "{text}");
        }
        for text in [
            "",
            " ",
            "{",
            "[",
            "]",
            "}",
            "[1",
            "[1,",
            "[1,]",
            "[,1]",
            "[1 2]",
            "[}",
            "{]",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{,}",
            "{1:2}",
            "{\"a\" 1}",
            "{\"a\":1 \"b\":2}",
            "{a:1}",
            "tru",
            "truE",
            "nul",
            "falsy",
            "truefalse",
            "01",
            "-",
            "-01",
            "-a",
            "1.",
            ".5",
            "1.e5",
            "1e",
            "1e+",
            "+1",
            "1.5.5",
            "0x10",
            "NaN",
            "\"",
            "\"a",
            "\"\\\"",
            "\"\\x\"",
            "\"\\u12\"",
            "\"\\u12g4\"",
            "\"\\u",
            "\"a\nb\"",
            "\"\u{0}\"",
            "\"\u{1f}\"",
            "'a'",
            "1 2",
            "[] []",
            "\u{feff}1",
            "\u{a0}1",
            "//",
            "1e999",
            "[\u{b}1]",
        ] {
            assert_same_as_serde_json(text);
        }
    }

    #[test]
    fn changed_texts_are_valid_as_for_serde_json() {
        // Every byte is removed, repeated, and replaced by each byte that has a meaning in JSON.
        let mut count = 0;
        for text in VALUES {
            for (position, character) in text.char_indices() {
                let (before, after) = text.split_at(position);
                let rest = &after[character.len_utf8()..];
                assert_same_as_serde_json(&format!("{before}{rest}"));
                assert_same_as_serde_json(before);
                for with in "{}[],:\"\\ntfu0123456789aAeE.+- \n\u{1}\u{7f}\u{e9}".chars() {
                    assert_same_as_serde_json(&format!("{before}{with}{rest}"));
                    assert_same_as_serde_json(&format!("{before}{with}{after}"));
                    count += 2;
                }
            }
        }
        assert!(count > 10_000);
    }

    #[test]
    fn special_characters_are_found_at_every_position() {
        for length in 0..40 {
            for end in [
                "\"", "\\n\"", "\n\"", "\u{1f}\"", "", "\\\"", "\u{80}\"", "!\"", "[\"",
            ] {
                assert_same_as_serde_json(&format!("\"{}{end}", "x".repeat(length)));
                assert_same_as_serde_json(&format!(
                    "\"{}{end}{}",
                    "\u{e9}".repeat(length),
                    "y".repeat(9)
                ));
            }
        }
    }

    #[test]
    fn deeply_nested_values_are_read_without_recursion() {
        let depth = 1_000_000;
        assert!(is_valid(&format!(
            "{}1{}",
            "[".repeat(depth),
            "]".repeat(depth)
        )));
        assert!(is_valid(&format!(
            "{}1{}",
            "{\"a\":".repeat(depth),
            "}".repeat(depth)
        )));
        assert!(!is_valid(&"[".repeat(depth)));
        assert!(!is_valid(&format!(
            "{}1{}",
            "[".repeat(depth),
            "}".repeat(depth)
        )));
    }

    #[test]
    fn fields_of_an_object_are_found() {
        let text = r#"x { "a" : [1, 2] ,"b\"c":{"d":3}, "": "e"} y"#;
        let mut scanner = Scanner::new(text).at(1);
        let mut fields = Vec::new();
        let found = scanner.object(|field| fields.push((&text[field.name], &text[field.value])));
        assert_eq!(found, Ok(()));
        assert_eq!(
            fields,
            [("a", "[1, 2]"), (r#"b\"c"#, r#"{"d":3}"#), ("", "\"e\"")]
        );
        assert_eq!(&text[scanner.position()..], " y");
        for text in ["{}", " { } "] {
            assert_eq!(Scanner::new(text).object(|_| unreachable!()), Ok(()));
        }
        for text in [
            "",
            "[]",
            "{",
            "{\"a\"",
            "{\"a\":1",
            "{\"a\":1,}",
            "{,}",
            "{\"a\",1}",
            "{a:1}",
            "{\"a\":x}",
        ] {
            assert_eq!(Scanner::new(text).object(|_| ()), Err(Invalid), "{text}");
        }
    }
}
