//! The body of a batch of telemetry.

// A panic is how a target reports a problem.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::time::{Duration, SystemTime};

use serde_json::Value;
use serde_json::value::RawValue;

use super::batch::{Batch, MAX_BATCH_BYTES, MAX_BATCH_EVENTS};
pub(crate) use super::delivery::Delivery;
pub(crate) use super::server::respond;
use crate::fuzzing::reference::{self, TrailingCommas};
use crate::{LogEvent, PlatformEvent, PlatformEventKind, TelemetryEvent};

/// Compares the events of a batch with what `serde_json` reads.
pub fn telemetry(data: &[u8]) {
    let texts = reference::candidates(data, TrailingCommas::Ignored);
    let mut arrays = texts
        .iter()
        .filter_map(|text| serde_json::from_str(text).ok());
    let expected: Option<Vec<&RawValue>> = arrays.next();
    let batches = Batch::read(data.to_vec().into());
    let (Ok(batches), Some(expected)) = (&batches, &expected) else {
        let error = batches.as_ref().err();
        assert_eq!(error.is_none(), expected.is_some(), "{error:?}");
        assert!(error.is_none_or(|error| !error.is_empty() && error.chars().count() < 500));
        return;
    };
    check_batches(batches, expected);
    for event in events(batches) {
        check_event(&event);
    }
    // Large batches are split, which takes time.
    let sum = data.iter().fold(0, |sum: u8, byte| sum.wrapping_add(*byte));
    if sum.is_multiple_of(64) && !expected.is_empty() {
        let texts: Vec<_> = expected.iter().map(|json| json.get()).collect();
        let length = texts.iter().map(|text| text.len() + 1).sum::<usize>();
        let copies = (MAX_BATCH_EVENTS as usize / texts.len()).min(2 * MAX_BATCH_BYTES / length);
        let body = format!("[{}]", vec![texts.join(","); copies + 1].join(","));
        let batches = Batch::read(body.into()).unwrap();
        check_batches(&batches, &expected.repeat(copies + 1));
    }
}

fn events(batches: &[Batch]) -> Vec<TelemetryEvent> {
    let mut events = Vec::new();
    batches
        .iter()
        .for_each(|batch| batch.append_to(&mut events));
    events
}

/// Returns the JSON of the events in a body, or `None` if it is not a batch.
pub(crate) fn events_in(body: &[u8]) -> Option<Vec<String>> {
    let batches = Batch::read(body.to_vec().into()).ok()?;
    let events = events(&batches);
    Some(events.iter().map(|event| event.json().to_owned()).collect())
}

/// Tests that the batches contain these events, and that they are as small as they should be.
fn check_batches(batches: &[Batch], expected: &[&RawValue]) {
    for batch in batches {
        let mut events = Vec::new();
        batch.append_to(&mut events);
        assert_eq!(batch.events(), events.len() as u64);
        assert!((1..=MAX_BATCH_EVENTS).contains(&batch.events()));
        let text: usize = events.iter().map(|event| event.json().len()).sum();
        assert!(text <= MAX_BATCH_BYTES || events.len() == 1);
        // SECURITY.md promises twice the buffer. Text with escapes is stored twice, and replacements are longer.
        let most = 200 + 100 * events.len() + 5 * batch.text_bytes() / 2;
        assert!(batch.bytes() <= most, "{} > {most}", batch.bytes());
        assert!(text <= batch.text_bytes() && text <= batch.bytes());
    }
    let events = events(batches);
    assert_eq!(events.len(), expected.len());
    for (event, expected) in events.iter().zip(expected) {
        assert_eq!(event.json(), expected.get());
    }
}

