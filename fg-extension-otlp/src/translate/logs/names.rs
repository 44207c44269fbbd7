//! Names of fields in any spelling, and the values in nested objects.

use std::ops::ControlFlow;

use serde_json::{Map, Value};

/// The longest name that is compared, in bytes.
const MAX_NAME_BYTES: usize = 40;
/// How many values of an object are examined, and how deeply they can be nested.
const MAX_VALUES: usize = 512;
const MAX_DEPTH: usize = 4;

/// Returns the entry of a table that has this name, without regard to case, `_`, `-`, and `.`.
///
/// The names in the table are in lower case, without these characters.
pub(super) fn find<'t, T>(table: &'t [(&'static str, T)], name: &str) -> Option<(usize, &'t T)> {
    if name.len() > MAX_NAME_BYTES {
        return None;
    }
    let is_same = |known: &str| {
        let letters = name
            .bytes()
            .filter(|byte| !matches!(byte, b'_' | b'-' | b'.'));
        letters
            .map(|byte| byte.to_ascii_lowercase())
            .eq(known.bytes())
    };
    let rank = table.iter().position(|(known, _)| is_same(known))?;
    table.get(rank).map(|(_, value)| (rank, value))
}

/// Visits an object, and then the objects in it, level by level, until `visit` breaks or a limit is reached.
pub(super) fn visit_objects<'a, B>(
    fields: &'a Map<String, Value>,
    mut visit: impl FnMut(&'a Map<String, Value>) -> ControlFlow<B>,
) -> Option<B> {
    let mut level = vec![fields];
    let mut remaining = MAX_VALUES;
    for _ in 0..MAX_DEPTH {
        let mut next = Vec::new();
        for object in level {
            remaining = remaining.checked_sub(object.len())?;
            if let ControlFlow::Break(value) = visit(object) {
                return Some(value);
            }
            for value in object.values() {
                match value {
                    Value::Object(fields) => next.push(fields),
                    Value::Array(items) => next.extend(items.iter().filter_map(Value::as_object)),
                    _ => {}
                }
            }
        }
        level = next;
    }
    None
}
