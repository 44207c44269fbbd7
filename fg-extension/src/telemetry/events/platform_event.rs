//! What the platform reports of itself.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::Tag;
use super::Timestamp;

/// An event about an instance's lifecycle, or an invocation (D 2711).
///
/// Case is forgiven: the page itself writes `platform.RuntimeDone` beside `platform.initRuntimeDone`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum PlatformEvent {
    /// `platform.initStart`: the function's initialisation begins.
    InitStart(PlatformRecord),
    /// `platform.initRuntimeDone`: the runtime has initialised the function.
    InitRuntimeDone(PlatformRecord),
    /// `platform.initReport`: what the initialisation took.
    InitReport(PlatformRecord),
    /// `platform.start`: an invocation begins.
    Start(PlatformRecord),
    /// `platform.runtimeDone`: the runtime has handled the invocation.
    RuntimeDone(PlatformRecord),
    /// `platform.report`: what the invocation took.
    Report(PlatformRecord),
    /// `platform.restoreStart`: an instance is being restored from a snapshot (I: of Java functions on x86 only).
    RestoreStart(PlatformRecord),
    /// `platform.restoreRuntimeDone`: the runtime is restored.
    RestoreRuntimeDone(PlatformRecord),
    /// `platform.restoreReport`: what the restoring took.
    RestoreReport(PlatformRecord),
    /// An event of a subtype that this version of the crate does not know.
    Unknown(PlatformRecord),
}

/// The fields of a [`PlatformEvent`]: those that came.
///
/// A field that came with a value of a strange type is in [`other`](Self::other), as it came.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct PlatformRecord {
    pub(super) tag: Tag,
    /// `startTime`: when it began.
    pub start_time: Option<Timestamp>,
    /// `endTime`: when it ended; of reports.
    pub end_time: Option<Timestamp>,
    /// `traceId` (D): the request ID of the invocation (I).
    pub trace_id: Option<String>,
    /// `status`, trimmed: `success` (D), or any other word (?: the page has no list); from `…RuntimeDone` on.
    pub status: Option<String>,
    /// `metrics`, of reports.
    pub metrics: Option<Metrics>,
    /// Any further fields.
    pub other: Map<String, Value>,
}

/// The measurements of a report, each as the platform wrote it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Metrics(pub(super) Map<String, Value>);

impl PlatformEvent {
    /// Returns the subtype as the platform wrote it, trimmed: `platform.start`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.record().tag.text()
    }

    /// Returns the event's fields.
    #[must_use]
    pub fn record(&self) -> &PlatformRecord {
        match self {
            Self::InitStart(record)
            | Self::InitRuntimeDone(record)
            | Self::InitReport(record)
            | Self::Start(record)
            | Self::RuntimeDone(record)
            | Self::Report(record)
            | Self::RestoreStart(record)
            | Self::RestoreRuntimeDone(record)
            | Self::RestoreReport(record)
            | Self::Unknown(record) => record,
        }
    }

    /// Makes an event by its subtype, without the `platform.` before it.
    pub(super) fn new(subtype: &str, record: PlatformRecord) -> Self {
        type Make = fn(PlatformRecord) -> PlatformEvent;
        const SUBTYPES: [(&str, Make); 9] = [
            ("initStart", PlatformEvent::InitStart),
            ("initRuntimeDone", PlatformEvent::InitRuntimeDone),
            ("initReport", PlatformEvent::InitReport),
            ("start", PlatformEvent::Start),
            ("runtimeDone", PlatformEvent::RuntimeDone),
            ("report", PlatformEvent::Report),
            ("restoreStart", PlatformEvent::RestoreStart),
            ("restoreRuntimeDone", PlatformEvent::RestoreRuntimeDone),
            ("restoreReport", PlatformEvent::RestoreReport),
        ];
        let make = SUBTYPES
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(subtype))
            .map_or(PlatformEvent::Unknown as Make, |(_, make)| *make);
        make(record)
    }
}

impl PlatformRecord {
    /// Returns whether `status` is `success` (D 2711), in upper or lower case.
    ///
    /// `false` is not a failure: there may be no status, and the page names no other than `success` (?). What the
    /// platform wrote is in [`status`](Self::status).
    #[must_use]
    pub fn is_success(&self) -> bool {
        let status = self.status.as_deref();
        status.is_some_and(|status| status.eq_ignore_ascii_case("success"))
    }
}

impl Metrics {
    /// Returns `durationMs`: how long it took, in milliseconds (D 2711).
    #[must_use]
    pub fn duration_ms(&self) -> Option<f64> {
        self.number("durationMs")
    }

    /// Returns `billedDurationMs`: the time that is billed, in milliseconds (I).
    #[must_use]
    pub fn billed_duration_ms(&self) -> Option<f64> {
        self.number("billedDurationMs")
    }

    /// Returns `memorySizeMB`: the memory that the function may have, in MB (I).
    #[must_use]
    pub fn memory_size_mb(&self) -> Option<f64> {
        self.number("memorySizeMB")
    }

    /// Returns `maxMemoryUsedMB`: the most memory that was used, in MB (I).
    #[must_use]
    pub fn max_memory_used_mb(&self) -> Option<f64> {
        self.number("maxMemoryUsedMB")
    }

    /// Returns `initDurationMs`: how long the initialisation took, in milliseconds (I).
    #[must_use]
    pub fn init_duration_ms(&self) -> Option<f64> {
        self.number("initDurationMs")
    }

    /// Returns any metric by its name, as the platform wrote it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// Iterates over all metrics, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Returns a metric as a number; a text may hold one too.
    fn number(&self, name: &str) -> Option<f64> {
        match self.0.get(name)? {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        }
    }
}

impl Serialize for PlatformEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let PlatformRecord {
            tag,
            start_time,
            end_time,
            trace_id,
            status,
            metrics,
            other,
        } = self.record();
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry(tag.key(), tag.text())?;
        entry(&mut map, "startTime", start_time)?;
        entry(&mut map, "endTime", end_time)?;
        entry(&mut map, "traceId", trace_id)?;
        entry(&mut map, "status", status)?;
        entry(&mut map, "metrics", metrics)?;
        for (name, value) in other {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

pub(super) fn entry<M: SerializeMap>(
    map: &mut M,
    name: &str,
    value: &Option<impl Serialize>,
) -> Result<(), M::Error> {
    match value {
        Some(value) => map.serialize_entry(name, value),
        None => Ok(()),
    }
}
