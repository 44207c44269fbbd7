//! Platform events.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::Tag;
use super::Timestamp;

/// An event of the platform about the lifecycle of the instance or about an invocation (D 2711).
///
/// Names are matched case-insensitively, since the page contains both `platform.RuntimeDone` and
/// `platform.initRuntimeDone`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum PlatformEvent {
    /// `platform.initStart`: the initialization of the function starts.
    InitStart(PlatformRecord),
    /// `platform.initRuntimeDone`: the runtime has initialized the function.
    InitRuntimeDone(PlatformRecord),
    /// `platform.initReport`: the duration and other metrics of the initialization.
    InitReport(PlatformRecord),
    /// `platform.start`: an invocation starts.
    Start(PlatformRecord),
    /// `platform.runtimeDone`: the runtime has handled the invocation.
    RuntimeDone(PlatformRecord),
    /// `platform.report`: the duration and other metrics of the invocation.
    Report(PlatformRecord),
    /// `platform.restoreStart`: the restoration of the instance from a snapshot starts (I: only for Java functions on
    /// x86).
    RestoreStart(PlatformRecord),
    /// `platform.restoreRuntimeDone`: the runtime has been restored.
    RestoreRuntimeDone(PlatformRecord),
    /// `platform.restoreReport`: the duration and other metrics of the restoration.
    RestoreReport(PlatformRecord),
    /// An event with a name that is not known to this version of the crate.
    Unknown(PlatformRecord),
}

/// The fields of a [`PlatformEvent`].
///
/// A field whose value has an unexpected type is in [`other`](Self::other), unchanged.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct PlatformRecord {
    pub(super) tag: Tag,
    /// The field `startTime`: when the initialization, invocation or restoration started.
    pub start_time: Option<Timestamp>,
    /// The field `endTime` of reports: when it ended.
    pub end_time: Option<Timestamp>,
    /// The field `traceId` (D): the request ID of the invocation (I).
    pub trace_id: Option<String>,
    /// The field `status`, trimmed. `…RuntimeDone` events and reports have one.
    ///
    /// The page documents `success` (D). Other values are unknown (?).
    pub status: Option<String>,
    /// The field `metrics` of reports.
    pub metrics: Option<Metrics>,
    /// All other fields.
    pub other: Map<String, Value>,
}

/// The metrics of a report.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Metrics(pub(super) Map<String, Value>);

impl PlatformEvent {
    /// Returns the trimmed name of the event, such as `platform.start`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.record().tag.text()
    }

    /// Returns the fields of the event.
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

    /// Creates an event from its subtype, which is the part of the name after `platform.`.
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
    /// Returns `true` if [`status`](Self::status) is `success` (D 2711), in upper or lower case.
    ///
    /// `false` does not imply a failure: the event may have no status, or one that is not documented (?).
    #[must_use]
    pub fn is_success(&self) -> bool {
        let status = self.status.as_deref();
        status.is_some_and(|status| status.eq_ignore_ascii_case("success"))
    }
}

impl Metrics {
    /// Returns `durationMs`: the duration in milliseconds (D 2711).
    #[must_use]
    pub fn duration_ms(&self) -> Option<f64> {
        self.number("durationMs")
    }

    /// Returns `billedDurationMs`: the billed duration in milliseconds (I).
    #[must_use]
    pub fn billed_duration_ms(&self) -> Option<f64> {
        self.number("billedDurationMs")
    }

    /// Returns `memorySizeMB`: the memory limit of the function in MB (I).
    #[must_use]
    pub fn memory_size_mb(&self) -> Option<f64> {
        self.number("memorySizeMB")
    }

    /// Returns `maxMemoryUsedMB`: the maximum memory used, in MB (I).
    #[must_use]
    pub fn max_memory_used_mb(&self) -> Option<f64> {
        self.number("maxMemoryUsedMB")
    }

    /// Returns `initDurationMs`: the duration of the initialization in milliseconds (I).
    #[must_use]
    pub fn init_duration_ms(&self) -> Option<f64> {
        self.number("initDurationMs")
    }

    /// Returns the metric with the given name, unchanged.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// Returns an iterator over the names and values of all metrics.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Returns a metric as a number. It may also be a string that contains a number.
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
