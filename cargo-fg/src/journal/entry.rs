//! The entries of the journal.

use std::collections::BTreeMap;

use serde::Serialize;

/// An entry of the journal. As JSON, it is an object whose `kind` is the name of the variant, with `id` and `t`: the time in
/// milliseconds since the start of the journal, which is the start of what has a duration `d`, also in milliseconds.
///
/// A text in a detail is complete. Payloads and bodies that are not UTF-8 are `{"base64": "…"}` there, and the start of this JSON
/// where an entry contains their start.
///
/// A `row` is a row of the timeline: the script name of an extension, `function`, or `telemetry`.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(crate) enum Entry<'a> {
    /// The first entry.
    Session {
        /// A random ID, which distinguishes this journal from others.
        session: &'a str,
        /// `dev` or `check`.
        command: &'a str,
        /// The time at `t` = 0, in milliseconds since 1970.
        epoch_ms: u64,
        /// The version of cargo-fg.
        version: &'a str,
        /// The directory in which the command runs.
        directory: &'a str,
        /// The script names of the extensions.
        scripts: &'a [String],
        /// `synthetic`, `custom-runtime` or `http`.
        function: &'a str,
        /// The faults that can be injected: their names, and what they do.
        faults: &'a [(String, &'a str)],
        /// The number of cases that `check` runs.
        #[serde(skip_serializing_if = "Option::is_none")]
        cases: Option<usize>,
    },
    /// An instance starts to boot. Instances are numbered from 1.
    Boot { instance: u64 },
    /// An extension or the function has started: `d` is the time from the start of its process to its registration, or to
    /// its first request for an event. It is 0 for a process that the user has started (`--attach`).
    ColdStart {
        row: &'a str,
        d: f64,
        #[serde(skip_serializing_if = "Option::is_none")]
        address: Option<String>,
    },
    /// The instance has booted; `t` is the start of the boot.
    Booted { instance: u64, d: f64 },
    /// An extension subscribed to telemetry.
    Subscribed { uri: &'a str, types: Vec<String> },
    /// An invocation was sent. Detail: `{"payload": text, "logs": [text]}`.
    Invoke {
        n: u64,
        trace_id: &'a str,
        /// `ok`, `error` or `timeout`: what the synthetic function should do; absent for a real function.
        #[serde(skip_serializing_if = "Option::is_none")]
        outcome: Option<String>,
        /// How long the synthetic function should run.
        #[serde(skip_serializing_if = "Option::is_none")]
        duration_ms: Option<f64>,
        /// The start of the payload.
        payload: &'a str,
    },
    /// An invocation has finished; `t` is its start. Detail, unless it was canceled: `{"event": text, "response": text, "extensions": [{"row", "body"}]}`
    /// with the event that was posted to the extensions, the response of the function, and those of the extensions.
    Invoked {
        n: u64,
        trace_id: &'a str,
        ok: bool,
        d: f64,
        function: FunctionSpan,
        extensions: Vec<ExtensionSpan>,
    },
    /// A batch of telemetry was acknowledged. Detail: `{"body": text}`.
    Delivery {
        d: f64,
        events: usize,
        bytes: usize,
        status: u16,
        /// The number of events of each type.
        types: BTreeMap<String, usize>,
        /// The trace IDs of the invocations that the events belong to.
        trace_ids: Vec<String>,
    },
    /// A batch of telemetry was posted, but not acknowledged. It is posted again, unless `Lost` follows.
    Attempt {
        d: f64,
        events: usize,
        reason: &'a str,
    },
    /// Telemetry was lost. Detail: `{"body": text}`. If the buffer was full, the body contains the first of the lost events.
    Lost {
        events: usize,
        reason: &'a str,
        /// The trace IDs of the invocations that the events in the detail belong to.
        trace_ids: Vec<String>,
    },
    /// An extension or the function printed a line. Detail, if the line was cut: `{"text": text}`.
    Log {
        row: &'a str,
        /// `stdout` or `stderr`.
        stream: &'a str,
        text: &'a str,
    },
    /// The instance was frozen.
    Frozen,
    /// The instance was thawed.
    Thawed,
    /// A fault was injected.
    Fault { fault: &'a str, what: &'a str },
    /// The platform rejected a request.
    Rejected {
        method: &'a str,
        path: &'a str,
        status: u16,
        message: &'a str,
    },
    /// The shutdown of the instance started.
    Shutdown { instance: u64 },
    /// An extension was stopped; `t` is when it was asked to stop.
    Stopped {
        row: &'a str,
        d: f64,
        status: &'a str,
        killed: bool,
    },
    /// The instance has shut down; `t` is the start of the shutdown.
    Down { instance: u64, d: f64 },
    /// An extension or the function exited unexpectedly, or the function was killed because of a time-out.
    Exited { row: &'a str, status: &'a str },
    /// Files were saved.
    Changed { paths: &'a [String] },
    /// A build has finished; `t` is its start.
    Build {
        d: f64,
        /// `new`, `unchanged` or `failed`.
        outcome: &'a str,
    },
    /// A build or a boot failed, or an extension cannot receive telemetry.
    Failed { message: &'a str },
    /// A warning of `dev`.
    Warning { message: &'a str },
    /// A case of `check` has a finding. Its explanation is in `Report`.
    Case { case: &'a str, outcome: &'a str },
    /// The report of `check`.
    Report {
        extension: &'a str,
        d: f64,
        cases: Vec<CaseReport<'a>>,
        /// The last lines of standard error in boots with a failure.
        stderr: &'a [String],
    },
    /// The command has finished.
    End {
        ok: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        message: Option<&'a str>,
    },
}

/// How the function ran in an invocation.
#[derive(Serialize)]
pub(crate) struct FunctionSpan {
    pub(crate) d: f64,
    /// `ok`, `error`, `timeout`, or `canceled` if the instance was shut down first. Then the responses of the extensions are
    /// unknown.
    pub(crate) outcome: String,
    /// The status of an HTTP function's response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<u16>,
    /// The start of the response, or of the error.
    pub(crate) response: String,
}

/// The response of one extension to an invocation.
#[derive(Serialize)]
pub(crate) struct ExtensionSpan {
    pub(crate) row: String,
    /// The time from the start of the invocation to the request.
    pub(crate) after: f64,
    pub(crate) d: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<u16>,
    /// The start of a body whose status is not 200, or why the extension did not respond.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) error: String,
}

/// The finding of one conformance case.
#[derive(Serialize)]
pub(crate) struct CaseReport<'a> {
    pub(crate) id: &'a str,
    /// `pass`, `fail`, `warn` or `skip`.
    pub(crate) outcome: &'a str,
    /// What was observed.
    pub(crate) detail: &'a str,
    /// The requirement.
    pub(crate) sentence: &'a str,
    /// The page of the platform's documentation.
    pub(crate) source: &'a str,
    /// `D`, `I` or `?`.
    pub(crate) mark: String,
    /// How the case is tested.
    pub(crate) tried: &'a str,
    /// How to fix an extension that fails it.
    pub(crate) remedy: &'a str,
}
