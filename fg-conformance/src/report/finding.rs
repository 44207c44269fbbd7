//! [`Finding`]: the outcome of one case.

use serde::Serialize;

/// How a case went.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Outcome {
    /// The extension does what is required.
    Pass,
    /// It does not.
    Fail,
    /// It does something else, which the platform may accept.
    Warn,
    /// The case was not tried.
    Skip,
}

/// How a case went, and what was seen.
#[derive(Debug)]
#[non_exhaustive]
pub struct Finding {
    /// How it went.
    pub outcome: Outcome,
    /// What was seen, or why it was not tried, in one line.
    pub detail: String,
}

impl Finding {
    pub(crate) fn pass(detail: impl Into<String>) -> Self {
        Self::new(Outcome::Pass, detail)
    }

    pub(crate) fn fail(detail: impl Into<String>) -> Self {
        Self::new(Outcome::Fail, detail)
    }

    pub(crate) fn warn(detail: impl Into<String>) -> Self {
        Self::new(Outcome::Warn, detail)
    }

    pub(crate) fn skip(detail: impl Into<String>) -> Self {
        Self::new(Outcome::Skip, detail)
    }

    pub(crate) fn is_fail(&self) -> bool {
        self.outcome == Outcome::Fail
    }

    fn new(outcome: Outcome, detail: impl Into<String>) -> Self {
        // What others wrote may have several lines, and characters that command a terminal.
        let detail: String = detail.into();
        let detail = detail.replace(|c: char| c.is_control(), " ");
        let words: Vec<_> = detail.split_whitespace().collect();
        Self {
            outcome,
            detail: words.join(" "),
        }
    }
}

impl From<Result<String, String>> for Finding {
    fn from(result: Result<String, String>) -> Self {
        match result {
            Ok(detail) => Self::pass(detail),
            Err(detail) => Self::fail(detail),
        }
    }
}
