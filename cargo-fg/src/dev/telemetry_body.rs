//! Reads what a batch of telemetry is about.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

use serde::Deserialize;

/// What a batch of telemetry is about, as far as it can be read.
#[derive(Debug, Default, PartialEq)]
pub(super) struct TelemetryBody {
    /// The number of events of each type.
    pub(super) types: BTreeMap<String, usize>,
    /// The trace IDs of the invocations that the events belong to, in the order in which they occur.
    pub(super) trace_ids: Vec<String>,
}

/// An event of the platform (D 2713), or a log line (I).
#[derive(Deserialize)]
struct TelemetryEvent<'a> {
    #[serde(default, borrow)]
    name: Option<Cow<'a, str>>,
    #[serde(default, borrow, rename = "traceId")]
    trace_id: Option<Cow<'a, str>>,
    #[serde(default, borrow, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    record: Option<Cow<'a, str>>,
}

impl TelemetryBody {
    /// Reads a body. One that the platform does not emit is read as if it were empty.
    pub(super) fn read(body: &[u8]) -> Self {
        let events: Vec<TelemetryEvent> = serde_json::from_slice(body).unwrap_or_default();
        let (mut read, mut seen) = (Self::default(), HashSet::new());
        for event in &events {
            let kind = match (&event.kind, &event.name) {
                (Some(kind), _) => kind,
                (None, Some(_)) => "platform",
                (None, None) => "unknown",
            };
            match read.types.get_mut(kind) {
                Some(count) => *count += 1,
                None => {
                    read.types.insert(kind.to_owned(), 1);
                }
            }
            let trace_id = event.trace_id.as_deref().or_else(|| match kind {
                "function" => trace_id_of_line(event.record.as_deref()?),
                _ => None,
            });
            if let Some(trace_id) = trace_id
                && seen.insert(trace_id)
            {
                read.trace_ids.push(trace_id.to_owned());
            }
        }
        read
    }
}

/// Returns the trace ID in a line of the platform or the synthetic function: `<time> <ID> INFO …`, or
/// `<time> Start invoke request '<ID>', …`. Lines that a real function prints have no trace ID.
fn trace_id_of_line(record: &str) -> Option<&str> {
    let (_, line) = record.split_once(' ')?;
    for start in ["Start invoke request '", "Finish invoke request '"] {
        if let Some(rest) = line.strip_prefix(start) {
            return Some(rest.split_once('\'')?.0);
        }
    }
    let (trace_id, rest) = line.split_once(' ')?;
    rest.starts_with("INFO ").then_some(trace_id)
}

#[cfg(test)]
mod tests {
    use super::TelemetryBody;

    #[test]
    fn types_are_counted_and_trace_ids_found() {
        let body = r#"[
            {"name": "platform.start", "startTime": "…", "traceId": "t1"},
            {"time": "…", "type": "function", "record": "T Start invoke request 't1', version: latest"},
            {"time": "…", "type": "function", "record": "T t\u0032 INFO a \"word\""},
            {"time": "…", "type": "function", "record": "printed by a real function"},
            {"time": "…", "type": "extension", "record": "T t3 INFO no function"},
            {"time": "…", "type": "function", "record": "T Finish invoke request 't1', duration: 2ms"}
        ]"#;
        let read = TelemetryBody::read(body.as_bytes());
        let types: Vec<_> = read
            .types
            .iter()
            .map(|(kind, n)| (kind.as_str(), *n))
            .collect();
        assert_eq!(types, [("extension", 1), ("function", 4), ("platform", 1)]);
        assert_eq!(read.trace_ids, ["t1", "t2"]);
    }

    #[test]
    fn other_bodies_are_empty() {
        for body in [&b"{}"[..], b"", b"[1]", b"\xff", br#"[{"name": 7}]"#] {
            assert_eq!(TelemetryBody::read(body), TelemetryBody::default());
        }
        assert_eq!(TelemetryBody::read(b"[{}]").types["unknown"], 1);
    }
}