/// Compares what the methods of an event return with its fields.
fn check_event(event: &TelemetryEvent) {
    let json = event.json();
    let again: TelemetryEvent = serde_json::from_str(json).unwrap();
    assert_eq!(again, *event);
    assert_eq!(serde_json::to_string(event).unwrap(), json);
    assert_eq!(again.trace_id(), event.trace_id());
    let fields = reference::fields(json).unwrap_or_default();
    let fields = Fields(&fields);
    let mut typed = Vec::new();
    let kind = fields.kind();
    match (event, &kind) {
        (TelemetryEvent::Platform(event), Some((Kind::Platform(kind), key, name))) => {
            typed.push(*key);
            assert_eq!((event.kind(), event.name()), (*kind, &**name));
            check_platform_event(event, &fields, &mut typed);
        }
        (TelemetryEvent::Function(log), Some((Kind::Function, key, _)))
        | (TelemetryEvent::Extension(log), Some((Kind::Extension, key, _))) => {
            typed.push(*key);
            check_log(log, &fields, &mut typed);
        }
        (TelemetryEvent::Unknown(_), None) => assert_eq!(event.trace_id(), None),
        _ => panic!("expected {kind:?}, not {event:?}"),
    }
    let other: Vec<_> = event
        .other()
        .map(|(name, json)| (name.into_owned(), json))
        .collect();
    let expected = fields
        .0
        .iter()
        .filter(|(name, _)| !typed.contains(&name.as_str()));
    let expected: Vec<_> = expected
        .map(|(name, json)| (name.clone(), json.as_str()))
        .collect();
    assert_eq!(other, expected);
    for (name, _) in fields.0 {
        let value = fields
            .json(name)
            .and_then(|json| serde_json::from_str(json).ok());
        assert_eq!(event.field::<Value>(name), value, "{name}");
    }
}

#[derive(Debug)]
enum Kind {
    Platform(PlatformEventKind),
    Function,
    Extension,
}

/// The fields of an event. Of several with the same name, the last one counts.
struct Fields<'a>(&'a [(String, String)]);

