//! Converts the events of one platform to events of `dev`, and defers telemetry deliveries that become bars.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fg_emulator::{Event, Subscription, describe_exit};
use tokio::sync::Notify;

use super::conflicts::Conflicts;
use super::event::{DevEvent, count};
use super::journal_entries;
use super::loop_detector::LoopDetector;
use super::output::{Output, OutputStyle};
use super::timeline::Row;
use crate::invocation::{InvocationReport, millis, stream_name};

/// The observer of a platform. On a terminal, it defers telemetry deliveries while an invocation is in flight, since
/// the timeline of that invocation shows them.
pub(crate) struct EventBridge {
    output: Arc<Output>,
    conflicts: Arc<Conflicts>,
    loop_detector: Arc<LoopDetector>,
    pending: Mutex<PendingDeliveries>,
    /// The scripts that have registered.
    registered: Mutex<BTreeSet<String>>,
    /// Notified when the instance was frozen or thawed.
    freezes: Notify,
}

#[derive(Default)]
struct PendingDeliveries {
    invocations: usize,
    deliveries: Vec<DeferredDelivery>,
}

struct DeferredDelivery {
    start: Instant,
    duration: Duration,
    events: usize,
    status: u16,
}

impl EventBridge {
    pub(crate) fn new(
        output: Arc<Output>,
        conflicts: Arc<Conflicts>,
        loop_detector: Arc<LoopDetector>,
    ) -> Self {
        Self {
            output,
            conflicts,
            loop_detector,
            pending: Mutex::default(),
            registered: Mutex::default(),
            freezes: Notify::new(),
        }
    }

    /// Must be called before an invocation is sent, and followed by a call of
    /// [`invocation_finished`](Self::invocation_finished).
    pub(crate) fn invocation_starts(&self) {
        self.loop_detector.invocation_starts();
        self.pending().invocations += 1;
    }

    /// Emits an invocation that has finished; `start` is the time at which it was sent.
    pub(crate) fn invocation_finished(&self, report: &InvocationReport, start: Instant) {
        let deliveries = {
            let mut pending = self.pending();
            pending.invocations = pending.invocations.saturating_sub(1);
            std::mem::take(&mut pending.deliveries)
        };
        self.loop_detector.invocation_finished();
        if self.output.style == OutputStyle::Terminal {
            let rows = rows(report, start, &deliveries);
            let heading = format!("#{} {}", report.number, report.trace_id);
            self.output.print_timeline(&heading, &rows);
            for (label, text) in report.error_lines() {
                self.output.note(label, &text);
            }
        } else {
            self.output.emit(DevEvent::Invoked(report));
        }
    }

    /// Waits until the instance is frozen or thawed. Returns at once if that has happened since the last call.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe.
    pub(crate) async fn frozen_or_thawed(&self) {
        self.freezes.notified().await;
    }

    /// Emits an event of the platform, and then looks for a conflict or a loop.
    pub(crate) fn observe(&self, event: &Event) {
        if let Some(journal) = self.output.journal() {
            journal_entries::add_event(journal, event);
        }
        if let Event::Frozen | Event::Thawed = event {
            self.freezes.notify_one();
        }
        self.emit(event);
        self.conflicts.observe(event);
        self.loop_detector.observe(event);
    }

    fn emit(&self, event: &Event) {
        let dev_event = match event {
            Event::Output(line) => DevEvent::Output {
                script: &line.script,
                stream: stream_name(line.stream),
                text: &line.text,
            },
            // The boot emits the first registration.
            Event::Registered {
                script, address, ..
            } if !self.is_new(script) => DevEvent::Registered {
                script,
                address: *address,
                duration_ms: None,
            },
            Event::Rejected {
                method,
                path,
                status,
                error_message,
                ..
            } => DevEvent::Rejected {
                method,
                path,
                status: *status,
                message: error_message,
            },
            Event::FunctionExited {
                status, timed_out, ..
            } => DevEvent::FunctionExited {
                status: describe_exit(*status),
                timed_out: *timed_out,
            },
            Event::Subscribed(Subscription { uri, types, .. }) => DevEvent::Subscribed {
                uri,
                types: types.iter().map(ToString::to_string).collect(),
            },
            Event::TelemetryDelivered {
                events,
                status,
                started_at,
                round_trip,
                ..
            } => {
                if self.defer(*started_at, *round_trip, *events, *status) {
                    return;
                }
                DevEvent::Telemetry {
                    events: *events,
                    status: *status,
                    duration_ms: millis(*round_trip),
                }
            }
            Event::TelemetryLost { events, reason, .. } => DevEvent::Lost {
                events: *events,
                reason,
            },
            Event::FaultInjected {
                fault, description, ..
            } => DevEvent::Fault {
                fault: fault.to_string(),
                what: description,
            },
            _ => return,
        };
        self.output.emit(dev_event);
    }

    /// Defers a delivery if a timeline will show it. Returns whether the delivery needs no line of its own: it was
    /// deferred, or telemetry is hidden.
    fn defer(&self, start: Instant, duration: Duration, events: usize, status: u16) -> bool {
        let mut pending = self.pending();
        if self.output.style != OutputStyle::Terminal || pending.invocations == 0 {
            return false;
        }
        if self.output.shows_telemetry() {
            pending.deliveries.push(DeferredDelivery {
                start,
                duration,
                events,
                status,
            });
        }
        true
    }

    fn is_new(&self, script: &str) -> bool {
        let mut registered = self
            .registered
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        registered.insert(script.to_owned())
    }

    fn pending(&self) -> MutexGuard<'_, PendingDeliveries> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the bars of an invocation: the function, the extensions, and the telemetry deliveries.
fn rows(report: &InvocationReport, start: Instant, deliveries: &[DeferredDelivery]) -> Vec<Row> {
    let duration = |ms: f64| Duration::try_from_secs_f64(ms / 1000.0).unwrap_or_default();
    let function = Row {
        label: "function".to_owned(),
        start: Duration::ZERO,
        duration: duration(report.function.duration_ms),
        status: report.function.status(),
    };
    let extensions = report.extensions.iter().map(|extension| Row {
        label: extension.script.clone(),
        start: duration(extension.after_ms),
        duration: duration(extension.duration_ms),
        status: extension.status(),
    });
    let deliveries = deliveries.iter().map(|delivery| Row {
        label: "telemetry".to_owned(),
        // A delivery that was already in flight when the invocation was sent starts at 0.
        start: delivery.start.saturating_duration_since(start),
        duration: delivery.duration,
        status: format!("{}, {}", delivery.status, count(delivery.events, "event")),
    });
    [function]
        .into_iter()
        .chain(extensions)
        .chain(deliveries)
        .collect()
}
