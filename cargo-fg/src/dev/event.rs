//! The events of `cargo fg dev` and `cargo fg invoke`, as JSON and as human-readable lines.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::Serialize;

use crate::invocation::InvocationReport;

/// An event that `dev` or `invoke` prints. As JSON, it is an object whose `event` is the name of the variant.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub(crate) enum DevEvent<'a> {
    /// The platform has started.
    Platform { address: SocketAddr },
    /// These faults will be injected from now on; if the list is empty, none.
    Faults {
        spec: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        seed: Option<u64>,
    },
    /// The page is served at this address.
    Page { url: &'a str },
    /// A recording will be replayed.
    Replay { file: String, scripts: &'a [String] },
    /// `dev` waits for a process that the user starts with this environment to register.
    Attach {
        script: &'a str,
        environment: BTreeMap<&'a str, &'a str>,
    },
    /// An extension has registered.
    Registered {
        script: &'a str,
        address: SocketAddr,
        /// `None` if the user has started an attached process again.
        #[serde(skip_serializing_if = "Option::is_none")]
        duration_ms: Option<f64>,
    },
    /// An extension, or the function, printed a line.
    Output {
        script: &'a str,
        stream: &'a str,
        text: &'a str,
    },
    /// The platform rejected a request.
    Rejected {
        method: &'a str,
        path: &'a str,
        status: u16,
        message: &'a str,
    },
    /// An extension subscribed to telemetry.
    Subscribed { uri: &'a str, types: Vec<String> },
    /// The subscriber acknowledged a batch of telemetry.
    Telemetry {
        events: usize,
        status: u16,
        duration_ms: f64,
    },
    /// Telemetry was lost.
    Lost { events: usize, reason: &'a str },
    /// A fault was injected.
    Fault { fault: String, what: &'a str },
    /// An invocation has finished.
    Invoked(&'a InvocationReport),
    /// The last event of `invoke`, if it sent several invocations.
    Summary {
        invocations: usize,
        failed: u64,
        min_ms: f64,
        median_ms: f64,
        max_ms: f64,
    },
    /// The instance was frozen.
    Frozen,
    /// The instance was thawed.
    Thawed,
    /// Files were saved.
    Changed { paths: Vec<String> },
    /// A build produced the same program again.
    Unchanged,
    /// A build or a boot failed, or an extension cannot receive telemetry.
    Failed { message: String },
    /// An extension exited before it was stopped.
    Exited { script: &'a str, status: String },
    /// The process of the function exited, or was killed because an invocation timed out.
    FunctionExited { status: String, timed_out: bool },
    /// An extension was stopped.
    Stopped {
        script: &'a str,
        duration_ms: f64,
        status: String,
        killed: bool,
    },
    /// The page was written to this file.
    Exported { file: String },
}

impl DevEvent<'_> {
    /// Returns human-readable lines, each with its label. `several` is whether more than one extension runs.
    pub(crate) fn lines(&self, several: bool) -> Vec<(&'static str, String)> {
        let (label, text) = match self {
            Self::Platform { address } => ("platform", format!("EXTENSION_API_ADDR={address}")),
            Self::Faults { spec, seed } => (
                "faults",
                match seed {
                    Some(seed) => format!("--fault {spec} --seed {seed}"),
                    None => "none".to_owned(),
                },
            ),
            Self::Page { url } => ("page", (*url).to_owned()),
            Self::Replay { file, scripts } => {
                let scripts = scripts.join(", ");
                ("replay", format!("{file}, recorded with {scripts}"))
            }
            Self::Attach {
                script,
                environment,
            } => return attach(script, environment),
            Self::Registered {
                script,
                address,
                duration_ms,
            } => (
                "registered",
                match duration_ms {
                    Some(duration_ms) => {
                        format!("{script} at {address}, {duration_ms:.2} ms after its start")
                    }
                    None => format!("{script} at {address}, started again"),
                },
            ),
            Self::Output {
                script: "bootstrap",
                text,
                ..
            } => ("function", (*text).to_owned()),
            Self::Output {
                script,
                stream,
                text,
            } => {
                let label = if *stream == "stderr" {
                    "stderr"
                } else {
                    "stdout"
                };
                let prefix = if several {
                    format!("{script}: ")
                } else {
                    String::new()
                };
                (label, format!("{prefix}{text}"))
            }
            Self::Rejected {
                method,
                path,
                status,
                message,
            } => (
                "rejected",
                format!("{method} {path} with status {status}: {message}"),
            ),
            Self::Subscribed { uri, types } => {
                ("subscribed", format!("{uri} {}", types.join(", ")))
            }
            Self::Telemetry {
                events,
                status,
                duration_ms,
            } => {
                let events = count(*events, "event");
                (
                    "telemetry",
                    format!("{events}, {status} in {duration_ms:.2} ms"),
                )
            }
            Self::Lost { events, reason } => {
                ("lost", format!("{}: {reason}", count(*events, "event")))
            }
            Self::Fault { fault, what } => ("fault", format!("{fault}: {what}")),
            Self::Invoked(report) => return report.lines(),
            Self::Summary {
                invocations,
                failed,
                min_ms,
                median_ms,
                max_ms,
            } => {
                let invocations = count(*invocations, "invocation");
                let times = format!("{min_ms:.2} to {max_ms:.2} ms, median {median_ms:.2} ms");
                (
                    "summary",
                    format!("{invocations}, {failed} failed, {times}"),
                )
            }
            Self::Frozen => ("frozen", "until the next invocation".to_owned()),
            Self::Thawed => ("thawed", "the instance".to_owned()),
            Self::Changed { paths } => ("changed", paths.join(", ")),
            Self::Unchanged => (
                "unchanged",
                "the program is the same; the current instance keeps running".to_owned(),
            ),
            Self::Failed { message } => ("failed", message.clone()),
            Self::Exited { script, status } => {
                ("exited", format!("{script} unexpectedly: it {status}"))
            }
            Self::FunctionExited { status, timed_out } => {
                let reason = if *timed_out {
                    ", since an invocation timed out"
                } else {
                    ""
                };
                (
                    "exited",
                    format!("the function {status}{reason}; the next invocation starts it again"),
                )
            }
            Self::Stopped {
                script,
                duration_ms,
                status,
                killed,
            } => {
                let killed = if *killed {
                    ": it did not exit after SIGTERM"
                } else {
                    ""
                };
                (
                    "stopped",
                    format!("{script} in {duration_ms:.2} ms, {status}{killed}"),
                )
            }
            Self::Exported { file } => ("exported", file.clone()),
        };
        vec![(label, text)]
    }
}

/// Returns the lines for [`DevEvent::Attach`]; those without a label can be pasted into a shell.
fn attach(script: &str, environment: &BTreeMap<&str, &str>) -> Vec<(&'static str, String)> {
    let mut lines = vec![("attach", format!("start {script} with this environment:"))];
    lines.extend(environment.iter().map(|(name, value)| {
        let value = shell_words::quote(value);
        ("", format!("export {name}={value}"))
    }));
    lines
}

/// Returns the number with its noun, such as `1 event` or `2 events`.
pub(crate) fn count(number: usize, what: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{number} {what}{s}")
}