impl Fields<'_> {
    fn json(&self, name: &str) -> Option<&str> {
        reference::field(self.0, name)
    }

    /// Returns the trimmed text of a string.
    fn text(&self, name: &str) -> Option<String> {
        let text = reference::string(self.json(name)?)?;
        Some(text.trim().to_owned())
    }

    /// Returns the kind of an event, with the name and the text of the field that determines it.
    fn kind(&self) -> Option<(Kind, &'static str, String)> {
        let (name, r#type) = (self.text("name"), self.text("type"));
        let by_name = name.as_deref().and_then(kind);
        let by_type = r#type.as_deref().and_then(kind);
        let name = name.map(|name| ("name", name));
        let r#type = r#type.map(|r#type| ("type", r#type));
        let (kind, (key, text)) = match (by_name, by_type) {
            (Some(kind @ Kind::Platform(_)), _) => (kind, name?),
            (None, Some(Kind::Platform(of_type))) => match name {
                Some(name) => (Kind::Platform(subtype(&name.1)), name),
                None => (Kind::Platform(of_type), r#type?),
            },
            (_, Some(kind)) => (kind, r#type?),
            (Some(kind), None) => (kind, name?),
            (None, None) => return None,
        };
        Some((kind, key, text))
    }
}

fn kind(text: &str) -> Option<Kind> {
    let text = text.to_ascii_lowercase();
    match (text.strip_prefix("platform."), &*text) {
        (Some(name), _) => Some(Kind::Platform(subtype(name.trim_start()))),
        (None, "platform") => Some(Kind::Platform(PlatformEventKind::Unknown)),
        (None, "function") => Some(Kind::Function),
        (None, "extension") => Some(Kind::Extension),
        (None, _) => None,
    }
}

fn subtype(name: &str) -> PlatformEventKind {
    match &*name.to_ascii_lowercase() {
        "initstart" => PlatformEventKind::InitStart,
        "initruntimedone" => PlatformEventKind::InitRuntimeDone,
        "initreport" => PlatformEventKind::InitReport,
        "start" => PlatformEventKind::Start,
        "runtimedone" => PlatformEventKind::RuntimeDone,
        "report" => PlatformEventKind::Report,
        "restorestart" => PlatformEventKind::RestoreStart,
        "restoreruntimedone" => PlatformEventKind::RestoreRuntimeDone,
        "restorereport" => PlatformEventKind::RestoreReport,
        _ => PlatformEventKind::Unknown,
    }
}

fn check_platform_event(event: &PlatformEvent, fields: &Fields, typed: &mut Vec<&str>) {
    check_time(event.start_time(), "startTime", fields, typed);
    check_time(event.end_time(), "endTime", fields, typed);
    let (trace_id, status) = (fields.text("traceId"), fields.text("status"));
    assert_eq!(event.trace_id(), trace_id.as_deref());
    assert_eq!(event.status(), status.as_deref());
    let is_success = status
        .as_ref()
        .map(|status| status.to_lowercase() == "success");
    assert_eq!(event.is_success(), is_success.unwrap_or(false));
    typed.extend(trace_id.map(|_| "traceId"));
    typed.extend(status.map(|_| "status"));
    let expected = fields.json("metrics").and_then(reference::fields);
    assert_eq!(event.metrics().is_some(), expected.is_some());
    let (Some(metrics), Some(expected)) = (event.metrics(), expected) else {
        return;
    };
    typed.push("metrics");
    let all: Vec<_> = metrics
        .iter()
        .map(|(name, json)| (name.into_owned(), json.to_owned()))
        .collect();
    assert_eq!(all, expected);
    for (name, _) in &expected {
        let json = reference::field(&expected, name).unwrap();
        let number = match reference::string(json) {
            Some(text) => text.trim().parse().ok(),
            None => json.parse().ok(),
        };
        assert_eq!(
            metrics.number(name),
            number.filter(|number: &f64| number.is_finite())
        );
        assert_eq!(metrics.get::<Value>(name), serde_json::from_str(json).ok());
    }
    assert_eq!(metrics.duration_ms(), metrics.number("durationMs"));
}

fn check_log(log: &LogEvent, fields: &Fields, typed: &mut Vec<&str>) {
    check_time(log.time(), "time", fields, typed);
    let record = fields.json("record");
    assert_eq!(log.record_json(), record);
    typed.extend(record.map(|_| "record"));
    let text = record.map(|json| reference::string(json).unwrap_or_else(|| json.to_owned()));
    assert_eq!(log.text(), text.unwrap_or_default());
    let in_record = record.and_then(reference::fields).unwrap_or_default();
    let in_record = Fields(&in_record);
    let ids = [
        fields.text("traceId"),
        fields.text("requestId"),
        in_record.text("traceId"),
        in_record.text("requestId"),
    ];
    let mut ids = ids.iter().flatten().filter(|id| !id.is_empty());
    assert_eq!(log.trace_id(), ids.next().map(String::as_str));
}

/// Compares a time with the field that it comes from.
fn check_time<'a>(
    time: Option<SystemTime>,
    name: &'a str,
    fields: &Fields,
    typed: &mut Vec<&'a str>,
) {
    let is_time = |json: &&str| {
        json.starts_with(['"', '-']) || json.starts_with(|c: char| c.is_ascii_digit())
    };
    let Some(json) = fields.json(name).filter(is_time) else {
        assert_eq!(time, None);
        return;
    };
    typed.push(name);
    let rfc3339 = |text: &str| humantime::parse_rfc3339(&text.to_ascii_uppercase()).ok();
    if let Some(text) = reference::string(json) {
        let text = text.trim();
        if let Some(utc) = rfc3339(text).filter(|_| text.ends_with(['Z', 'z'])) {
            assert_eq!(time, Some(utc));
        } else if let Some(time) = time {
            // The local time is the time plus the offset.
            let (local, offset) = text.split_at(text.len() - "+00:00".len());
            let number = |digits: &str| digits.parse::<u64>().unwrap();
            assert!(
                number(&offset[1..3]) < 24 && number(&offset[4..]) < 60,
                "{text}"
            );
            let offset_time = 3600 * number(&offset[1..3]) + 60 * number(&offset[4..]);
            let offset_time = Duration::from_secs(offset_time);
            let local = rfc3339(&format!("{local}Z")).unwrap();
            assert_eq!(
                local,
                match offset.as_bytes() {
                    [b'+', ..] => time + offset_time,
                    [b'-', ..] => time - offset_time,
                    _ => panic!("{text} has no offset"),
                }
            );
        }
        return;
    }
    let number: f64 = json.parse().unwrap();
    let since = time.map(|time| time.duration_since(SystemTime::UNIX_EPOCH).unwrap());
    let units = [(1e11, 1.0), (1e14, 1e3), (1e17, 1e6), (f64::INFINITY, 1e9)];
    let expected = units.iter().find(|(limit, _)| number < *limit);
    match (since, expected.map(|(_, per_second)| number / per_second)) {
        (Some(since), Some(seconds)) => {
            let difference = (since.as_secs_f64() - seconds).abs();
            assert!(difference <= 1e-6 + seconds * 1e-12, "{json}: {since:?}");
        }
        (Some(_), None) => panic!("{json} is not a time"),
        // Before 1970, or so late that the microseconds since then do not fit into 64 bits.
        (None, Some(seconds)) => assert!(!(0.0..1e13).contains(&seconds), "{json}"),
        (None, None) => {}
    }
}
