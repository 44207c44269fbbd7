//! Platform events.

use std::borrow::Cow;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::event_text::EventText;
use super::layout::{EventKind, Span};
use super::timestamp;
use crate::json;

/// An event of the platform about the lifecycle of the instance or about an invocation (D 2713).
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct PlatformEvent(pub(super) EventText);

/// What a [`PlatformEvent`] is about.
///
/// Names are matched case-insensitively, since the page contains both `platform.RuntimeDone` and
/// `platform.initRuntimeDone`.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum PlatformEventKind {
    /// `platform.initStart`: the initialization of the function starts.
    InitStart,
    /// `platform.initRuntimeDone`: the runtime has initialized the function.
    InitRuntimeDone,
    /// `platform.initReport`: the duration and other metrics of the initialization.
    InitReport,
    /// `platform.start`: an invocation starts.
    Start,
    /// `platform.runtimeDone`: the runtime has handled the invocation.
    RuntimeDone,
    /// `platform.report`: the duration and other metrics of the invocation.
    Report,
    /// `platform.restoreStart`: the restoration of the instance from a snapshot starts (I: only for Java functions on
    /// x86).
    RestoreStart,
    /// `platform.restoreRuntimeDone`: the runtime has been restored.
    RestoreRuntimeDone,
    /// `platform.restoreReport`: the duration and other metrics of the restoration.
    RestoreReport,
    /// An event with a name that is not known to this version of the crate.
    Unknown,
}

/// The metrics of a report.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Metrics<'a>(&'a str);

impl PlatformEvent {
    /// Returns what the event is about, according to its name.
    #[must_use]
    pub fn kind(&self) -> PlatformEventKind {
        match self.0.layout().kind {
            EventKind::Platform(kind) => kind,
            _ => PlatformEventKind::Unknown,
        }
    }

    /// Returns the name of the event, such as `platform.start`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.get(self.0.layout().name).unwrap_or_default()
    }

    /// Returns the field `startTime`: when the initialization, invocation or restoration started.
    ///
    /// `None` if the field is missing or is not a [`Timestamp`](crate::Timestamp).
    #[must_use]
    pub fn start_time(&self) -> Option<SystemTime> {
        self.time(self.0.layout().time)
    }

    /// Returns the field `endTime` of reports: when it ended.
    ///
    /// `None` if the field is missing or is not a [`Timestamp`](crate::Timestamp).
    #[must_use]
    pub fn end_time(&self) -> Option<SystemTime> {
        self.time(self.0.layout().end_time)
    }

    /// Returns the field `traceId` (D): the request ID of the invocation (I).
    #[must_use]
    pub fn trace_id(&self) -> Option<&str> {
        self.0.get(self.0.layout().trace_id)
    }

    /// Returns the field `status`. `…RuntimeDone` events and reports have one.
    ///
    /// The page documents `success` (D). Other values are unknown (?).
    #[must_use]
    pub fn status(&self) -> Option<&str> {
        self.0.get(self.0.layout().status)
    }

    /// Returns `true` if [`status`](Self::status) is `success` (D 2713), in upper or lower case.
    ///
    /// `false` does not imply a failure: the event may have no status, or one that is not documented (?).
    #[must_use]
    pub fn is_success(&self) -> bool {
        let status = self.status();
        status.is_some_and(|status| status.eq_ignore_ascii_case("success"))
    }

    /// Returns the field `metrics` of reports.
    #[must_use]
    pub fn metrics(&self) -> Option<Metrics<'_>> {
        self.0.get(self.0.layout().content).map(Metrics)
    }

    fn time(&self, span: Span) -> Option<SystemTime> {
        timestamp::parse(self.0.get(span)?)
    }
}

impl PlatformEventKind {
    /// Returns the kind for the part of a name after `platform.`.
    pub(super) fn of(subtype: &str) -> Self {
        const KINDS: [(&str, PlatformEventKind); 9] = [
            ("start", PlatformEventKind::Start),
            ("runtimeDone", PlatformEventKind::RuntimeDone),
            ("report", PlatformEventKind::Report),
            ("initStart", PlatformEventKind::InitStart),
            ("initRuntimeDone", PlatformEventKind::InitRuntimeDone),
            ("initReport", PlatformEventKind::InitReport),
            ("restoreStart", PlatformEventKind::RestoreStart),
            ("restoreRuntimeDone", PlatformEventKind::RestoreRuntimeDone),
            ("restoreReport", PlatformEventKind::RestoreReport),
        ];
        let mut kinds = KINDS.iter();
        let found = kinds.find(|(name, _)| name.eq_ignore_ascii_case(subtype));
        found.map_or(Self::Unknown, |(_, kind)| *kind)
    }
}

impl<'a> Metrics<'a> {
    /// Returns `durationMs`: the duration in milliseconds (D 2713).
    #[must_use]
    pub fn duration_ms(self) -> Option<f64> {
        self.number("durationMs")
    }

    /// Returns `billedDurationMs`: the billed duration in milliseconds (I).
    #[must_use]
    pub fn billed_duration_ms(self) -> Option<f64> {
        self.number("billedDurationMs")
    }

    /// Returns `memorySizeMB`: the memory limit of the function in MB (I).
    #[must_use]
    pub fn memory_size_mb(self) -> Option<f64> {
        self.number("memorySizeMB")
    }

    /// Returns `maxMemoryUsedMB`: the maximum memory used, in MB (I).
    #[must_use]
    pub fn max_memory_used_mb(self) -> Option<f64> {
        self.number("maxMemoryUsedMB")
    }

    /// Returns `initDurationMs`: the duration of the initialization in milliseconds (I).
    #[must_use]
    pub fn init_duration_ms(self) -> Option<f64> {
        self.number("initDurationMs")
    }

    /// Returns a metric as a number. It may also be a string that contains a number.
    #[must_use]
    pub fn number(self, name: &str) -> Option<f64> {
        json::number(json::field(self.0, name)?)
    }

    /// Deserializes a metric. Returns `None` if there is no such metric, or if it is not a `T`.
    #[must_use]
    pub fn get<T: Deserialize<'a>>(self, name: &str) -> Option<T> {
        json::parse_field(self.0, name)
    }

    /// Returns an iterator over the names and the JSON of all metrics, in order.
    pub fn iter(self) -> impl Iterator<Item = (Cow<'a, str>, &'a str)> {
        json::fields(self.0)
    }
}
