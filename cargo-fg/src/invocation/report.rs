//! The report of an invocation, as JSON and as human-readable lines.

use std::time::Duration;

use fg_emulator::{
    ExtensionResponse, FunctionOutcome, HttpResponse, InvokeResult, OutputLine, OutputStream,
};
use fg_util::error::{excerpt, one_line};
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
    /// If the invocation failed, what the processes printed during it. `dev` prints these lines itself, so only the report
    /// for `invoke` has them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) printed: Vec<PrintedLine>,
}

/// A line that an extension or the function printed.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct PrintedLine {
    pub(crate) script: String,
    pub(crate) stream: String,
    pub(crate) text: String,
}

/// The report of the function's own run.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct FunctionReport {
    pub(crate) outcome: String,
    pub(crate) duration_ms: f64,
    /// Whether the synthetic function ran with the default outcome and duration, so that
    /// human-readable lines leave it out.
    pub(crate) trivial: bool,
    /// The status of an HTTP function's response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<u16>,
    /// The start of the response in one line, or all of an error; empty for the synthetic function.
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
    /// The body of a response whose status is not 200, or why the extension did not respond.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) detail: String,
}

impl InvocationReport {
    /// Creates the report of an invocation from the emulator's result.
    pub(crate) fn new(
        number: u64,
        spec: &InvocationSpec,
        function_kind: FunctionKind,
        invoked: &InvokeResult,
    ) -> Self {
        let function = &invoked.function;
        let extensions: Vec<_> = invoked.responses.iter().map(ExtensionReport::new).collect();
        let ok = function.outcome == spec.outcome && extensions.iter().all(ExtensionReport::is_ok);
        let response = String::from_utf8_lossy(&function.response);
        Self {
            number,
            trace_id: invoked.trace_id.clone(),
            ok,
            duration_ms: millis(invoked.duration),
            function: FunctionReport {
                outcome: function.outcome.to_string(),
                duration_ms: millis(function.duration),
                trivial: function_kind == FunctionKind::Synthetic && spec.is_trivial(),
                status: function.http_status,
                response: match function.outcome {
                    FunctionOutcome::Ok => excerpt(&one_line(&response)),
                    _ => response.into_owned(),
                },
            },
            extensions,
            printed: match ok {
                true => Vec::new(),
                false => invoked.printed.iter().map(PrintedLine::new).collect(),
            },
        }
    }

    /// Returns one line for each extension, and one for the function unless its run was trivial, each with its label. An
    /// error can add further lines.
    pub(crate) fn lines(&self) -> Vec<(&'static str, String)> {
        let Self {
            number, trace_id, ..
        } = self;
        let mut lines = Vec::new();
        if !self.function.trivial {
            let text = format!("#{number} {}", self.function.text());
            push(&mut lines, "result", text, &self.function.error());
        }
        for extension in &self.extensions {
            let script = match &self.extensions[..] {
                [_] => String::new(),
                _ => format!("{} ", extension.script),
            };
            let text = format!("#{number} {trace_id} {script}{}", extension.text());
            push(&mut lines, "invoked", text, &extension.error());
        }
        lines
    }

    /// Returns the lines of all errors, for a terminal whose timeline only has their start.
    pub(crate) fn error_lines(&self) -> Vec<(&'static str, String)> {
        let mut lines = Vec::new();
        let function = ("function", self.function.error());
        let extensions = self.extensions.iter();
        let extensions = extensions.map(|extension| (extension.script.as_str(), extension.error()));
        for (name, error) in [function].into_iter().chain(extensions) {
            if !error.is_empty() {
                push(&mut lines, "error", name.to_owned(), &error);
            }
        }
        lines
    }
}

impl FunctionReport {
    fn text(&self) -> String {
        let text = format!("{} in {:.2} ms", self.outcome, self.duration_ms);
        let text = match self.status {
            Some(status) => format!("{text}, status {status}"),
            None => text,
        };
        match self.is_ok() {
            true => with_detail(text, &self.response),
            false => text,
        }
    }

    /// Returns the outcome without the time.
    pub(crate) fn status(&self) -> String {
        match self.is_ok() {
            true => with_detail(self.outcome.clone(), &self.response),
            false => with_detail(self.outcome.clone(), &one_line(&self.error())),
        }
    }

    fn is_ok(&self) -> bool {
        self.outcome == FunctionOutcome::Ok.to_string()
    }

    /// Returns the error of the function; empty if it has not failed.
    fn error(&self) -> String {
        match self.is_ok() {
            true => String::new(),
            false => error_text(&self.response),
        }
    }
}

