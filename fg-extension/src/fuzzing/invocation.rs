//! The body of an invocation.

use serde_json::Value;

use super::reference::{self, TrailingCommas};
use crate::Invocation;

/// Compares an invocation with what `serde_json` reads, and tests that it can be serialized and read again.
pub fn invocation(data: &[u8]) {
    let read = Invocation::read(data.to_vec().into());
    let mut texts = reference::candidates(data, TrailingCommas::Invalid).into_iter();
    let fields = texts.find_map(|text| reference::fields(&text));
    let field = |name| reference::field(fields.as_deref()?, name);
    let trace_id = field("traceId").and_then(reference::string);
    let (Ok(invocation), Some(trace_id)) = (&read, &trace_id) else {
        let error = read.as_ref().err();
        assert_eq!(error.is_none(), trace_id.is_some(), "{error:?}");
        return;
    };
    assert_eq!(invocation.trace_id, *trace_id);
    // Of several URNs, the last one that is a string counts.
    let is_urn = |name: &str, json: &str| name == "invokedFunctionUrn" && json.starts_with('"');
    let mut urns = fields
        .iter()
        .flatten()
        .rev()
        .filter(|(name, json)| is_urn(name, json));
    let urn = urns.next().and_then(|(_, json)| reference::string(json));
    assert_eq!(
        invocation.invoked_function_urn.as_str(),
        urn.unwrap_or_default()
    );
    let is_other = |name: &str, json: &str| name != "traceId" && !is_urn(name, json);
    let fields = fields.iter().flatten();
    let expected: Vec<_> = fields.filter(|(name, json)| is_other(name, json)).collect();
    let other: Vec<_> = invocation.other().collect();
    assert_eq!(other.len(), expected.len(), "{other:?}");
    for ((name, json), (expected_name, expected_json)) in other.iter().zip(&expected) {
        assert_eq!(
            (&**name, *json),
            (expected_name.as_str(), expected_json.as_str())
        );
        let last = expected.iter().rfind(|(other, _)| other == name);
        assert_eq!(
            invocation.field::<Value>(name),
            last.and_then(|(_, json)| serde_json::from_str(json).ok())
        );
    }

    let json = serde_json::to_string(invocation).unwrap();
    let again: Invocation = serde_json::from_str(&json).unwrap();
    assert_eq!(again, *invocation, "{json}");
    assert_eq!(Invocation::read(json.into()).as_ref(), Ok(invocation));
}
