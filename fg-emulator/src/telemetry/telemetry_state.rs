//! The state of telemetry, without I/O: which events are emitted, and when they may be delivered.

use std::time::{Duration, SystemTime};

use super::Subscription;
use super::TelemetryType;
use super::buffer::{Batch, TelemetryBuffer};
use super::events::{self, Metrics, Phase};
use crate::function::{FunctionOutcome, FunctionRun};
use crate::state::Rejection;

/// The subscription and the buffered events.
#[derive(Debug, Default)]
pub(crate) struct TelemetryState {
    pub(super) subscription: Option<Subscription>,
    pub(super) buffer: TelemetryBuffer,
    /// The initialization, until the first invocation emits its events.
    init: Option<PhaseTiming>,
    /// A restoration from a snapshot, until the next invocation emits its events.
    restore: Option<PhaseTiming>,
    /// The duration of the initialization, until the report of the first invocation contains it.
    init_duration: Option<Duration>,
    /// Whether the instance is frozen. A frozen instance receives no telemetry.
    pub(crate) frozen: bool,
    /// How many times the instance has been frozen.
    pub(crate) freezes: u64,
    /// How many invocations in flight, and callers, delay the delivery of telemetry.
    pub(crate) paused: usize,
}

/// When a phase of the instance's lifecycle started, and how long it took.
#[derive(Debug)]
struct PhaseTiming {
    start: SystemTime,
    duration: Duration,
}

impl TelemetryState {
    /// Returns the state of an instance that starts at `start`.
    ///
    /// The initialization ends with the last call of [`init_done`](Self::init_done) before the first invocation.
    pub(crate) fn new(start: SystemTime) -> Self {
        let duration = Duration::ZERO;
        Self {
            init: Some(PhaseTiming { start, duration }),
            ..Self::default()
        }
    }

    /// Records that an extension has registered, or that the function is ready.
    pub(crate) fn init_done(&mut self, at: SystemTime) {
        if let Some(init) = &mut self.init {
            init.duration = at.duration_since(init.start).unwrap_or_default();
        }
    }

    /// Stores the subscription. Rejects a second one: at most one extension of a function receives telemetry (D 2711).
    pub(crate) fn subscribe(&mut self, subscription: &Subscription) -> Result<(), Rejection> {
        if let Some(Subscription { uri, .. }) = &self.subscription {
            let message = format!("{uri} is already subscribed to telemetry");
            return Err(Rejection::new("AlreadySubscribed", message));
        }
        self.buffer.retain_types(&subscription.types);
        self.subscription = Some(subscription.clone());
        Ok(())
    }

    /// Removes the subscription, because the subscriber has exited.
    pub(crate) fn unsubscribe(&mut self) {
        self.subscription = None;
    }

    pub(crate) fn subscription(&self) -> Option<&Subscription> {
        self.subscription.as_ref()
    }

    /// Records that the instance was frozen or thawed. Returns whether this changes anything.
    pub(crate) fn set_frozen(&mut self, frozen: bool) -> bool {
        let changes = frozen != self.frozen;
        self.freezes += u64::from(frozen && changes);
        self.frozen = frozen;
        changes
    }

    /// Records that the instance was restored from a snapshot.
    pub(crate) fn restored(&mut self, start: SystemTime, duration: Duration) {
        self.restore = Some(PhaseTiming { start, duration });
    }

    /// Emits the events of the start of an invocation, after those of an initialization or restoration before it. They all
    /// have the trace ID of the invocation.
    pub(crate) fn invocation_started(&mut self, trace_id: &str, start: SystemTime) {
        if let Some(PhaseTiming { start, duration }) = self.init.take() {
            self.init_duration = Some(duration);
            self.emit_phase(Phase::init(start), trace_id, duration);
        }
        if let Some(PhaseTiming { start, duration }) = self.restore.take() {
            self.emit_phase(Phase::restore(start), trace_id, duration);
        }
        let invocation = Phase::invocation(start);
        self.emit(TelemetryType::Platform, || invocation.start(trace_id));
        self.emit(TelemetryType::Function, || {
            events::start_line(trace_id, start)
        });
    }

