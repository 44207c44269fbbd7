//! Telemetry: who subscribed (D 2710), what there is to tell (D 2711 to 2713), and its delivery.
//!
//! What happens before the subscription is kept for it: the initialisation comes before any call of an
//! extension, and the page has events of it.

mod awaited;
mod backlog;
mod delivery;
mod events;
mod subscription;

use std::time::{Duration, SystemTime};

use self::backlog::{Backlog, Batch};
use self::events::{Metrics, Phase};
use crate::function::{FunctionOutcome, FunctionRun};
use crate::state::Refusal;

pub(crate) use self::delivery::deliver;
pub use self::subscription::{Subscription, TelemetryType};

/// The rules, without I/O.
#[derive(Debug, Default)]
pub(crate) struct Telemetry {
    subscription: Option<Subscription>,
    backlog: Backlog,
    /// Until the next invocation tells of it.
    init: Option<Span>,
    restoration: Option<Span>,
    /// What the initialisation took, until the first invocation's report tells it.
    init_duration: Option<Duration>,
    /// A frozen instance is sent nothing.
    pub(crate) frozen: bool,
    /// How often it was frozen so far.
    pub(crate) freezes: u64,
    /// How many invocations ask for telemetry to wait.
    pub(crate) held: usize,
}

/// A phase of the instance's life.
#[derive(Debug)]
struct Span {
    start: SystemTime,
    took: Duration,
}

impl Telemetry {
    /// The instance starts. Its initialisation lasts until the last registration, or first request of the function,
    /// before the first invocation.
    pub(crate) fn starts(start: SystemTime) -> Self {
        let took = Duration::ZERO;
        Self {
            init: Some(Span { start, took }),
            ..Self::default()
        }
    }

    /// An extension has registered, or the function is ready.
    pub(crate) fn initialised(&mut self, at: SystemTime) {
        if let Some(init) = &mut self.init {
            init.took = at.duration_since(init.start).unwrap_or_default();
        }
    }

    /// At most one extension of a function has telemetry (D 2710).
    pub(crate) fn subscribe(&mut self, subscription: &Subscription) -> Result<(), Refusal> {
        if let Some(Subscription { uri, .. }) = &self.subscription {
            let message = format!("there is a subscription already, to {uri}, and one at most");
            return Err(Refusal::new("AlreadySubscribed", message));
        }
        self.backlog.keep(&subscription.types);
        self.subscription = Some(subscription.clone());
        Ok(())
    }

    /// The subscriber is gone.
    pub(crate) fn unsubscribe(&mut self) {
        self.subscription = None;
    }

    pub(crate) fn subscription(&self) -> Option<&Subscription> {
        self.subscription.as_ref()
    }

    /// The instance was frozen, or thawed.
    pub(crate) fn freeze(&mut self, frozen: bool) {
        self.freezes += u64::from(frozen && !self.frozen);
        self.frozen = frozen;
    }

    /// The instance was restored from a snapshot.
    pub(crate) fn restored(&mut self, start: SystemTime, took: Duration) {
        self.restoration = Some(Span { start, took });
    }

    /// An invocation begins; it tells of the initialisation, or of a restoration, under its trace id.
    pub(crate) fn invocation_starts(&mut self, trace_id: &str, start: SystemTime) {
        if let Some(Span { start, took }) = self.init.take() {
            self.init_duration = Some(took);
            self.tell_phase(Phase::init(start), trace_id, took);
        }
        if let Some(Span { start, took }) = self.restoration.take() {
            self.tell_phase(Phase::restoration(start), trace_id, took);
        }
        let invocation = Phase::invocation(start);
        self.tell(TelemetryType::Platform, || invocation.start(trace_id));
        self.tell(TelemetryType::Function, || {
            events::start_line(trace_id, start)
        });
    }

    fn tell_phase(&mut self, phase: Phase, trace_id: &str, took: Duration) {
        let status = FunctionOutcome::Ok.status();
        let metrics = Metrics::of(took);
        self.tell(TelemetryType::Platform, || phase.start(trace_id));
        self.tell(TelemetryType::Platform, || {
            phase.runtime_done(trace_id, status)
        });
        self.tell(TelemetryType::Platform, || {
            phase.report(trace_id, status, took, metrics)
        });
    }

