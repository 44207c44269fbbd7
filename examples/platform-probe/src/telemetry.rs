//! What telemetry looks like: the shape of each event, batches, repetitions, and the output of the probe itself.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Instant, SystemTime};

use serde_json::Value;
use serde_json::value::RawValue;

use crate::output::PREFIX;
use crate::redact::{Spread, Tally, class, known_word};
use crate::row::Row;
use crate::runs::{Runs, time};
use crate::shape::{Shape, without_trailing_commas};

/// Lines that the probe prints once, to see whether they come back.
pub(crate) const STDOUT_LINE: &str = "platform-probe: this line is on stdout";
pub(crate) const STDERR_LINE: &str = "platform-probe: this line is on stderr";

/// How many batches are remembered, to find those that are posted again.
const MAX_REMEMBERED: usize = 32;

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
        let Ok(events) = serde_json::from_str::<Vec<&RawValue>>(text) else {
            self.bodies.add(Shape::of_body(body));
            return false;
        };
        self.bodies.add(form);
        self.remember(body);
        let (own, events): (Vec<&str>, Vec<&str>) = events
            .into_iter()
            .map(RawValue::get)
            .partition(|it| it.contains(PREFIX));
        self.own_report += own.len();
        let size = events.len();
        if size > 0 {
            let (min, max) = self.sizes.unwrap_or((size, size));
            self.sizes = Some((min.min(size), max.max(size)));
        }
        for event in events {
            self.event(event, now, runs);
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
        if let Ok(shape) = serde_json::from_str::<Shape>(json) {
            self.shapes.add(format!("`{shape}`"));
        }
        for (line, stream) in [(STDOUT_LINE, "stdout"), (STDERR_LINE, "stderr")] {
            if json.contains(line) {
                self.own_lines.add(stream);
            }
        }
        let Ok(event) = serde_json::from_str::<Value>(json) else {
            return;
        };
        let name = event["name"]
            .as_str()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase();
        if name.starts_with("platform.restore") {
            self.restorations
                .add(known_word(&name).unwrap_or("another restore event"));
        }
        for (metric, value) in event["metrics"].as_object().into_iter().flatten() {
            let kind = if value.is_f64() {
                "float"
            } else if value.is_number() {
                "integer"
            } else {
                "no number"
            };
            self.metrics
                .add(format!("{}: {kind}", crate::redact::Name::new(metric)));
        }
        if let Some(status) = event["status"].as_str() {
            let other = || {
                format!(
                    "another word of {} characters",
                    status.trim().chars().count()
                )
            };
            self.statuses
                .add(known_word(status).map_or_else(other, str::to_owned));
        }
        let Some(id) = event["traceId"].as_str() else {
            return;
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
                run.start = time(&event["startTime"]);
                run.start_delivered.get_or_insert(now);
            }
            "platform.report" => {
                let run = runs.run(id);
                run.end = time(&event["endTime"]);
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
