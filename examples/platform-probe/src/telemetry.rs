//! What telemetry looks like: the shape of each event, batches, repetitions, and the output of the probe itself.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Instant, SystemTime};

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::output::PREFIX;
use crate::redact::{class, known_word};
use crate::row::Row;
use crate::runs::{Runs, time};
use crate::shape::{Shape, without_trailing_commas};
use crate::tally::{Spread, Tally};

/// Lines that the probe prints once, to see whether they come back.
pub(crate) const STDOUT_LINE: &str = "platform-probe: this line is on stdout";
pub(crate) const STDERR_LINE: &str = "platform-probe: this line is on stderr";

/// How many batches are remembered, to find those that are posted again.
const MAX_REMEMBERED: usize = 32;

/// How many events of a batch are looked at. A batch of 6 MB can have millions, and an invocation must not wait for them.
const MAX_EVENTS: usize = 5_000;

/// The batches of telemetry.
#[derive(Debug, Default)]
pub(crate) struct Telemetry {
    shapes: Tally,
    bodies: Tally,
    metrics: Tally,
    statuses: Tally,
    sizes: Option<(usize, usize)>,
    remembered: VecDeque<(u64, Instant)>,
    repeated: Spread,
    repetitions: u64,
    own_lines: Tally,
    /// How many lines of the printed report have come back. They count nowhere else.
    own_report: usize,
    init_ids: Tally,
    restorations: Tally,
}

impl Telemetry {
    /// Records a batch. Returns whether it is one.
    pub(crate) fn batch(&mut self, body: &[u8], runs: &mut Runs) -> bool {
        let now = SystemTime::now();
        let Ok(text) = std::str::from_utf8(body) else {
            self.bodies.add(Shape::of_body(body));
            return false;
        };
        let mended;
        let (text, form) = if serde_json::from_str::<&RawValue>(text).is_ok() {
            (text, "JSON array")
        } else {
            mended = without_trailing_commas(text);
            (mended.as_str(), "JSON array with trailing commas")
        };
        let mut size = 0;
        let is_batch = for_each_event(text, |event| {
            if event.contains(PREFIX) {
                self.own_report += 1;
                return;
            }
            size += 1;
            if size <= MAX_EVENTS {
                self.event(event, now, runs);
            }
        });
        if !is_batch {
            self.bodies.add(Shape::of_body(body));
            return false;
        }
        self.bodies.add(form);
        self.remember(body);
        if size > 0 {
            let (min, max) = self.sizes.unwrap_or((size, size));
            self.sizes = Some((min.min(size), max.max(size)));
        }
        true
    }

    fn remember(&mut self, body: &[u8]) {
        let mut hasher = DefaultHasher::new();
        body.hash(&mut hasher);
        let hash = hasher.finish();
        if let Some((_, first)) = self.remembered.iter().find(|(it, _)| *it == hash) {
            self.repetitions += 1;
            self.repeated.add(first.elapsed());
            return;
        }
        self.remembered.push_back((hash, Instant::now()));
        if self.remembered.len() > MAX_REMEMBERED {
            self.remembered.pop_front();
        }
    }

    fn event(&mut self, json: &str, now: SystemTime, runs: &mut Runs) {
        if let Ok(shape) = Shape::parse(json) {
            self.shapes.add(format!("`{shape}`"));
        }
        for (line, stream) in [(STDOUT_LINE, "stdout"), (STDERR_LINE, "stderr")] {
            if json.contains(line) {
                self.own_lines.add(stream);
            }
        }
        let Ok(event) = serde_json::from_str::<Fields>(json) else {
            return;
        };
        let text = |field: Option<&RawValue>| serde_json::from_str::<String>(field?.get()).ok();
        let name = text(event.name).unwrap_or_default();
        let name = name.trim().to_ascii_lowercase();
        if name.starts_with("platform.restore") {
            self.restorations
                .add(known_word(&name).unwrap_or("another restore event"));
        }
        let metrics = event.metrics.map(RawValue::get).unwrap_or_default();
        let metrics = serde_json::from_str::<BTreeMap<String, &RawValue>>(metrics);
        for (metric, value) in metrics.unwrap_or_default() {
            let value = value.get();
            let kind = match value.bytes().next() {
                Some(b'-' | b'0'..=b'9') if value.contains(['.', 'e', 'E']) => "float",
                Some(b'-' | b'0'..=b'9') => "integer",
                _ => "no number",
            };
            self.metrics
                .add(format!("{}: {kind}", crate::redact::Name::new(&metric)));
        }
        if let Some(status) = text(event.status) {
            let other = || {
                format!(
                    "another word of {} characters",
                    status.trim().chars().count()
                )
            };
            self.statuses
                .add(known_word(&status).map_or_else(other, str::to_owned));
        }
        let Some(id) = text(event.trace_id) else {
            return;
        };
        let id = id.as_str();
        let time = |field: Option<&RawValue>| {
            let value = serde_json::from_str::<Value>(field?.get()).ok()?;
            time(&value)
        };
        match name.as_str() {
            "platform.initstart" => {
                let known = if runs.is_known(id) {
                    "of an earlier invocation"
                } else {
                    "of no earlier invocation"
                };
                self.init_ids.add(format!("{}, {known}", class(id)));
            }
            "platform.start" => {
                let run = runs.run(id);
                run.start = time(event.start_time);
                run.start_delivered.get_or_insert(now);
            }
            "platform.report" => {
                let run = runs.run(id);
                run.end = time(event.end_time);
                run.end_delivered.get_or_insert(now);
            }
            _ => {}
        }
    }

