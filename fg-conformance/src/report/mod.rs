//! [`Report`]: the outcome of each case.

mod catalog;
mod finding;
mod human;
mod json;
mod junit;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

pub use self::catalog::list_cases;
pub use self::finding::{Finding, Outcome};
use crate::Error;
use crate::cases::{CASES, Case, CaseId, Fixture, Group, Selection};
use crate::harness::{CallRecorder, MAX_STDERR_LINES};

/// The outcome of each selected case, and of each one that prevented a selected case: a selection must not be clean by
/// accident.
///
/// Displayed for people, without colours.
#[derive(Debug)]
pub struct Report {
    /// The script's name, or the ZIP's if its script could not be found.
    extension: String,
    description: Option<String>,
    duration: Duration,
    selection: Selection,
    findings: BTreeMap<CaseId, Finding>,
    /// Those that prevented a selected case.
    culprits: BTreeSet<CaseId>,
    /// The last lines of the extension's standard error, of the boots in which something went wrong.
    stderr: Vec<String>,
}

/// How a report is rendered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Format {
    /// Grouped and aligned, with ANSI colours; print it through `anstream` or its like, which strips them where they are
    /// not wanted.
    Human,
    /// One object: `{"cases": [{"id", "outcome", "detail", "source", "mark"}]}`.
    Json,
    /// XML, as CI systems read it.
    Junit,
}

impl Report {
    pub(crate) fn new(selection: Selection) -> Self {
        Self {
            extension: String::new(),
            description: None,
            duration: Duration::ZERO,
            selection,
            findings: BTreeMap::new(),
            culprits: BTreeSet::new(),
            stderr: Vec::new(),
        }
    }

    /// Iterates over the cases and their findings, in the order of the IDs.
    pub fn findings(&self) -> impl Iterator<Item = (&'static Case, &Finding)> {
        CASES.iter().filter_map(|case| {
            let is_shown = self.selection.contains(case.id) || self.culprits.contains(&case.id);
            let finding = self.findings.get(&case.id).filter(|_| is_shown)?;
            Some((case, finding))
        })
    }

    /// Returns how many cases have this outcome.
    #[must_use]
    pub fn count(&self, outcome: Outcome) -> usize {
        let findings = self.findings();
        findings
            .filter(|(_, finding)| finding.outcome == outcome)
            .count()
    }

    /// Returns the last lines that the extension printed to its standard error, of the boots in which something went wrong.
    #[must_use]
    pub fn stderr(&self) -> &[String] {
        &self.stderr
    }

    /// Returns the report as text.
    ///
    /// # Errors
    ///
    /// If it cannot be written in this format.
    pub fn render(&self, format: Format) -> Result<String, Error> {
        match format {
            Format::Human => Ok(human::render(self, human::Styles::ansi())),
            Format::Json => json::render(self),
            Format::Junit => junit::render(self),
        }
    }
}

/// For the checks, which fill it.
impl Report {
    pub(crate) fn set_extension(&mut self, extension: String, description: Option<String>) {
        self.extension = extension;
        self.description = description;
    }

    pub(crate) fn set_duration(&mut self, duration: Duration) {
        self.duration = duration;
    }

    /// Whether the case is selected and has no finding yet.
    pub(crate) fn wants(&self, id: CaseId) -> bool {
        self.selection.contains(id) && !self.findings.contains_key(&id)
    }

    /// Whether the report wants one of these.
    pub(crate) fn wants_any(&self, mut is_meant: impl FnMut(&Case) -> bool) -> bool {
        CASES
            .iter()
            .any(|case| is_meant(case) && self.wants(case.id))
    }

    /// Records a finding. The first finding of a case counts.
    pub(crate) fn record(&mut self, id: CaseId, finding: impl Into<Finding>) {
        self.findings.entry(id).or_insert_with(|| finding.into());
    }

    pub(crate) fn is_failed(&self, id: CaseId) -> bool {
        self.findings.get(&id).is_some_and(Finding::is_fail)
    }

    /// Returns the first of these that failed.
    pub(crate) fn first_failed(&self, ids: &[CaseId]) -> Option<CaseId> {
        ids.iter().copied().find(|id| self.is_failed(*id))
    }

    /// Skips these, if they have no finding yet.
    pub(crate) fn skip(&mut self, mut is_meant: impl FnMut(&Case) -> bool, why: &str) {
        for case in CASES.iter().filter(|case| is_meant(case)) {
            self.record(case.id, Finding::skip(why));
        }
    }

    /// Skips what the case prevents.
    pub(crate) fn prevent(&mut self, culprit: CaseId) {
        self.prevent_these(culprit, |case| culprit.prevents(case.id));
    }

    /// For each failed case of the group: skips what it prevents within the group.
    pub(crate) fn prevent_within(&mut self, group: Group) {
        for culprit in CaseId::ALL.iter().copied() {
            if culprit.group() == group && self.is_failed(culprit) {
                self.prevent_these(culprit, |case| {
                    case.id.group() == group && culprit.prevents(case.id)
                });
            }
        }
    }

    /// For each failed case of the group: skips what it prevents.
    pub(crate) fn prevent_after(&mut self, group: Group) {
        for culprit in CaseId::ALL.iter().copied() {
            if culprit.group() == group && self.is_failed(culprit) {
                self.prevent(culprit);
            }
        }
    }

    /// Skips all that needs the shared process: the case has ended it.
    pub(crate) fn prevent_shared_process(&mut self, culprit: CaseId) {
        self.prevent_these(culprit, |case| case.fixture == Fixture::SharedProcess);
    }

    fn prevent_these(&mut self, culprit: CaseId, is_meant: impl Fn(&Case) -> bool) {
        if self.wants_any(&is_meant) {
            self.culprits.insert(culprit);
        }
        self.skip(is_meant, &format!("prevented by {culprit}"));
    }

    /// Keeps what the extension printed in a boot in which something went wrong.
    pub(crate) fn keep_stderr(&mut self, recorder: &CallRecorder) {
        self.stderr.extend_from_slice(&recorder.recorded().stderr);
        let surplus = self.stderr.len().saturating_sub(MAX_STDERR_LINES);
        self.stderr.drain(..surplus);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&human::render(self, human::Styles::plain()))
    }
}