    /// A synthetic function logs a line.
    pub(crate) fn logged(&mut self, trace_id: &str, text: &str, at: SystemTime) {
        self.tell(TelemetryType::Function, || {
            events::function_line(at, format_args!("{trace_id} INFO {text}"))
        });
    }

    /// The function is done with an invocation.
    pub(crate) fn function_ends(&mut self, trace_id: &str, start: SystemTime, run: &FunctionRun) {
        let invocation = Phase::invocation(start);
        self.tell(TelemetryType::Function, || {
            events::finish_line(trace_id, start, run.duration)
        });
        self.tell(TelemetryType::Platform, || {
            invocation.runtime_done(trace_id, run.outcome.status())
        });
    }

    /// Function and extensions are done with it.
    pub(crate) fn invocation_ends(&mut self, trace_id: &str, start: SystemTime, run: &FunctionRun) {
        let (invocation, status) = (Phase::invocation(start), run.outcome.status());
        let init = self.init_duration.take();
        let metrics = Metrics::of(run.duration).billed(init);
        self.tell(TelemetryType::Platform, || {
            invocation.report(trace_id, status, run.duration, metrics)
        });
    }

    /// An extension, or the function, has printed a line.
    pub(crate) fn printed(&mut self, kind: TelemetryType, text: &str, at: SystemTime) {
        self.tell(kind, || events::printed_line(kind, text, at));
    }

    /// What to post next, and where to; in flight until [`settle`](Self::settle).
    fn next_batch(&mut self) -> Option<(Subscription, Batch)> {
        let subscription = self.subscription.clone()?;
        if self.frozen || self.held > 0 {
            return None;
        }
        Some((subscription, self.backlog.take()?))
    }

    /// The batch was answered or given up.
    fn settle(&mut self) {
        self.backlog.settle();
    }