    pub(crate) fn rows(&self) -> Vec<Row> {
        let seen = !self.bodies.is_empty();
        let sizes = self
            .sizes
            .map(|(min, max)| format!("{min} to {max} events"));
        let repeated = match self.repetitions {
            0 => "none".to_owned(),
            count => format!("{count}, {} after the first", self.repeated),
        };
        let mut own = self.own_lines.lines();
        if self.own_report > 0 {
            own.push("lines of the report".to_owned());
        }
        vec![
            Row::list(
                'D',
                "bodies: JSON arrays, with or without trailing commas",
                self.bodies.lines(),
            ),
            Row::new(
                '?',
                "events of a batch, without those about the report itself",
                sizes,
            ),
            Row::new(
                '?',
                "batches that are posted again",
                seen.then_some(repeated),
            ),
            Row::list(
                '?',
                "shape of each event, with log events (I: `time`, `type`, `record`)",
                self.shapes.lines(),
            ),
            Row::list(
                'I',
                "`metrics` besides `durationMs` (I: `billedDurationMs`, `memorySizeMB`, `maxMemoryUsedMB`, `initDurationMs`)",
                self.metrics.lines(),
            ),
            Row::list(
                '?',
                "values of `status` besides `success`",
                self.statuses.lines(),
            ),
            Row::list(
                '?',
                "`traceId` of `platform.initStart`",
                self.init_ids.lines(),
            ),
            Row::list(
                'I',
                "events about a restoration (I: of Java functions only)",
                self.restorations.lines(),
            ),
            Row::list(
                '?',
                "output of an extension comes back to it as telemetry",
                own,
            ),
        ]
    }
}

/// The fields of an event that are compared. They may have any type.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fields<'a> {
    #[serde(borrow, default)]
    name: Option<&'a RawValue>,
    #[serde(borrow, default)]
    status: Option<&'a RawValue>,
    #[serde(borrow, default)]
    trace_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    start_time: Option<&'a RawValue>,
    #[serde(borrow, default)]
    end_time: Option<&'a RawValue>,
    #[serde(borrow, default)]
    metrics: Option<&'a RawValue>,
}

/// Calls a function with each element of a JSON array, without a list of them. Returns whether the text is an array.
fn for_each_event<'a>(text: &'a str, then: impl FnMut(&'a str)) -> bool {
    struct Events<F>(F);

    impl<'de, F: FnMut(&'de str)> Visitor<'de> for Events<F> {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an array")
        }

        fn visit_seq<A: SeqAccess<'de>>(mut self, mut elements: A) -> Result<(), A::Error> {
            while let Some(element) = elements.next_element::<&RawValue>()? {
                (self.0)(element.get());
            }
            Ok(())
        }
    }

    // The whole text first, so that no event of a broken batch is recorded.
    serde_json::from_str::<IgnoredAny>(text).is_ok()
        && serde_json::Deserializer::from_str(text)
            .deserialize_seq(Events(then))
            .is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strange_batches_are_described() {
        let (mut telemetry, mut runs) = (Telemetry::default(), Runs::default());
        for (body, is_batch) in [
            (
                r#"[{"name": "platform.start", "traceId": 1, "status": [], "metrics": {"a": 1, "b": 1e3, "c": "x"}}, 1, [],]"#,
                true,
            ),
            (
                r#"[{"status": "odd", "metrics": []}, {"status": "odd""#,
                false,
            ),
            (r#"{"status": "odd"}"#, false),
            ("", false),
        ] {
            assert_eq!(
                telemetry.batch(body.as_bytes(), &mut runs),
                is_batch,
                "{body}"
            );
        }
        let many = format!("[{}1]", "1,".repeat(MAX_EVENTS + 1));
        assert!(telemetry.batch(many.as_bytes(), &mut runs));
        assert_eq!(
            telemetry.metrics.lines(),
            ["a: integer (1×)", "b: float (1×)", "c: no number (1×)"]
        );
        assert!(telemetry.statuses.is_empty());
        assert_eq!(telemetry.sizes, Some((3, MAX_EVENTS + 2)));
    }
}