    fn emit_phase(&mut self, phase: Phase, trace_id: &str, duration: Duration) {
        let status = FunctionOutcome::Ok.status();
        let metrics = Metrics::new(duration);
        self.emit(TelemetryType::Platform, || phase.start(trace_id));
        self.emit(TelemetryType::Platform, || {
            phase.runtime_done(trace_id, status)
        });
        self.emit(TelemetryType::Platform, || {
            phase.report(trace_id, status, duration, metrics)
        });
    }

    /// Emits a line that a synthetic function logs.
    pub(crate) fn function_logged(&mut self, trace_id: &str, text: &str, at: SystemTime) {
        self.emit(TelemetryType::Function, || {
            events::function_line(at, format_args!("{trace_id} INFO {text}"))
        });
    }

    /// Emits the events of a function that has finished an invocation.
    pub(crate) fn function_done(&mut self, trace_id: &str, start: SystemTime, run: &FunctionRun) {
        let invocation = Phase::invocation(start);
        self.emit(TelemetryType::Function, || {
            events::finish_line(trace_id, start, run.duration)
        });
        self.emit(TelemetryType::Platform, || {
            invocation.runtime_done(trace_id, run.outcome.status())
        });
    }

    /// Emits the report of an invocation that the function and all extensions have finished.
    pub(crate) fn invocation_done(&mut self, trace_id: &str, start: SystemTime, run: &FunctionRun) {
        let (invocation, status) = (Phase::invocation(start), run.outcome.status());
        let init = self.init_duration.take();
        let metrics = Metrics::new(run.duration).billed(init);
        self.emit(TelemetryType::Platform, || {
            invocation.report(trace_id, status, run.duration, metrics)
        });
    }

    /// Emits a line that an extension or the function printed.
    pub(crate) fn process_printed(&mut self, kind: TelemetryType, text: &str, at: SystemTime) {
        self.emit(kind, || events::printed_line(kind, text, at));
    }

    /// Returns the subscription and the next batch, or `None` if nothing can be delivered now. The batch is in flight until
    /// [`batch_settled`](Self::batch_settled) is called.
    pub(super) fn next_batch(&mut self) -> Option<(Subscription, Batch)> {
        let subscription = self.subscription.clone()?;
        if self.frozen || self.paused > 0 {
            return None;
        }
        Some((subscription, self.buffer.next_batch()?))
    }

    /// Marks the batch in flight as delivered or lost.
    pub(super) fn batch_settled(&mut self) {
        self.buffer.batch_settled();
    }

    fn emit(&mut self, kind: TelemetryType, event: impl FnOnce() -> String) {
        let wanted = self
            .subscription
            .as_ref()
            .is_none_or(|subscription| subscription.types.contains(&kind));
        if wanted {
            self.buffer.push(kind, event());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use hyper::body::Bytes;
    use serde_json::{Value, json};

    use super::{FunctionOutcome, FunctionRun, Subscription, TelemetryState, TelemetryType};

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
            http_status: None,
        }
    }

    fn emitted(telemetry: &mut TelemetryState) -> Value {
        let (_, batch) = telemetry.next_batch().unwrap();
        telemetry.batch_settled();
        serde_json::from_slice(&batch.body).unwrap()
    }

