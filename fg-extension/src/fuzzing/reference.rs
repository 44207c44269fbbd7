//! JSON as `serde_json` and simple loops read it, for comparison with the runtime's own parsers.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

/// What the runtime accepts of JSON that is not strict.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum TrailingCommas {
    Ignored,
    Invalid,
}

/// Returns the texts as which the runtime reads a body: the first that is JSON counts.
pub(crate) fn candidates(body: &[u8], trailing_commas: TrailingCommas) -> [String; 2] {
    let text = String::from_utf8_lossy(body);
    let text = text.trim_start_matches('\u{feff}').to_owned();
    let escaped = escape_controls(&text);
    [text, escaped].map(|text| match trailing_commas {
        TrailingCommas::Ignored => blank_trailing_commas(&text),
        TrailingCommas::Invalid => text,
    })
}

/// Escapes the control characters in strings.
fn escape_controls(text: &str) -> String {
    let mut escaped = String::new();
    let mut characters = text.chars();
    let mut in_string = false;
    while let Some(character) = characters.next() {
        match character {
            '"' => in_string = !in_string,
            '\\' if in_string => {
                escaped.push('\\');
                match characters.next() {
                    // It is invalid to escape one, and stays so.
                    Some(control @ '\0'..' ') => push_escape(&mut escaped, control),
                    Some(other) => escaped.push(other),
                    None => {}
                }
                continue;
            }
            '\0'..' ' if in_string => {
                push_escape(&mut escaped, character);
                continue;
            }
            _ => {}
        }
        escaped.push(character);
    }
    escaped
}

fn push_escape(text: &mut String, character: char) {
    text.push_str(&format!("\\u{:04x}", u32::from(character)));
}

/// Replaces a comma before a closing bracket by a space, if there is a value before it.
fn blank_trailing_commas(text: &str) -> String {
    let mut blanked: Vec<char> = Vec::new();
    // The positions of the characters outside of strings that are not white space. A string counts as its last quote.
    let mut tokens: Vec<usize> = Vec::new();
    let (mut in_string, mut is_escaped) = (false, false);
    for character in text.chars() {
        let at = blanked.len();
        blanked.push(character);
        if in_string {
            in_string = is_escaped || character != '"';
            is_escaped = !is_escaped && character == '\\';
        } else if character == '"' {
            in_string = true;
        }
        if in_string || matches!(character, ' ' | '\t' | '\n' | '\r') {
            continue;
        }
        if let [.., before, comma] = tokens[..]
            && matches!(character, ']' | '}')
            && blanked[comma] == ','
            && !matches!(blanked[before], '[' | '{' | ',')
        {
            blanked[comma] = ' ';
        }
        tokens.push(at);
    }
    blanked.into_iter().collect()
}

/// Returns the names and the JSON of the fields of an object, in order. Returns `None` if the text is not an object.
pub(crate) fn fields(object: &str) -> Option<Vec<(String, String)>> {
    struct Fields(Vec<(String, String)>);
    struct FieldsVisitor;

    impl<'de> Deserialize<'de> for Fields {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserializer.deserialize_map(FieldsVisitor)
        }
    }

    impl<'de> Visitor<'de> for FieldsVisitor {
        type Value = Fields;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
            let mut fields = Vec::new();
            while let Some((name, json)) = map.next_entry::<&RawValue, &RawValue>()? {
                let name = string(name.get()).ok_or_else(|| A::Error::custom("a name"))?;
                fields.push((name, json.get().to_owned()));
            }
            Ok(Fields(fields))
        }
    }

    let Fields(fields) = serde_json::from_str(object).ok()?;
    Some(fields)
}

/// Returns the last field with this name.
pub(crate) fn field<'a>(fields: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let mut named = fields.iter().rev().filter(|(other, _)| other == name);
    named.next().map(|(_, json)| json.as_str())
}

/// Returns the text of a JSON string, with replacements for unpaired surrogates. Returns `None` for other values.
pub(crate) fn string(json: &str) -> Option<String> {
    struct Wtf8(Vec<u8>);
    struct Wtf8Visitor;

    impl<'de> Deserialize<'de> for Wtf8 {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            // Unlike a string, bytes may contain encoded surrogates.
            deserializer.deserialize_bytes(Wtf8Visitor)
        }
    }

    impl Visitor<'_> for Wtf8Visitor {
        type Value = Wtf8;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string")
        }

        fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Wtf8, E> {
            Ok(Wtf8(bytes.to_vec()))
        }
    }

    let Wtf8(mut bytes) = serde_json::from_str(json).ok()?;
    for at in 0..bytes.len().saturating_sub(2) {
        // The first two bytes of an encoded surrogate.
        if let [0xed, 0xa0..=0xbf, _] = bytes[at..at + 3] {
            bytes[at..at + 3].copy_from_slice("\u{fffd}".as_bytes());
        }
    }
    Some(String::from_utf8(bytes).unwrap())
}