    fn tell(&mut self, kind: TelemetryType, event: impl FnOnce() -> String) {
        let wanted = self
            .subscription
            .as_ref()
            .is_none_or(|subscription| subscription.types.contains(&kind));
        if wanted {
            self.backlog.push(kind, event());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use hyper::body::Bytes;
    use serde_json::{Value, json};

    use super::{FunctionOutcome, FunctionRun, Subscription, Telemetry, TelemetryType};

    fn subscription(types: &str) -> Subscription {
        let body = format!(
            r#"{{"subscriber": {{"protocol": "POST", "uri": "http://127.0.0.1:8082"}}, "types": {types}}}"#
        );
        Subscription::parse(body.as_bytes()).unwrap()
    }

    fn at(millis: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_000 + millis)
    }

    fn run(outcome: FunctionOutcome, micros: u64) -> FunctionRun {
        FunctionRun {
            outcome,
            duration: Duration::from_micros(micros),
            response: Bytes::new(),
        }
    }

    fn told(telemetry: &mut Telemetry) -> Value {
        let (_, batch) = telemetry.next_batch().unwrap();
        telemetry.settle();
        serde_json::from_str(&batch.body).unwrap()
    }

    #[test]
    fn what_came_before_the_subscription_is_told_after_it() {
        let mut telemetry = Telemetry::starts(at(0));
        telemetry.initialised(at(7));
        telemetry.invocation_starts("t1", at(20));
        telemetry.initialised(at(21));
        telemetry.printed(TelemetryType::Extension, "a line", at(22));
        assert!(telemetry.next_batch().is_none());
        telemetry
            .subscribe(&subscription(r#"["platform"]"#))
            .unwrap();
        assert_eq!(
            told(&mut telemetry),
            json!([
                {"name": "platform.initStart", "startTime": "2023-11-14T22:13:20.000Z", "traceId": "t1"},
                {"name": "platform.initRuntimeDone", "startTime": "2023-11-14T22:13:20.000Z", "traceId": "t1", "status": "success"},
                {"name": "platform.initReport", "startTime": "2023-11-14T22:13:20.000Z", "traceId": "t1", "status": "success",
                    "endTime": "2023-11-14T22:13:20.007Z", "metrics": {"durationMs": 7.0}},
                {"name": "platform.start", "startTime": "2023-11-14T22:13:20.020Z", "traceId": "t1"},
            ])
        );
        telemetry.printed(TelemetryType::Extension, "a line", at(23));
        assert!(telemetry.next_batch().is_none());
        telemetry.function_ends("t1", at(20), &run(FunctionOutcome::Ok, 2500));
        telemetry.invocation_ends("t1", at(20), &run(FunctionOutcome::Ok, 2500));
        assert_eq!(
            told(&mut telemetry),
            json!([
                {"name": "platform.RuntimeDone", "startTime": "2023-11-14T22:13:20.020Z", "traceId": "t1", "status": "success"},
                {"name": "platform.report", "startTime": "2023-11-14T22:13:20.020Z", "traceId": "t1", "status": "success",
                    "endTime": "2023-11-14T22:13:20.022Z",
                    "metrics": {"durationMs": 2.5, "billedDurationMs": 3, "memorySizeMB": 128, "initDurationMs": 7.0}},
            ])
        );
    }

    #[test]
    fn log_lines() {
        let mut telemetry = Telemetry::starts(at(0));
        let types = r#"["extension", "function"]"#;
        telemetry.subscribe(&subscription(types)).unwrap();
        telemetry.invocation_starts("t1", at(0));
        telemetry.printed(TelemetryType::Extension, "a \"line\"", at(1));
        telemetry.logged("t1", "a word", at(1));
        telemetry.function_ends("t1", at(0), &run(FunctionOutcome::Ok, 2049));
        assert_eq!(
            told(&mut telemetry),
            json!([
                {"time": "2023-11-14T22:13:20.000Z", "type": "function",
                    "record": "2023-11-14T22:13:20.000Z Start invoke request 't1', version: latest"},
                {"time": "2023-11-14T22:13:20.001Z", "type": "extension", "record": "a \"line\""},
                {"time": "2023-11-14T22:13:20.001Z", "type": "function",
                    "record": "2023-11-14T22:13:20.001Z t1 INFO a word"},
                {"time": "2023-11-14T22:13:20.002Z", "type": "function",
                    "record": "2023-11-14T22:13:20.002Z Finish invoke request 't1', duration: 2.049ms, \
                        billing duration: 3ms, memory used: 0.000MB, billing memory: 128MB"},
            ])
        );
    }

    #[test]
    fn outcome_and_restoration() {
        let mut telemetry = Telemetry::default();
        telemetry
            .subscribe(&subscription(r#"["platform"]"#))
            .unwrap();
        telemetry.restored(at(0), Duration::from_millis(5));
        telemetry.invocation_starts("t1", at(10));
        telemetry.function_ends("t1", at(10), &run(FunctionOutcome::Timeout, 1000));
        telemetry.invocation_ends("t1", at(10), &run(FunctionOutcome::Timeout, 1000));
        telemetry.invocation_starts("t2", at(20));
        let told = told(&mut telemetry);
        let told: Vec<_> = told.as_array().unwrap().iter().collect();
        let names: Vec<_> = told
            .iter()
            .map(|event| event["name"].as_str().unwrap())
            .collect();
        assert_eq!(
            names,
            [
                "platform.restoreStart",
                "platform.restoreRuntimeDone",
                "platform.restoreReport",
                "platform.start",
                "platform.RuntimeDone",
                "platform.report",
                "platform.start",
            ]
        );
        assert_eq!(told[2]["metrics"], json!({"durationMs": 5.0}));
        assert_eq!(
            (&told[2]["status"], &told[2]["traceId"]),
            (&json!("success"), &json!("t1"))
        );
        for done in [told[4], told[5]] {
            assert_eq!(done["status"], "timeout");
        }
        let metrics = json!({"durationMs": 1.0, "billedDurationMs": 1, "memorySizeMB": 128});
        assert_eq!(told[5]["metrics"], metrics);
    }

    #[test]
    fn nothing_is_sent_to_a_frozen_instance() {
        let mut telemetry = Telemetry::default();
        telemetry
            .subscribe(&subscription(r#"["platform"]"#))
            .unwrap();
        telemetry.invocation_starts("t1", at(0));
        telemetry.freeze(true);
        assert!(telemetry.next_batch().is_none());
        telemetry.freeze(false);
        telemetry.held += 1;
        assert!(telemetry.next_batch().is_none());
        telemetry.held -= 1;
        assert!(telemetry.next_batch().is_some());
        assert_eq!(telemetry.freezes, 1);
    }
}
