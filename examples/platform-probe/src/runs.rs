//! Compares the times of an invocation: of its event, of the response, of its telemetry, and of the function itself.

use std::collections::{BTreeMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, SystemTime};

use crate::redact::class;
use crate::row::Row;
use crate::tally::{Tally, time_class};

/// How many runs are compared.
const MAX_RUNS: usize = 64;

/// What is known about one run of the function. All times are of the clock of the instance.
#[derive(Debug, Default)]
pub(crate) struct Run {
    pub(crate) event: Option<SystemTime>,
    pub(crate) response: Option<SystemTime>,
    /// `startTime` and `endTime` of telemetry.
    pub(crate) start: Option<SystemTime>,
    pub(crate) end: Option<SystemTime>,
    /// When the batches with the first and the last event of the run arrived.
    pub(crate) start_delivered: Option<SystemTime>,
    pub(crate) end_delivered: Option<SystemTime>,
    /// When the function reported that its handler began and ended.
    pub(crate) handler_start: Option<SystemTime>,
    pub(crate) handler_end: Option<SystemTime>,
}

/// The latest runs by the hash of their trace ID. The IDs themselves are not kept, since they may be of any length.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    runs: BTreeMap<u64, Run>,
    order: VecDeque<u64>,
    events: u64,
    repeated: u64,
    in_flight: u32,
    most_in_flight: u32,
    ids: Tally,
    urns: Tally,
}

impl Runs {
    /// Returns the run with this ID.
    pub(crate) fn run(&mut self, id: &str) -> &mut Run {
        let key = hash(id);
        if !self.runs.contains_key(&key) {
            self.order.push_back(key);
            if self.order.len() > MAX_RUNS {
                let oldest = self.order.pop_front().unwrap_or_default();
                self.runs.remove(&oldest);
            }
        }
        self.runs.entry(key).or_default()
    }

    /// Records an event, and returns how many there were.
    pub(crate) fn event(&mut self, id: &str, urn: &str, at: SystemTime) -> u64 {
        self.ids.add(class(id));
        self.urns.add(class(urn));
        let run = self.run(id);
        let repeated = run.event.is_some();
        run.event.get_or_insert(at);
        self.repeated += u64::from(repeated);
        self.in_flight += 1;
        self.most_in_flight = self.most_in_flight.max(self.in_flight);
        self.events += 1;
        self.events
    }

    pub(crate) fn response(&mut self, id: &str) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.run(id).response = Some(SystemTime::now());
    }

    pub(crate) fn is_known(&self, id: &str) -> bool {
        self.runs
            .get(&hash(id))
            .is_some_and(|run| run.event.is_some())
    }

    pub(crate) fn invocation_rows(&self) -> Vec<Row> {
        let seen = self.events > 0;
        let concurrency = format!(
            "at most {} in flight; at most {} handlers at the same time, as the function reports it",
            self.most_in_flight,
            self.most_handlers()
        );
        let repeated = format!(
            "{} events had the trace ID of an earlier one",
            self.repeated
        );
        vec![
            Row::list('D', "`traceId`: its form", self.ids.lines()),
            Row::list(
                'I',
                "`invokedFunctionUrn`: public or internal form",
                self.urns.lines(),
            ),
            Row::new(
                'D',
                "several events can be in flight (the probe responds at once, unless with the experiment `slow-response`)",
                seen.then_some(concurrency),
            ),
            Row::new(
                '?',
                "is a request posted again with the same trace ID",
                seen.then_some(repeated),
            ),
            self.row(
                '?',
                "event against the run of the function, by telemetry",
                |run| Some(against(run.event?, run.start?, run.end)),
            ),
            self.row(
                '?',
                "event against the handler, as the function reports it",
                |run| Some(against(run.event?, run.handler_start?, run.handler_end)),
            ),
            self.row(
                '?',
                "does a response delay the function: beginning of the handler",
                |run| Some(relation(run.handler_start?, run.response?, "the response")),
            ),
            self.row(
                '?',
                "does a response delay the function: start in telemetry",
                |run| Some(relation(run.start?, run.response?, "the response")),
            ),
        ]
    }

    /// How many handlers ran at the same time.
    fn most_handlers(&self) -> usize {
        let handlers = self
            .runs
            .values()
            .filter_map(|run| Some((run.handler_start?, run.handler_end?)));
        let handlers: Vec<_> = handlers.collect();
        let at = |time| {
            let running = handlers
                .iter()
                .filter(|(start, end)| *start <= time && time < *end);
            running.count()
        };
        handlers
            .iter()
            .map(|(start, _)| at(*start))
            .max()
            .unwrap_or(0)
    }

    pub(crate) fn telemetry_rows(&self) -> Vec<Row> {
        vec![
            self.row(
                'I',
                "is `traceId` of `platform.start` that of the event",
                |run| {
                    run.start_delivered?;
                    Some(
                        if run.event.is_some() {
                            "yes"
                        } else {
                            "no event had this ID"
                        }
                        .to_owned(),
                    )
                },
            ),
            self.row(
                '?',
                "delivery of a run's first platform event, against the invocation event",
                |run| Some(relation(run.start_delivered?, run.event?, "the event")),
            ),
            self.row(
                '?',
                "delivery of a run's report, against the response",
                |run| Some(relation(run.end_delivered?, run.response?, "the response")),
            ),
            self.row('?', "delivery of a run's report, after its end", |run| {
                Some(relation(run.end_delivered?, run.end?, "the end"))
            }),
        ]
    }

    /// Both sides are compared when the report is written, since the event may come before or after what the function says.
    pub(crate) fn request_id_row(&self) -> Row {
        self.row(
            'I',
            "is `traceId` the request ID that the function sees",
            |run| {
                run.handler_end?;
                let known = match run.event {
                    Some(_) => "yes",
                    None => "no event had this ID",
                };
                Some(known.to_owned())
            },
        )
    }

    fn row(&self, mark: char, question: &'static str, of: impl Fn(&Run) -> Option<String>) -> Row {
        let mut tally = Tally::default();
        for text in self.runs.values().filter_map(of) {
            tally.add(text);
        }
        Row::list(mark, question, tally.lines())
    }
}