    #[test]
    fn events_before_the_subscription_are_delivered_after_it() {
        let mut telemetry = TelemetryState::new(at(0));
        telemetry.init_done(at(7));
        telemetry.invocation_started("t1", at(20));
        telemetry.init_done(at(21));
        telemetry.process_printed(TelemetryType::Extension, "a line", at(22));
        assert!(telemetry.next_batch().is_none());
        telemetry
            .subscribe(&subscription(r#"["platform"]"#))
            .unwrap();
        assert_eq!(
            emitted(&mut telemetry),
            json!([
                {"name": "platform.initStart", "startTime": "2023-11-14T22:13:20.000Z", "traceId": "t1"},
                {"name": "platform.initRuntimeDone", "startTime": "2023-11-14T22:13:20.000Z", "traceId": "t1", "status": "success"},
                {"name": "platform.initReport", "startTime": "2023-11-14T22:13:20.000Z", "traceId": "t1", "status": "success",
                    "endTime": "2023-11-14T22:13:20.007Z", "metrics": {"durationMs": 7.0}},
                {"name": "platform.start", "startTime": "2023-11-14T22:13:20.020Z", "traceId": "t1"},
            ])
        );
        telemetry.process_printed(TelemetryType::Extension, "a line", at(23));
        assert!(telemetry.next_batch().is_none());
        telemetry.function_done("t1", at(20), &run(FunctionOutcome::Ok, 2500));
        telemetry.invocation_done("t1", at(20), &run(FunctionOutcome::Ok, 2500));
        assert_eq!(
            emitted(&mut telemetry),
            json!([
                {"name": "platform.RuntimeDone", "startTime": "2023-11-14T22:13:20.020Z", "traceId": "t1", "status": "success"},
                {"name": "platform.report", "startTime": "2023-11-14T22:13:20.020Z", "traceId": "t1", "status": "success",
                    "endTime": "2023-11-14T22:13:20.022Z",
                    "metrics": {"durationMs": 2.5, "billedDurationMs": 3, "memorySizeMB": 128, "initDurationMs": 7.0}},
            ])
        );
    }

    #[test]
    fn log_events_contain_lines_in_the_format_of_the_platform() {
        let mut telemetry = TelemetryState::new(at(0));
        let types = r#"["extension", "function"]"#;
        telemetry.subscribe(&subscription(types)).unwrap();
        telemetry.invocation_started("t1", at(0));
        telemetry.process_printed(TelemetryType::Extension, "a \"line\"", at(1));
        telemetry.function_logged("t1", "a word", at(1));
        telemetry.function_done("t1", at(0), &run(FunctionOutcome::Ok, 2049));
        assert_eq!(
            emitted(&mut telemetry),
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
    fn outcome_and_restoration_are_reported() {
        let mut telemetry = TelemetryState::default();
        telemetry
            .subscribe(&subscription(r#"["platform"]"#))
            .unwrap();
        telemetry.restored(at(0), Duration::from_millis(5));
        telemetry.invocation_started("t1", at(10));
        telemetry.function_done("t1", at(10), &run(FunctionOutcome::Timeout, 1000));
        telemetry.invocation_done("t1", at(10), &run(FunctionOutcome::Timeout, 1000));
        telemetry.invocation_started("t2", at(20));
        let emitted = emitted(&mut telemetry);
        let emitted: Vec<_> = emitted.as_array().unwrap().iter().collect();
        let names: Vec<_> = emitted
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
        assert_eq!(emitted[2]["metrics"], json!({"durationMs": 5.0}));
        assert_eq!(
            (&emitted[2]["status"], &emitted[2]["traceId"]),
            (&json!("success"), &json!("t1"))
        );
        for done in [emitted[4], emitted[5]] {
            assert_eq!(done["status"], "timeout");
        }
        let metrics = json!({"durationMs": 1.0, "billedDurationMs": 1, "memorySizeMB": 128});
        assert_eq!(emitted[5]["metrics"], metrics);
    }

    #[test]
    fn frozen_instance_gets_no_telemetry() {
        let mut telemetry = TelemetryState::default();
        telemetry
            .subscribe(&subscription(r#"["platform"]"#))
            .unwrap();
        telemetry.invocation_started("t1", at(0));
        assert!(telemetry.set_frozen(true));
        assert!(!telemetry.set_frozen(true), "already frozen");
        assert!(telemetry.next_batch().is_none());
        assert!(telemetry.set_frozen(false));
        assert!(!telemetry.set_frozen(false), "not frozen");
        telemetry.paused += 1;
        assert!(telemetry.next_batch().is_none());
        telemetry.paused -= 1;
        assert!(telemetry.next_batch().is_some());
        assert_eq!(telemetry.freezes, 1);
    }
}
