//! Adds what happens in a run of `dev` to its journal.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use fg_emulator::{
    Event, Fault, InvokeResult, OutputLine, ShutdownReport, Subscription, describe_exit,
};
use serde::Serialize;

use super::instance::InstanceConfig;
use super::telemetry_body::TelemetryBody;
use crate::invocation::{FunctionKind, InvocationReport, InvocationSpec, millis, stream_name};
use crate::journal::{Body, Entry, ExtensionSpan, FunctionSpan, Journal, MAX_LINE, cut, excerpt};

/// The row of the function.
pub(super) const FUNCTION: &str = "function";
/// The name of the function's process in the emulator.
const FUNCTION_PROCESS: &str = "bootstrap";

/// Adds the first entry.
pub(super) fn start_session(journal: &Journal, config: &InstanceConfig, scripts: &[String]) {
    let faults: Vec<_> = Fault::ALL
        .iter()
        .map(|fault| (fault.to_string(), fault.description()))
        .collect();
    journal.start_session(
        "dev",
        scripts,
        match &config.function {
            None => "synthetic",
            Some(function) if function.is_http => "http",
            Some(_) => "custom-runtime",
        },
        &faults,
    );
}

/// Adds an invocation that is about to be sent.
pub(super) fn add_invoke(
    journal: &Arc<Journal>,
    number: u64,
    trace_id: &str,
    spec: &InvocationSpec,
    kind: FunctionKind,
) -> JournaledInvocation {
    #[derive(Serialize)]
    struct Detail<'a> {
        payload: Body<'a>,
        logs: &'a [String],
    }
    let synthetic = kind == FunctionKind::Synthetic;
    let entry = Entry::Invoke {
        n: number,
        trace_id,
        outcome: synthetic.then(|| spec.outcome.to_string()),
        duration_ms: synthetic.then(|| millis(spec.duration)),
        payload: &Body(&spec.payload.0).excerpt(),
    };
    let detail = Detail {
        payload: Body(&spec.payload.0),
        logs: &spec.logs,
    };
    let sent_at = Instant::now();
    journal.add_with_detail(sent_at, entry, &detail);
    JournaledInvocation {
        journal: Arc::clone(journal),
        number,
        trace_id: trace_id.to_owned(),
        sent_at,
        has_finished: false,
    }
}

/// An invocation in flight. If it is dropped before it has finished, because the instance is shut down, it is added as canceled.
pub(super) struct JournaledInvocation {
    journal: Arc<Journal>,
    number: u64,
    trace_id: String,
    sent_at: Instant,
    has_finished: bool,
}

impl Drop for JournaledInvocation {
    fn drop(&mut self) {
        if self.has_finished {
            return;
        }
        let d = millis(self.sent_at.elapsed());
        let entry = Entry::Invoked {
            n: self.number,
            trace_id: &self.trace_id,
            ok: false,
            d,
            function: FunctionSpan {
                d,
                outcome: "canceled".to_owned(),
                status: None,
                response: String::new(),
            },
            extensions: Vec::new(),
        };
        self.journal.add(self.sent_at, entry);
    }
}

/// The bodies of an invocation that has finished.
#[derive(Serialize)]
struct InvokedDetail<'a> {
    event: Body<'a>,
    response: Body<'a>,
    extensions: Vec<ExtensionBody<'a>>,
}

#[derive(Serialize)]
struct ExtensionBody<'a> {
    row: &'a str,
    body: Body<'a>,
}

impl JournaledInvocation {
    /// Adds the result. The report was created from it.
    pub(super) fn finish(mut self, report: &InvocationReport, invoked: &InvokeResult) {
        self.has_finished = true;
        add_invoked(&self.journal, report, invoked);
    }
}

fn add_invoked(journal: &Journal, report: &InvocationReport, invoked: &InvokeResult) {
    let function = &invoked.function;
    let extensions = invoked.responses.iter();
    let entry = Entry::Invoked {
        n: report.number,
        trace_id: &invoked.trace_id,
        ok: report.ok,
        d: millis(invoked.duration),
        function: FunctionSpan {
            d: millis(function.duration),
            outcome: function.outcome.to_string(),
            status: function.http_status,
            response: Body(&function.response).excerpt().into_owned(),
        },
        extensions: extensions
            .clone()
            .map(|response| {
                let (status, error) = match &response.result {
                    Ok(response) if response.status == 200 => (Some(200), Cow::Borrowed("")),
                    Ok(response) => (Some(response.status), Body(&response.body).excerpt()),
                    Err(error) => {
                        let error = fg_util::error::chain(error);
                        (None, Cow::Owned(excerpt(&error).into_owned()))
                    }
                };
                ExtensionSpan {
                    row: response.script.clone(),
                    after: millis(response.posted_after),
                    d: millis(response.round_trip),
                    status,
                    error: error.into_owned(),
                }
            })
            .collect(),
    };
    let detail = InvokedDetail {
        event: Body(&invoked.event),
        response: Body(&function.response),
        extensions: extensions
            .map(|response| ExtensionBody {
                row: &response.script,
                body: Body(match &response.result {
                    Ok(response) => &response.body,
                    Err(_) => b"",
                }),
            })
            .collect(),
    };
    journal.add_with_detail(invoked.started_at, entry, &detail);
}

