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
use self::events::Phase;
use crate::state::Refusal;

pub(crate) use self::delivery::deliver;
pub use self::subscription::{Subscription, TelemetryType};

/// The rules, without I/O.
#[derive(Debug, Default)]
pub(crate) struct Telemetry {
    subscription: Option<Subscription>,
    backlog: Backlog,
    /// Until the first invocation tells of it.
    init: Option<Init>,
}

/// From the instance's start to the last registration before the first invocation.
#[derive(Debug)]
struct Init {
    start: SystemTime,
    took: Duration,
}

impl Telemetry {
    /// The instance starts.
    pub(crate) fn starts(start: SystemTime) -> Self {
        let took = Duration::ZERO;
        Self {
            init: Some(Init { start, took }),
            ..Self::default()
        }
    }

    /// An extension has registered.
    pub(crate) fn registered(&mut self, at: SystemTime) {
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

    pub(crate) fn subscription(&self) -> Option<&Subscription> {
        self.subscription.as_ref()
    }

    /// An invocation begins; with the first one, the initialisation is told of under its trace id.
    pub(crate) fn invocation_starts(&mut self, trace_id: &str, start: SystemTime) {
        if let Some(Init { start, took }) = self.init.take() {
            let init = Phase::init(start);
            self.tell(TelemetryType::Platform, || init.start(trace_id));
            self.tell(TelemetryType::Platform, || init.runtime_done(trace_id));
            self.tell(TelemetryType::Platform, || init.report(trace_id, took));
        }
        let invocation = Phase::invocation(start);
        self.tell(TelemetryType::Platform, || invocation.start(trace_id));
        self.tell(TelemetryType::Function, || {
            events::start_line(trace_id, start)
        });
    }

    /// An invocation has ended. The function has none of its own yet, so it has succeeded.
    pub(crate) fn invocation_ends(&mut self, trace_id: &str, start: SystemTime, took: Duration) {
        let invocation = Phase::invocation(start);
        self.tell(TelemetryType::Function, || {
            events::finish_line(trace_id, start, took)
        });
        self.tell(TelemetryType::Platform, || {
            invocation.runtime_done(trace_id)
        });
        self.tell(TelemetryType::Platform, || {
            invocation.report(trace_id, took)
        });
    }

    /// An extension, or the function, has printed a line.
    pub(crate) fn printed(&mut self, kind: TelemetryType, text: &str, at: SystemTime) {
        self.tell(kind, || events::printed_line(kind, text, at));
    }

    /// What to post next, and where to; in flight until [`settle`](Self::settle).
    fn next_batch(&mut self) -> Option<(Subscription, Batch)> {
        let subscription = self.subscription.clone()?;
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

    use serde_json::{Value, json};

    use super::{Subscription, Telemetry, TelemetryType};

    fn subscription(types: &str) -> Subscription {
        let body = format!(
            r#"{{"subscriber": {{"protocol": "POST", "uri": "http://127.0.0.1:8082"}}, "types": {types}}}"#
        );
        Subscription::parse(body.as_bytes()).unwrap()
    }

    fn at(millis: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_000 + millis)
    }

    fn told(telemetry: &mut Telemetry) -> Value {
        let (_, batch) = telemetry.next_batch().unwrap();
        telemetry.settle();
        serde_json::from_str(&batch.body).unwrap()
    }

    #[test]
    fn what_came_before_the_subscription_is_told_after_it() {
        let mut telemetry = Telemetry::starts(at(0));
        telemetry.registered(at(7));
        telemetry.invocation_starts("t1", at(20));
        telemetry.registered(at(21));
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
        telemetry.invocation_ends("t1", at(20), Duration::from_micros(2500));
        assert_eq!(
            told(&mut telemetry),
            json!([
                {"name": "platform.RuntimeDone", "startTime": "2023-11-14T22:13:20.020Z", "traceId": "t1", "status": "success"},
                {"name": "platform.report", "startTime": "2023-11-14T22:13:20.020Z", "traceId": "t1", "status": "success",
                    "endTime": "2023-11-14T22:13:20.022Z", "metrics": {"durationMs": 2.5}},
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
        telemetry.invocation_ends("t1", at(0), Duration::from_micros(2049));
        assert_eq!(
            told(&mut telemetry),
            json!([
                {"time": "2023-11-14T22:13:20.000Z", "type": "function",
                    "record": "2023-11-14T22:13:20.000Z Start invoke request 't1', version: latest"},
                {"time": "2023-11-14T22:13:20.001Z", "type": "extension", "record": "a \"line\""},
                {"time": "2023-11-14T22:13:20.002Z", "type": "function",
                    "record": "2023-11-14T22:13:20.002Z Finish invoke request 't1', duration: 2.049ms, \
                        billing duration: 3ms, memory used: 0.000MB, billing memory: 128MB"},
            ])
        );
    }
}
