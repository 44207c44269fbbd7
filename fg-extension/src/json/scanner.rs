//! Validates JSON text, and finds the bounds of its values.

use std::ops::Range;

/// JSON text, of which values can be skipped.
///
/// Unlike a deserializer, it decodes nothing and can say where each value begins and ends. Like `serde_json`, it accepts
/// numbers of any size and unpaired surrogates as long as nobody reads them. Values may be nested a million times, since it
/// does not recurse.
///
/// The methods take the position from which they read and return the position after what they have read: kept in a
/// field, it would be written to memory and read again for each token.
pub(crate) struct Scanner<'a> {
    text: &'a [u8],
    /// The opening brackets of the arrays and objects around the position, up to the value that is being read.
    open: Vec<u8>,
    /// Whether a comma after the last element or field is an error.
    is_strict: bool,
    has_trailing_commas: bool,
}

/// The maximum depth of nested arrays and objects. It bounds the memory for brackets, and no honest text reaches it.
const MAX_DEPTH: usize = 1 << 20;

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
            open: Vec::new(),
            is_strict: true,
            has_trailing_commas: false,
        }
    }

    /// Creates a scanner that accepts a comma after the last element of an array and the last field of an object.
    pub(crate) fn accepting_trailing_commas(text: &'a str) -> Self {
        Self {
            is_strict: false,
            ..Self::new(text)
        }
    }

    /// Returns whether the values that were skipped contain trailing commas.
    pub(crate) fn has_trailing_commas(&self) -> bool {
        self.has_trailing_commas
    }

    /// Returns the byte at the position, or `None` at the end of the text.
    #[inline]
    pub(crate) fn byte(&self, at: usize) -> Option<u8> {
        self.text.get(at).copied()
    }

    /// Returns the position of the next byte that is not white space.
    #[inline]
    pub(crate) fn token(&self, mut at: usize) -> usize {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.byte(at) {
            at += 1;
        }
        at
    }

    /// Skips white space and this byte.
    #[inline]
    pub(crate) fn expect(&self, byte: u8, at: usize) -> Result<usize, Invalid> {
        let at = self.token(at);
        match self.byte(at) {
            Some(found) if found == byte => Ok(at + 1),
            _ => Err(Invalid),
        }
    }

    /// Skips an object, and passes on its fields, in order.
    #[inline]
    pub(crate) fn object(
        &mut self,
        at: usize,
        mut each: impl FnMut(Field),
    ) -> Result<usize, Invalid> {
        let mut at = self.token(self.expect(b'{', at)?);
        if self.byte(at) == Some(b'}') {
            return Ok(at + 1);
        }
        loop {
            let Ok(name) = self.expect(b'"', at) else {
                return self.after_trailing_comma(b'}', at);
            };
            let name_end = self.rest_of_string(name)?;
            let value = self.token(self.expect(b':', name_end)?);
            let end = self.value(value)?;
            each(Field {
                name: name..name_end - 1,
                value: value..end,
            });
            at = self.token(end);
            match self.byte(at) {
                Some(b',') => at += 1,
                Some(b'}') => return Ok(at + 1),
                _ => return Err(Invalid),
            }
        }
    }

    /// Returns the next field of an object, and the position after it. The position is that of the object, or the one after
    /// the field before.
    pub(crate) fn next_field(&mut self, at: usize) -> Option<(Field, usize)> {
        let at = self.token(at);
        let Some(b'{' | b',') = self.byte(at) else {
            return None;
        };
        let name = self.expect(b'"', at + 1).ok()?;
        let name_end = self.rest_of_string(name).ok()?;
        let value = self.token(self.expect(b':', name_end).ok()?);
        let end = self.value(value).ok()?;
        let field = Field {
            name: name..name_end - 1,
            value: value..end,
        };
        Some((field, end))
    }

    /// Skips the value that begins at the position.
    #[inline]
    pub(crate) fn value(&mut self, at: usize) -> Result<usize, Invalid> {
        match self.byte(at) {
            Some(first @ (b'{' | b'[')) => self.rest_of_container(first, at + 1),
            _ => self.scalar(at),
        }
    }

    /// Skips the rest of an array or object after its opening bracket.
    fn rest_of_container(&mut self, first: u8, mut at: usize) -> Result<usize, Invalid> {
        self.open.clear();
        self.open.push(first);
        let mut is_empty = true;
        while let Some(&bracket) = self.open.last() {
            at = self.token(at);
            if self.byte(at) == Some(closing(bracket)) {
                at += 1;
                self.open.pop();
                is_empty = false;
                continue;
            }
            if !is_empty {
                at = self.expect(b',', at)?;
            }
            if bracket == b'{' {
                let Ok(name) = self.expect(b'"', at) else {
                    at = self.after_trailing_comma(b'}', at)?;
                    self.open.pop();
                    continue;
                };
                at = self.expect(b':', self.rest_of_string(name)?)?;
            }
            at = self.token(at);
            match self.byte(at) {
                Some(byte @ (b'{' | b'[')) => {
                    if self.open.len() == MAX_DEPTH {
                        return Err(Invalid);
                    }
                    at += 1;
                    self.open.push(byte);
                    is_empty = true;
                }
                _ => {
                    is_empty = false;
                    at = match self.scalar(at) {
                        Ok(end) => end,
                        Err(Invalid) if bracket == b'[' => {
                            self.open.pop();
                            self.after_trailing_comma(b']', at)?
                        }
                        Err(Invalid) => return Err(Invalid),
                    };
                }
            }
        }
        Ok(at)
    }

    /// Skips the closing bracket after a trailing comma. The caller has found neither another value nor, right after
    /// the opening bracket, a closing one.
    #[cold]
    fn after_trailing_comma(&mut self, closing: u8, at: usize) -> Result<usize, Invalid> {
        if self.is_strict {
            return Err(Invalid);
        }
        self.has_trailing_commas = true;
        self.expect(closing, at)
    }

    /// Skips a string, number or word.
    #[inline]
    fn scalar(&self, at: usize) -> Result<usize, Invalid> {
        match self.byte(at) {
            Some(b'"') => self.rest_of_string(at + 1),
            Some(b'-' | b'0'..=b'9') => self.number(at),
            Some(b't') => self.word(b"true", at),
            Some(b'f') => self.word(b"false", at),
            Some(b'n') => self.word(b"null", at),
            _ => Err(Invalid),
        }
    }

    fn word(&self, word: &[u8], at: usize) -> Result<usize, Invalid> {
        let end = at + word.len();
        (self.text.get(at..end) == Some(word))
            .then_some(end)
            .ok_or(Invalid)
    }

    fn number(&self, mut at: usize) -> Result<usize, Invalid> {
        if self.byte(at) == Some(b'-') {
            at += 1;
        }
        at = match self.byte(at) {
            Some(b'0') => at + 1,
            _ => self.digits(at)?,
        };
        if self.byte(at) == Some(b'.') {
            at = self.digits(at + 1)?;
        }
        if let Some(b'e' | b'E') = self.byte(at) {
            at += 1;
            if let Some(b'+' | b'-') = self.byte(at) {
                at += 1;
            }
            at = self.digits(at)?;
        }
        Ok(at)
    }

    /// Skips one or more digits.
    fn digits(&self, mut at: usize) -> Result<usize, Invalid> {
        let first = at;
        while let Some(b'0'..=b'9') = self.byte(at) {
            at += 1;
        }
        (at > first).then_some(at).ok_or(Invalid)
    }

    /// Skips the rest of a string, with its closing quote.
    #[inline]
    fn rest_of_string(&self, mut at: usize) -> Result<usize, Invalid> {
        loop {
            at = self.special(at);
            match self.byte(at) {
                Some(b'"') => return Ok(at + 1),
                Some(b'\\') => at = self.rest_of_escape(at + 1)?,
                // A control character, or the end of the text.
                _ => return Err(Invalid),
            }
        }
    }

    // Not inlined, since most strings have no escapes.
    #[cold]
    fn rest_of_escape(&self, at: usize) -> Result<usize, Invalid> {
        match self.byte(at) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 1),
            Some(b'u') => {
                let end = at + 5;
                let digits = self.text.get(at + 1..end).ok_or(Invalid)?;
                let are_valid = digits.iter().all(u8::is_ascii_hexdigit);
                are_valid.then_some(end).ok_or(Invalid)
            }
            _ => Err(Invalid),
        }
    }

    /// Returns the position of the next quote, backslash or control character, or the end of the text.
    #[inline]
    fn special(&self, mut at: usize) -> usize {
        // Eight bytes at a time.
        while let Some(bytes) = self.text.get(at..).and_then(|rest| rest.first_chunk()) {
            let special = special_bytes(u64::from_le_bytes(*bytes));
            if special != 0 {
                return at + special.trailing_zeros() as usize / 8;
            }
            at += bytes.len();
        }
        let is_plain = |byte| byte != b'"' && byte != b'\\' && byte >= b' ';
        while self.byte(at).is_some_and(is_plain) {
            at += 1;
        }
        at
    }
}

/// Finds quotes, backslashes and control characters among eight bytes.
///
/// The lowest bit that is set in the result belongs to the first of them: it is the highest bit of that byte. The result
/// is zero if all eight bytes are plain.
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
mod tests;
