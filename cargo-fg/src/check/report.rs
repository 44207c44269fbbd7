//! What was found, case by case.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::cases::Case;
use super::table::CASES;
use super::watch::{KEPT_LINES, Watch};

/// How a case went.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outcome {
    Pass,
    Fail,
    Warn,
    Skip,
}

/// How a case went, and what was seen, in one line.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) outcome: Outcome,
    pub(crate) detail: String,
}

/// What was found so far.
#[derive(Debug)]
pub(crate) struct Report {
    selected: BTreeSet<&'static str>,
    findings: BTreeMap<&'static str, Finding>,
    /// Those that prevented one that was asked for.
    culprits: BTreeSet<&'static str>,
    /// The last lines that the extension printed to its standard error, of the boots that may need them explained.
    stderr: Vec<String>,
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
        // What others said may have several lines, and what would command a terminal.
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

impl Report {
    pub(crate) fn new(selected: BTreeSet<&'static str>) -> Self {
        Self {
            selected,
            findings: BTreeMap::new(),
            culprits: BTreeSet::new(),
            stderr: Vec::new(),
        }
    }

    /// Whether one is asked for that begins so, and not told yet.
    pub(crate) fn wants(&self, prefix: &str) -> bool {
        let wanted = self.selected.iter().filter(|id| id.starts_with(prefix));
        wanted.copied().any(|id| !self.findings.contains_key(id))
    }

    /// Tells of one. The first that is told of it counts.
    pub(crate) fn tell(&mut self, id: &'static str, finding: impl Into<Finding>) {
        self.findings.entry(id).or_insert_with(|| finding.into());
    }

    /// The first of these that failed.
    pub(crate) fn failed(&self, ids: &[&'static str]) -> Option<&'static str> {
        let failed = |id: &str| self.findings.get(id).is_some_and(Finding::is_fail);
        ids.iter().copied().find(|id| failed(id))
    }

    /// Skips what begins with one of these and is not told yet: `culprit` prevents it.
    pub(crate) fn prevent(&mut self, culprit: &'static str, prefixes: &[&str]) {
        if prefixes.iter().any(|prefix| self.wants(prefix)) {
            self.culprits.insert(culprit);
        }
        self.skip(prefixes, &format!("prevented by {culprit}"));
    }

    /// Skips what begins with one of these and is not told yet.
    pub(crate) fn skip(&mut self, prefixes: &[&str], why: &str) {
        for case in CASES {
            if prefixes.iter().any(|prefix| case.id.starts_with(prefix)) {
                self.tell(case.id, Finding::skip(why));
            }
        }
    }

    /// Keeps what was printed in a boot, if something went wrong in it.
    pub(super) fn heard(&mut self, watch: &Watch, is_wrong: bool) {
        if is_wrong {
            self.stderr.extend_from_slice(&watch.seen().stderr);
            let surplus = self.stderr.len().saturating_sub(KEPT_LINES);
            self.stderr.drain(..surplus);
        }
    }

    pub(crate) fn stderr(&self) -> &[String] {
        &self.stderr
    }

    /// What was asked for, and what prevented some of it.
    pub(crate) fn told(&self) -> impl Iterator<Item = (&'static Case, &Finding)> {
        CASES.iter().filter_map(|case| {
            let is_wanted = self.selected.contains(case.id) || self.culprits.contains(case.id);
            let finding = self.findings.get(case.id).filter(|_| is_wanted)?;
            Some((case, finding))
        })
    }

    /// How many of those went so.
    pub(crate) fn count(&self, outcome: Outcome) -> usize {
        self.told()
            .filter(|(_, finding)| finding.outcome == outcome)
            .count()
    }
}
