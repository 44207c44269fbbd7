//! Reads the fields of an event as slices of its JSON.

use std::fmt;

use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// The name of a field that is typed in some kind of event.
#[derive(Clone, Copy, Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
pub(super) enum Key {
    Name,
    Type,
    StartTime,
    EndTime,
    TraceId,
    RequestId,
    Status,
    Metrics,
    Time,
    Record,
    #[serde(other)]
    Other,
}

/// A set of keys.
#[derive(Clone, Copy, Default, Eq, PartialEq)]
pub(super) struct KeySet(u16);

impl KeySet {
    pub(super) const EMPTY: Self = Self(0);

    pub(super) fn insert(&mut self, key: Key) {
        self.0 |= 1 << key as u16;
    }

    pub(super) fn contains(self, key: Key) -> bool {
        self.0 & 1 << key as u16 != 0
    }
}

/// The JSON of the fields of an object. Of several fields with the same name, the last one wins.
#[derive(Default)]
pub(super) struct Fields<'a> {
    /// By key. A missing field is empty.
    values: [&'a str; Key::Other as usize],
    pub(super) keys: KeySet,
    /// Whether there are fields with other names.
    pub(super) has_other: bool,
}

impl<'a> Fields<'a> {
    pub(super) fn get(&self, key: Key) -> Option<&'a str> {
        let value = self.values.get(key as usize)?;
        (!value.is_empty()).then_some(value)
    }
}

impl<'de> DeserializeSeed<'de> for &mut Fields<'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for &mut Fields<'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<Key>()? {
            match self.values.get_mut(key as usize) {
                Some(value) => {
                    *value = map.next_value::<&RawValue>()?.get();
                    self.keys.insert(key);
                }
                None => {
                    map.next_value::<IgnoredAny>()?;
                    self.has_other = true;
                }
            }
        }
        Ok(())
    }
}