impl ExtensionReport {
    fn new(response: &ExtensionResponse) -> Self {
        let (status, detail) = match &response.result {
            Ok(HttpResponse { status: 200, .. }) => (Some(200), String::new()),
            Ok(HttpResponse { status, body, .. }) => {
                (Some(*status), String::from_utf8_lossy(body).into_owned())
            }
            Err(error) => (None, fg_util::error::chain(error)),
        };
        Self {
            script: response.script.clone(),
            after_ms: millis(response.posted_after),
            duration_ms: millis(response.round_trip),
            status,
            detail,
        }
    }

    fn is_ok(&self) -> bool {
        self.status == Some(200)
    }

    /// Returns whether no process listens on the address that the extension has registered.
    pub(crate) fn refused_connection(&self) -> bool {
        self.status.is_none() && self.detail.contains("Connection refused")
    }

    fn text(&self) -> String {
        let outcome = self
            .status
            .map_or_else(|| "failed".to_owned(), |status| status.to_string());
        format!("{outcome} in {:.2} ms", self.duration_ms)
    }

    fn error(&self) -> String {
        error_text(&self.detail)
    }

    /// Returns the outcome without the time.
    pub(crate) fn status(&self) -> String {
        let outcome = self
            .status
            .map_or_else(|| "failed".to_owned(), |status| status.to_string());
        with_detail(outcome, &one_line(&self.error()))
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

/// Adds a line with its error, if it is not empty. The further lines of the error follow.
fn push(lines: &mut Vec<(&'static str, String)>, label: &'static str, text: String, error: &str) {
    let mut error = error.trim_end().lines().map(|line| {
        // Indentation is kept, as in a stack trace.
        let indentation = line.len() - line.trim_start_matches(' ').len();
        format!("{}{}", &line[..indentation], one_line(line))
    });
    lines.push((label, with_detail(text, &error.next().unwrap_or_default())));
    lines.extend(error.map(|line| (label, line)));
}

/// Returns the text of an error body: `<errorType>: <errorMessage>` if it has the platform's format, of a function (D
/// functiongraph_01_0406) or of an extension (D 2707), or else the whole body.
fn error_text(body: &str) -> String {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct ErrorInfo {
        error_type: String,
        error_message: String,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct ErrorBody {
        error_info: ErrorInfo,
    }
    let info = serde_json::from_str::<ErrorInfo>(body).ok();
    let nested = || Some(serde_json::from_str::<ErrorBody>(body).ok()?.error_info);
    match info.or_else(nested) {
        Some(ErrorInfo {
            error_type,
            error_message,
        }) if !error_message.is_empty() => match error_type.as_str() {
            "" => error_message,
            error_type => format!("{error_type}: {error_message}"),
        },
        _ => body.to_owned(),
    }
}

impl PrintedLine {
    fn new(line: &OutputLine) -> Self {
        Self {
            script: line.script.clone(),
            stream: stream_name(line.stream).to_owned(),
            text: line.text.clone(),
        }
    }
}

/// Returns the name of a stream, as in JSON output.
pub(crate) fn stream_name(stream: OutputStream) -> &'static str {
    match stream {
        OutputStream::Stdout => "stdout",
        OutputStream::Stderr => "stderr",
    }
}

#[cfg(test)]
mod tests {
    use super::{error_text, push};

    #[test]
    fn errors_are_shown_in_full() {
        for (body, text) in [
            (r#"{"errorType": "Oh", "errorMessage": "a\nb"}"#, "Oh: a\nb"),
            (
                r#"{"errorInfo": {"errorType": "Oh", "errorMessage": "no"}}"#,
                "Oh: no",
            ),
            (
                r#"{"errorType": "", "errorMessage": "no", "stack": 1}"#,
                "no",
            ),
            (r#"{"errorType": "Oh"}"#, r#"{"errorType": "Oh"}"#),
            ("not JSON", "not JSON"),
        ] {
            assert_eq!(error_text(body), text);
        }
        let long = "x".repeat(1000);
        let mut lines = Vec::new();
        push(
            &mut lines,
            "result",
            "#1".to_owned(),
            &format!("{long}\n  at\u{1b}[1m main\n"),
        );
        push(&mut lines, "invoked", "#1".to_owned(), "");
        assert_eq!(
            lines,
            [
                ("result", format!("#1: {long}")),
                ("result", "  at\\u{1b}[1m main".to_owned()),
                ("invoked", "#1".to_owned()),
            ]
        );
    }
}
