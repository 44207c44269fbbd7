//! [`Row`]: a question about the platform, and what was observed.

/// A question of the contract. Modules return the rows of what they observe, and the report prints them.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// What was known before: `D` documented, `I` inferred, `?` unknown.
    pub(crate) mark: char,
    pub(crate) question: &'static str,
    /// `None` if it was not seen in this run. Contains no values, see [`redact`](crate::redact).
    pub(crate) observed: Option<String>,
}

impl Row {
    pub(crate) fn new(
        mark: char,
        question: &'static str,
        observed: impl Into<Option<String>>,
    ) -> Self {
        let observed = observed.into();
        Self {
            mark,
            question,
            observed,
        }
    }

    /// A list of observations. An empty one means that nothing was seen.
    pub(crate) fn list(mark: char, question: &'static str, observed: Vec<String>) -> Self {
        let observed = (!observed.is_empty()).then(|| observed.join("; "));
        Self::new(mark, question, observed)
    }
}
