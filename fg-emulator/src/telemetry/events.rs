//! Serializes telemetry events: platform events as documented (D 2713), log events as inferred (I).

use std::fmt::Display;
use std::time::{Duration, SystemTime};

use humantime::format_rfc3339_millis;
use serde::Serialize;

use super::TelemetryType;
use crate::function::settings::MEMORY_MB;

/// A phase of the instance's lifecycle, for which the platform emits three events.
#[derive(Clone, Copy, Debug)]
pub(super) struct Phase {
    subtypes: [&'static str; 3],
    start: SystemTime,
}

impl Phase {
    pub(super) fn init(start: SystemTime) -> Self {
        Self {
            subtypes: [
                "platform.initStart",
                "platform.initRuntimeDone",
                "platform.initReport",
            ],
            start,
        }
    }

    pub(super) fn restore(start: SystemTime) -> Self {
        Self {
            subtypes: [
                "platform.restoreStart",
                "platform.restoreRuntimeDone",
                "platform.restoreReport",
            ],
            start,
        }
    }

    pub(super) fn invocation(start: SystemTime) -> Self {
        Self {
            // The documentation spells `RuntimeDone` with a capital R here.
            subtypes: ["platform.start", "platform.RuntimeDone", "platform.report"],
            start,
        }
    }

    pub(super) fn start(self, trace_id: &str) -> String {
        json(&self.event(0, trace_id))
    }

    pub(super) fn runtime_done(self, trace_id: &str, status: &'static str) -> String {
        json(&PlatformEvent {
            status: Some(status),
            ..self.event(1, trace_id)
        })
    }

    pub(super) fn report(
        self,
        trace_id: &str,
        status: &'static str,
        duration: Duration,
        metrics: Metrics,
    ) -> String {
        json(&PlatformEvent {
            status: Some(status),
            end_time: Some(time(self.start + duration)),
            metrics: Some(metrics),
            ..self.event(2, trace_id)
        })
    }

    fn event(self, subtype: usize, trace_id: &str) -> PlatformEvent<'_> {
        PlatformEvent {
            name: self.subtypes[subtype],
            start_time: time(self.start),
            trace_id,
            status: None,
            end_time: None,
            metrics: None,
        }
    }
}

/// Returns the log line at the start of an invocation.
pub(super) fn start_line(trace_id: &str, at: SystemTime) -> String {
    let text = format!("Start invoke request '{trace_id}', version: latest");
    function_line(at, text)
}

/// Returns the log line at the end of an invocation. The used memory is always 0, because it is not measured.
pub(super) fn finish_line(trace_id: &str, start: SystemTime, duration: Duration) -> String {
    let billed = duration.as_micros().div_ceil(1000);
    let text = format!(
        "Finish invoke request '{trace_id}', duration: {:.3}ms, billing duration: {billed}ms, \
         memory used: 0.000MB, billing memory: {MEMORY_MB}MB",
        millis(duration)
    );
    function_line(start + duration, text)
}

/// Returns the event for a line that an extension or the function printed.
pub(super) fn printed_line(kind: TelemetryType, text: &str, at: SystemTime) -> String {
    log_event(kind, at, text)
}

/// Returns the event for a line of the function's log, in the format of the platform's logs (D).
pub(super) fn function_line(at: SystemTime, text: impl Display) -> String {
    log_event(TelemetryType::Function, at, &format!("{} {text}", time(at)))
}

fn log_event(kind: TelemetryType, at: SystemTime, record: &str) -> String {
    json(&LogEvent {
        time: time(at),
        kind: kind.to_string(),
        record,
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PlatformEvent<'a> {
    name: &'static str,
    start_time: String,
    trace_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metrics: Option<Metrics>,
}

/// The metrics of a report. Only `durationMs` is documented; the others are those of AWS (I).
#[derive(Serialize)]
pub(super) struct Metrics {
    #[serde(rename = "durationMs")]
    duration: f64,
    #[serde(rename = "billedDurationMs", skip_serializing_if = "Option::is_none")]
    billed: Option<u128>,
    #[serde(rename = "memorySizeMB", skip_serializing_if = "Option::is_none")]
    memory: Option<u32>,
    #[serde(rename = "initDurationMs", skip_serializing_if = "Option::is_none")]
    init: Option<f64>,
}

impl Metrics {
    pub(super) fn new(duration: Duration) -> Self {
        Self {
            duration: millis(duration),
            billed: None,
            memory: None,
            init: None,
        }
    }

    /// Adds the metrics of an invocation. The first invocation reports the duration of the initialization too.
    pub(super) fn billed(self, init: Option<Duration>) -> Self {
        Self {
            billed: Some((self.duration).ceil() as u128),
            memory: Some(MEMORY_MB),
            init: init.map(millis),
            ..self
        }
    }
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

#[derive(Serialize)]
struct LogEvent<'a> {
    time: String,
    #[serde(rename = "type")]
    kind: String,
    record: &'a str,
}

/// Formats a time in UTC with milliseconds. A time before 1970 counts as 1970.
fn time(time: SystemTime) -> String {
    format_rfc3339_millis(time.max(SystemTime::UNIX_EPOCH)).to_string()
}

fn json(event: &impl Serialize) -> String {
    // Serializing strings and numbers cannot fail.
    serde_json::to_string(event).unwrap_or_default()
}
