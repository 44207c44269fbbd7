//! The report of an invocation, as JSON and as human-readable lines.

use std::time::Duration;

use fg_emulator::{ExtensionResponse, HttpResponse, InvokeResult};
use serde::{Deserialize, Serialize};

use super::{FunctionKind, InvocationSpec};

/// The report of one invocation.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct InvocationReport {
    pub(crate) number: u64,
    pub(crate) trace_id: String,
    /// Whether every extension responded with status 200, and the function had the requested outcome.
    pub(crate) ok: bool,
    pub(crate) duration_ms: f64,
    pub(crate) function: FunctionReport,
    pub(crate) extensions: Vec<ExtensionReport>,
}

/// The report of the function's own run.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct FunctionReport {
    pub(crate) outcome: String,
    pub(crate) duration_ms: f64,
    /// Whether the synthetic function ran with the default outcome and duration, so that
    /// human-readable lines leave it out.
    pub(crate) trivial: bool,
    /// The start of the response in one line; empty for the synthetic function.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) response: String,
}

/// The response of one extension.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct ExtensionReport {
    pub(crate) script: String,
    /// The time from the start of the invocation to the request to this extension.
    pub(crate) after_ms: f64,
    pub(crate) duration_ms: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<u16>,
    /// The body of a response whose status is not 200, or the reason why there is no response.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) detail: String,
}

impl InvocationReport {
    /// Creates the report of an invocation from the emulator's result.
    pub(crate) fn new(
        number: u64,
        spec: &InvocationSpec,
        function_kind: FunctionKind,
        invoked: InvokeResult,
    ) -> Self {
        let function = invoked.function;
        let extensions: Vec<_> = invoked
            .responses
            .into_iter()
            .map(ExtensionReport::new)
            .collect();
        Self {
            number,
            trace_id: invoked.trace_id,
            ok: function.outcome == spec.outcome && extensions.iter().all(ExtensionReport::is_ok),
            duration_ms: millis(invoked.duration),
            function: FunctionReport {
                outcome: function.outcome.to_string(),
                duration_ms: millis(function.duration),
                trivial: function_kind == FunctionKind::Synthetic && spec.is_trivial(),
                response: excerpt(&function.response),
            },
            extensions,
        }
    }

    /// Returns one line for each extension, and one for the function unless its run was trivial, each with its label.
    pub(crate) fn lines(&self) -> Vec<(&'static str, String)> {
        let Self {
            number, trace_id, ..
        } = self;
        let mut lines = Vec::new();
        if !self.function.trivial {
            lines.push(("result", format!("#{number} {}", self.function.text())));
        }
        for extension in &self.extensions {
            let script = match &self.extensions[..] {
                [_] => String::new(),
                _ => format!("{} ", extension.script),
            };
            let text = format!("#{number} {trace_id} {script}{}", extension.text());
            lines.push(("invoked", text));
        }
        lines
    }
}

impl FunctionReport {
    fn text(&self) -> String {
        let outcome = &self.outcome;
        with_detail(
            format!("{outcome} in {:.2} ms", self.duration_ms),
            &self.response,
        )
    }

    /// Returns the outcome without the time.
    pub(crate) fn status(&self) -> String {
        with_detail(self.outcome.clone(), &self.response)
    }
}

impl ExtensionReport {
    fn new(response: ExtensionResponse) -> Self {
        let (status, detail) = match response.result {
            Ok(HttpResponse { status: 200, .. }) => (Some(200), String::new()),
            Ok(response) => (Some(response.status), excerpt(&response.body)),
            Err(error) => (None, fg_util::error::chain(&error)),
        };
        Self {
            script: response.script,
            after_ms: millis(response.posted_after),
            duration_ms: millis(response.round_trip),
            status,
            detail,
        }
    }

    fn is_ok(&self) -> bool {
        self.status == Some(200)
    }

    fn text(&self) -> String {
        let outcome = self
            .status
            .map_or_else(|| "failed".to_owned(), |status| status.to_string());
        with_detail(
            format!("{outcome} in {:.2} ms", self.duration_ms),
            &self.detail,
        )
    }

    /// Returns the outcome without the time.
    pub(crate) fn status(&self) -> String {
        let outcome = self
            .status
            .map_or_else(|| "failed".to_owned(), |status| status.to_string());
        with_detail(outcome, &self.detail)
    }
}

/// Returns a duration in milliseconds, rounded to microseconds.
pub(crate) fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

fn with_detail(text: String, detail: &str) -> String {
    if detail.is_empty() {
        text
    } else {
        format!("{text}: {detail}")
    }
}

/// Returns the start of a body, in one line.
fn excerpt(body: &[u8]) -> String {
    fg_util::error::excerpt(&fg_util::error::one_line(&String::from_utf8_lossy(body)))
}
