use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::Tag;
use super::Timestamp;

/// What the platform tells of an instance's lifecycle, and of each invocation (D 2711).
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
    /// Of a subtype that this version of the crate does not know.
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
    /// `status`, trimmed: `success`, or how it failed (?: the page has no list); from `…RuntimeDone` on.
    pub status: Option<String>,
    /// `metrics`, of reports.
    pub metrics: Option<Metrics>,
    /// Whatever further fields came.
    pub other: Map<String, Value>,
}

/// What was measured, field by field as it came.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Metrics(pub(super) Map<String, Value>);

impl PlatformEvent {
    /// The subtype as the platform wrote it, trimmed: `platform.start`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.record().tag.text()
    }

    /// Its fields.
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

    /// By its subtype, which may lack the `platform.` before it.
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
    /// Whether `status` says that all went well; nothing if there is no status, or an empty one.
    ///
    /// `success` is the page's word (D 2711); `ok`, `succeeded` and the 200s of HTTP are taken for it too (?).
    #[must_use]
    pub fn is_success(&self) -> Option<bool> {
        let status = self.status.as_deref().filter(|status| !status.is_empty())?;
        let well = ["success", "succeeded", "ok"];
        let is_200 = status
            .parse()
            .is_ok_and(|status| (200..300).contains(&status));
        Some(is_200 || well.iter().any(|word| word.eq_ignore_ascii_case(status)))
    }
}

impl Metrics {
    /// `durationMs`: how long it took, in milliseconds (D 2711).
    #[must_use]
    pub fn duration_ms(&self) -> Option<f64> {
        self.number("durationMs")
    }

    /// `billedDurationMs`: for how long it is paid, in milliseconds (I).
    #[must_use]
    pub fn billed_duration_ms(&self) -> Option<f64> {
        self.number("billedDurationMs")
    }

    /// `memorySizeMB`: the memory that the function may have, in MB (I).
    #[must_use]
    pub fn memory_size_mb(&self) -> Option<f64> {
        self.number("memorySizeMB")
    }

    /// `maxMemoryUsedMB`: the most memory that was used, in MB (I).
    #[must_use]
    pub fn max_memory_used_mb(&self) -> Option<f64> {
        self.number("maxMemoryUsedMB")
    }

    /// `initDurationMs`: how long the initialisation took, in milliseconds (I).
    #[must_use]
    pub fn init_duration_ms(&self) -> Option<f64> {
        self.number("initDurationMs")
    }

    /// Any metric by its name, as it came.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// A text may hold a number too.
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
