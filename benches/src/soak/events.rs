//! The telemetry and the invocations that are posted. Each event can be recognized where it is delivered.

use std::ops::Range;
use std::time::SystemTime;

use crate::http;

/// What each event contains, before its number of ten digits.
pub(crate) const LOG_PREFIX: &str = "soak-";

/// The trace ID of an invocation, before its number of twelve hexadecimal digits.
pub(crate) const TRACE_PREFIX: &str = "3da1f2dc-3222-475e-9205-";

/// The events of a batch.
const BATCH: u64 = 25;

/// How the events are numbered: each invocation has the same number of them.
#[derive(Clone, Copy)]
pub(crate) struct Numbering {
    /// Events of one invocation: `platform.start` first, then log lines, `platform.RuntimeDone` and `platform.report`.
    pub(crate) per_invocation: u64,
}

/// Consecutive events that are posted together.
pub(crate) struct Batch {
    /// The first number, and the one after the last.
    pub(crate) events: Range<u64>,
    pub(crate) request: Vec<u8>,
}

impl Numbering {
    /// Returns the batch that starts with this event. A batch does not extend beyond its invocation.
    pub(crate) fn batch(self, first: u64) -> Batch {
        let end = (first / self.per_invocation + 1) * self.per_invocation;
        let events = first..end.min(first + BATCH);
        let time = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
        let bodies: Vec<_> = events.clone().map(|it| self.event(it, &time)).collect();
        let request = http::post("/", format!("[{}]", bodies.join(",")).as_bytes());
        Batch { events, request }
    }

    pub(crate) fn is_log(self, event: u64) -> bool {
        let position = event % self.per_invocation;
        position > 0 && position < self.per_invocation - 2
    }

    /// Returns the invocation that ends with this event.
    pub(crate) fn completed_by(self, event: u64) -> Option<u64> {
        let is_last = event % self.per_invocation == self.per_invocation - 1;
        is_last.then(|| event / self.per_invocation)
    }

    fn event(self, event: u64, time: &str) -> String {
        let (id, number) = (
            trace_id(event / self.per_invocation),
            format!("{LOG_PREFIX}{event:010}"),
        );
        if self.is_log(event) {
            return format!(
                r#"{{"time":"{time}","type":"function","record":"{time} {id} INFO {number} a line of the function's log"}}"#
            );
        }
        let fields = format!(r#""soak":"{number}","startTime":"{time}","traceId":"{id}""#);
        if event.is_multiple_of(self.per_invocation) {
            format!(r#"{{"name":"platform.start",{fields}}}"#)
        } else if self.completed_by(event).is_none() {
            format!(r#"{{"name":"platform.RuntimeDone",{fields},"status":"success"}}"#)
        } else {
            format!(
                r#"{{"name":"platform.report",{fields},"endTime":"{time}","status":"success","metrics":{{"durationMs":12.5,"billedDurationMs":13,"memorySizeMB":128,"maxMemoryUsedMB":36.5}}}}"#
            )
        }
    }
}

/// Returns the request that posts an invocation.
pub(crate) fn invocation(number: u64) -> Vec<u8> {
    let id = trace_id(number);
    let body = format!(
        r#"{{"traceId":"{id}","invokedFunctionUrn":"sn:cn:yrk:1111:function:0@test@hello:latest"}}"#
    );
    http::post("/extension/invoke", body.as_bytes())
}

fn trace_id(invocation: u64) -> String {
    format!("{TRACE_PREFIX}{invocation:012x}")
}

/// Returns the numbers of `digits` digits that follow each `prefix`.
pub(crate) fn numbers(
    body: &[u8],
    prefix: &'static str,
    digits: usize,
    radix: u32,
) -> impl Iterator<Item = u64> {
    let length = prefix.len();
    positions(body, prefix.as_bytes()).filter_map(move |it| {
        let number: Range<usize> = it + length..it + length + digits;
        u64::from_str_radix(str::from_utf8(body.get(number)?).ok()?, radix).ok()
    })
}

fn positions<'a>(body: &'a [u8], text: &'static [u8]) -> impl Iterator<Item = usize> + 'a {
    let windows = body.windows(text.len()).enumerate();
    windows.filter_map(move |(index, window)| (window == text).then_some(index))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_cover_each_event_once() {
        let numbering = Numbering { per_invocation: 60 };
        let (mut next, mut names) = (0, Vec::new());
        while next < 120 {
            let batch = numbering.batch(next);
            assert_eq!(batch.events.start, next);
            let message = http::parse(&batch.request).unwrap();
            let events: Vec<serde_json::Value> =
                serde_json::from_slice(&batch.request[message.body]).unwrap();
            assert_eq!(events.len() as u64, batch.events.end - next);
            for (number, event) in batch.events.clone().zip(&events) {
                assert!(event.to_string().contains(&format!("soak-{number:010}")));
                let is_log = event["type"] == "function";
                assert_eq!(numbering.is_log(number), is_log);
                names.extend(event["name"].as_str().map(str::to_owned));
            }
            next = batch.events.end;
        }
        let one = ["platform.start", "platform.RuntimeDone", "platform.report"];
        assert_eq!(names, [one, one].concat());
        assert_eq!(numbering.completed_by(119), Some(1));
        assert_eq!(numbering.completed_by(118), None);
    }
}