fn hash(id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    hasher.finish()
}

/// Describes a time against the beginning and the end of a run.
fn against(time: SystemTime, start: SystemTime, end: Option<SystemTime>) -> String {
    match end {
        Some(end) if time >= end => format!("after the end, by {}", distance(time, end)),
        _ if time < start => format!("before the start, by {}", distance(time, start)),
        Some(_) => format!("within the run, {} after the start", distance(time, start)),
        None => format!("{} after the start", distance(time, start)),
    }
}

fn relation(time: SystemTime, other: SystemTime, name: &str) -> String {
    let order = if time < other { "before" } else { "after" };
    format!("{order} {name}, by {}", distance(time, other))
}

fn distance(one: SystemTime, other: SystemTime) -> &'static str {
    let distance = one
        .duration_since(other)
        .unwrap_or_else(|error| error.duration());
    time_class(distance)
}

/// Reads the time of a telemetry event: an RFC 3339 text, or milliseconds since 1970.
pub(crate) fn time(value: &serde_json::Value) -> Option<SystemTime> {
    if let Some(text) = value.as_str() {
        return humantime::parse_rfc3339_weak(text.trim()).ok();
    }
    let milliseconds = value.as_u64().filter(|it| *it < 1 << 45)?;
    Some(SystemTime::UNIX_EPOCH + Duration::from_millis(milliseconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(milliseconds)
    }

    #[test]
    fn events_are_compared_with_the_run() {
        assert_eq!(
            against(at(5), at(10), Some(at(20))),
            "before the start, by 3–10 ms"
        );
        assert_eq!(
            against(at(12), at(10), Some(at(20))),
            "within the run, 1–3 ms after the start"
        );
        assert_eq!(
            against(at(70), at(10), Some(at(20))),
            "after the end, by 30–100 ms"
        );
        assert_eq!(against(at(12), at(10), None), "1–3 ms after the start");
    }

    #[test]
    fn old_runs_are_dropped() {
        let mut runs = Runs::default();
        for number in 0..100 {
            runs.event(&number.to_string(), "", at(number));
            runs.response(&number.to_string());
        }
        runs.event("99", "", at(0));
        assert_eq!(runs.runs.len(), MAX_RUNS);
        assert!(!runs.is_known("0") && runs.is_known("99"));
        let rows = runs.invocation_rows();
        let observed: Vec<_> = rows
            .iter()
            .filter_map(|row| row.observed.as_deref())
            .collect();
        assert!(
            observed.contains(&"1 events had the trace ID of an earlier one"),
            "{observed:?}"
        );
        let concurrency =
            "at most 1 in flight; at most 0 handlers at the same time, as the function reports it";
        assert!(observed.contains(&concurrency), "{observed:?}");
    }

    #[test]
    fn handlers_at_the_same_time_are_counted() {
        let mut runs = Runs::default();
        for (id, start, end) in [("a", 1, 5), ("b", 3, 9), ("c", 5, 6), ("d", 20, 30)] {
            let run = runs.run(id);
            (run.handler_start, run.handler_end) = (Some(at(start)), Some(at(end)));
        }
        // It has timed out, so its end is unknown.
        runs.run("e").handler_start = Some(at(0));
        assert_eq!(runs.most_handlers(), 2);
    }

    #[test]
    fn times_are_texts_or_milliseconds() {
        assert_eq!(time(&" 1970-01-01T00:00:01Z ".into()), Some(at(1000)));
        assert_eq!(time(&1000.into()), Some(at(1000)));
        assert_eq!(time(&u64::MAX.into()), None);
        assert_eq!(time(&true.into()), None);
    }
}