/// Adds an event of the platform, which has just happened unless it contains its time.
pub(super) fn add_event(journal: &Journal, event: &Event) {
    let now = Instant::now();
    match event {
        Event::Registered {
            script,
            address,
            started_at,
            registered_at,
            ..
        } => {
            let start = started_at.unwrap_or(*registered_at);
            let entry = Entry::ColdStart {
                row: script,
                d: millis(registered_at.saturating_duration_since(start)),
                address: Some(address.to_string()),
            };
            journal.add(start, entry);
        }
        Event::FunctionInitialized {
            started_at,
            duration,
            ..
        } => {
            let entry = Entry::ColdStart {
                row: FUNCTION,
                d: millis(*duration),
                address: None,
            };
            journal.add(*started_at, entry);
        }
        Event::Output(OutputLine {
            script,
            stream,
            text,
            ..
        }) => add_line(journal, now, row(script), stream_name(*stream), text),
        Event::FunctionLogged { text, .. } => add_line(journal, now, FUNCTION, "stdout", text),
        Event::Subscribed(Subscription { uri, types, .. }) => {
            let types = types.iter().map(ToString::to_string).collect();
            journal.add(now, Entry::Subscribed { uri, types });
        }
        Event::TelemetryDelivered {
            events,
            status,
            started_at,
            round_trip,
            body,
            ..
        } => {
            let TelemetryBody { types, trace_ids } = TelemetryBody::read(body);
            let entry = Entry::Delivery {
                d: millis(*round_trip),
                events: *events,
                bytes: body.len(),
                status: *status,
                types,
                trace_ids,
            };
            journal.add_with_detail(*started_at, entry, &TelemetryDetail { body: Body(body) });
        }
        Event::TelemetryAttemptFailed {
            events,
            started_at,
            round_trip,
            reason,
            ..
        } => {
            let entry = Entry::Attempt {
                d: millis(*round_trip),
                events: *events,
                reason: &excerpt(reason),
            };
            journal.add(*started_at, entry);
        }
        Event::TelemetryLost {
            events,
            reason,
            body,
            ..
        } => {
            let entry = Entry::Lost {
                events: *events,
                reason: &excerpt(reason),
                trace_ids: TelemetryBody::read(body).trace_ids,
            };
            journal.add_with_detail(now, entry, &TelemetryDetail { body: Body(body) });
        }
        Event::Frozen => {
            journal.add(now, Entry::Frozen);
        }
        Event::Thawed => {
            journal.add(now, Entry::Thawed);
        }
        Event::FaultInjected {
            fault, description, ..
        } => {
            let fault = &fault.to_string();
            let what = description;
            journal.add(now, Entry::Fault { fault, what });
        }
        Event::Rejected {
            method,
            path,
            status,
            error_message,
            ..
        } => {
            let entry = Entry::Rejected {
                method,
                path: &excerpt(path),
                status: *status,
                message: &excerpt(error_message),
            };
            journal.add(now, entry);
        }
        Event::FunctionExited {
            status,
            timed_out,
            exited_at,
            ..
        } => {
            let how = describe_exit(*status);
            let status = match timed_out {
                true => format!("{how}, since an invocation timed out"),
                false => how,
            };
            add_exited(journal, *exited_at, FUNCTION, &status);
        }
        _ => {}
    }
}

#[derive(Serialize)]
struct TelemetryDetail<'a> {
    body: Body<'a>,
}

/// Adds how the processes of an instance exited at its shutdown.
pub(super) fn add_shutdown(journal: &Journal, report: &ShutdownReport) {
    let exits = report.extensions.iter().map(|exit| (exit, true));
    let function = report.function.iter().map(|exit| (exit, false));
    for (exit, is_extension) in function.chain(exits) {
        let (row, status) = (row(&exit.script), &describe_exit(exit.status));
        match (exit.stop_requested_at, exit.stop_duration) {
            (Some(start), Some(duration)) => {
                let entry = Entry::Stopped {
                    row,
                    d: millis(duration),
                    status,
                    killed: exit.killed,
                };
                journal.add(start, entry);
            }
            // An exit of the function was reported when it happened.
            _ if is_extension => add_exited(journal, exit.exited_at, row, status),
            _ => {}
        }
    }
}

fn add_exited(journal: &Journal, at: Instant, row: &str, status: &str) {
    journal.add(at, Entry::Exited { row, status });
}

fn add_line(journal: &Journal, at: Instant, row: &str, stream: &str, text: &str) {
    #[derive(Serialize)]
    struct Detail<'a> {
        text: &'a str,
    }
    let entry = |text| Entry::Log { row, stream, text };
    match cut(text, MAX_LINE) {
        start if start.len() < text.len() => {
            journal.add_with_detail(at, entry(start), &Detail { text });
        }
        text => {
            journal.add(at, entry(text));
        }
    }
}

/// Returns the row of a process.
fn row(process: &str) -> &str {
    match process {
        FUNCTION_PROCESS => FUNCTION,
        script => script,
    }
}
