//! What the platform of one instance tells, as it goes to the output.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fg_emulator::{Event, OutputStream, Subscription};

use super::output::{Output, Style};
use super::timeline::Row;
use super::told::{Told, count};
use crate::report::{Report, millis};

/// Deliveries of telemetry are held back while there is an invocation whose bars they belong to.
pub(crate) struct Feed {
    output: Arc<Output>,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    invocations: usize,
    deliveries: Vec<Delivery>,
}

struct Delivery {
    start: Instant,
    took: Duration,
    events: usize,
    status: u16,
}

impl Feed {
    pub(crate) fn new(output: Arc<Output>) -> Self {
        Self {
            output,
            held: Mutex::default(),
        }
    }

    /// To be called before an invocation is sent; [`invoked`](Self::invoked) is to follow.
    pub(crate) fn invocation_starts(&self) {
        self.held().invocations += 1;
    }

    /// Tells of an invocation that began then.
    pub(crate) fn invoked(&self, report: &Report, start: Instant) {
        let deliveries = {
            let mut held = self.held();
            held.invocations = held.invocations.saturating_sub(1);
            std::mem::take(&mut held.deliveries)
        };
        if self.output.style == Style::Terminal {
            let rows = rows(report, start, &deliveries);
            let heading = format!("#{} {}", report.number, report.trace_id);
            self.output.bars(&heading, &rows);
        } else {
            self.output.tell(Told::Invoked(report));
        }
    }

    pub(crate) fn observe(&self, event: &Event) {
        let told = match event {
            Event::Output(line) => Told::Output {
                script: &line.script,
                stream: match line.stream {
                    OutputStream::Stdout => "stdout",
                    OutputStream::Stderr => "stderr",
                },
                text: &line.text,
            },
            Event::Rejected {
                method,
                path,
                status,
                error_message,
                ..
            } => Told::Refused {
                method,
                path,
                status: *status,
                message: error_message,
            },
            Event::Subscribed(Subscription { uri, types, .. }) => Told::Subscribed {
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
                if self.hold(*started_at, *round_trip, *events, *status) {
                    return;
                }
                Told::Telemetry {
                    events: *events,
                    status: *status,
                    took_ms: millis(*round_trip),
                }
            }
            Event::TelemetryLost { events, reason, .. } => Told::Lost {
                events: *events,
                reason,
            },
            Event::FaultInjected {
                fault, description, ..
            } => Told::Fault {
                fault: fault.to_string(),
                what: description,
            },
            _ => return,
        };
        self.output.tell(told);
    }

    /// Whether it will be a bar.
    fn hold(&self, start: Instant, took: Duration, events: usize, status: u16) -> bool {
        let mut held = self.held();
        if self.output.style != Style::Terminal || held.invocations == 0 {
            return false;
        }
        if self.output.shows_telemetry() {
            held.deliveries.push(Delivery {
                start,
                took,
                events,
                status,
            });
        }
        true
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn rows(report: &Report, start: Instant, deliveries: &[Delivery]) -> Vec<Row> {
    let duration = |ms: f64| Duration::try_from_secs_f64(ms / 1000.0).unwrap_or_default();
    let function = Row {
        label: "function".to_owned(),
        start: Duration::ZERO,
        took: duration(report.function.took_ms),
        status: report.function.status(),
    };
    let extensions = report.extensions.iter().map(|answer| Row {
        label: answer.script.clone(),
        start: duration(answer.after_ms),
        took: duration(answer.took_ms),
        status: answer.status(),
    });
    let deliveries = deliveries.iter().map(|delivery| Row {
        label: "telemetry".to_owned(),
        // One that was under way when the invocation began is drawn from there.
        start: delivery.start.saturating_duration_since(start),
        took: delivery.took,
        status: format!("{}, {}", delivery.status, count(delivery.events, "event")),
    });
    [function]
        .into_iter()
        .chain(extensions)
        .chain(deliveries)
        .collect()
}
