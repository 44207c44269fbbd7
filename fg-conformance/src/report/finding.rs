//! [`Finding`]: the outcome of one case.

use serde::Serialize;

/// The result of a case.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Outcome {
    /// The extension meets the requirement.
    Pass,
    /// The extension violates the requirement.
    Fail,
    /// The extension deviates from the requirement in a way that the platform may accept.
    Warn,
    /// The case was not tested.
    Skip,
}

/// The outcome of a case, and what was observed.
#[derive(Debug)]
#[non_exhaustive]
pub struct Finding {
    /// The outcome.
    pub outcome: Outcome,
    /// What was observed, or why the case was skipped, in one line.
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

    /// Returns a number that is higher for worse outcomes.
    pub(crate) fn severity(&self) -> u8 {
        match self.outcome {
            Outcome::Fail => 2,
            Outcome::Warn => 1,
            Outcome::Pass | Outcome::Skip => 0,
        }
    }

    fn new(outcome: Outcome, detail: impl Into<String>) -> Self {
        // The detail may quote the extension, with line breaks and terminal control characters.
        let detail: String = detail.into();
        let detail = detail.replace(|c: char| c.is_control(), " ");
        let words: Vec<_> = detail.split_whitespace().collect();
        Self {
            outcome,
            detail: words.join(" "),
        }
    }
}

impl<E: Into<String>> From<Result<String, E>> for Finding {
    fn from(result: Result<String, E>) -> Self {
        match result {
            Ok(detail) => Self::pass(detail),
            Err(detail) => Self::fail(detail),
        }
    }
}
