//! An invocation that has ended, as it is told: to people, as JSON, and by `dev` to `invoke`.

use std::time::Duration;

use fg_emulator::{ExtensionResponse, HttpResponse, InvokeResult};
use serde::{Deserialize, Serialize};

use crate::order::Order;

/// So much of a body is told.
const EXCERPT_CHARS: usize = 200;

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Report {
    pub(crate) number: u64,
    pub(crate) trace_id: String,
    /// Whether every extension answered with 200, and the function ended as it was asked to.
    pub(crate) ok: bool,
    pub(crate) took_ms: f64,
    pub(crate) function: Run,
    pub(crate) extensions: Vec<Answer>,
}

/// The function's own run.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Run {
    pub(crate) outcome: String,
    pub(crate) took_ms: f64,
    /// Whether it is the synthetic one, which had nothing to do.
    pub(crate) trivial: bool,
    /// What it answered; nothing if it is the synthetic one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) response: String,
}

/// What one extension answered.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Answer {
    pub(crate) script: String,
    /// From the start of the invocation to its call.
    pub(crate) after_ms: f64,
    pub(crate) took_ms: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<u16>,
    /// The body of an answer that is no 200, or why there is none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) detail: String,
}

impl Report {
    /// Of the invocation with this number; `synthetic` says which kind of function it was asked of.
    pub(crate) fn new(number: u64, order: &Order, synthetic: bool, invoked: InvokeResult) -> Self {
        let function = invoked.function;
        let extensions: Vec<_> = invoked.responses.into_iter().map(Answer::new).collect();
        Self {
            number,
            trace_id: invoked.trace_id,
            ok: function.outcome == order.outcome && extensions.iter().all(Answer::is_ok),
            took_ms: millis(invoked.duration),
            function: Run {
                outcome: function.outcome.to_string(),
                took_ms: millis(function.duration),
                trivial: synthetic && order.is_trivial(),
                response: excerpt(&function.response),
            },
            extensions,
        }
    }

    /// One line for each extension, and one for a function that had something to do, each with its label.
    pub(crate) fn lines(&self) -> Vec<(&'static str, String)> {
        let Self {
            number, trace_id, ..
        } = self;
        let mut lines = Vec::new();
        if !self.function.trivial {
            lines.push(("result", format!("#{number} {}", self.function.text())));
        }
        for answer in &self.extensions {
            let script = match &self.extensions[..] {
                [_] => String::new(),
                _ => format!("{} ", answer.script),
            };
            let text = format!("#{number} {trace_id} {script}{}", answer.text());
            lines.push(("invoked", text));
        }
        lines
    }
}

impl Run {
    fn text(&self) -> String {
        let outcome = &self.outcome;
        with_detail(
            format!("{outcome} in {:.2} ms", self.took_ms),
            &self.response,
        )
    }

    /// Without the time.
    pub(crate) fn status(&self) -> String {
        with_detail(self.outcome.clone(), &self.response)
    }
}

impl Answer {
    fn new(response: ExtensionResponse) -> Self {
        let (status, detail) = match response.result {
            Ok(HttpResponse { status: 200, .. }) => (Some(200), String::new()),
            Ok(response) => (Some(response.status), excerpt(&response.body)),
            Err(error) => (None, format!("{:#}", anyhow::Error::new(error))),
        };
        Self {
            script: response.script,
            after_ms: millis(response.posted_after),
            took_ms: millis(response.round_trip),
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
        with_detail(format!("{outcome} in {:.2} ms", self.took_ms), &self.detail)
    }

    /// Without the time.
    pub(crate) fn status(&self) -> String {
        let outcome = self
            .status
            .map_or_else(|| "failed".to_owned(), |status| status.to_string());
        with_detail(outcome, &self.detail)
    }
}

/// In milliseconds, to the microsecond: more digits are noise.
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

/// One line of it, and not a long one.
fn excerpt(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let mut chars = text.trim().chars();
    let excerpt: String = chars
        .by_ref()
        .take(EXCERPT_CHARS)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if chars.next().is_some() {
        excerpt + "…"
    } else {
        excerpt
    }
}
