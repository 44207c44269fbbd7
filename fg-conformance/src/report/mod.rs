//! [`Report`]: the findings of a run, and how they are rendered.

mod catalog;
mod finding;
mod human;
mod json;
mod junit;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use self::catalog::list_cases;
pub use self::finding::{Finding, Outcome};
use crate::Error;
use crate::cases::{CASES, Case, CaseId, Fixture, Group, Selection};
use crate::harness::{CallRecorder, MAX_STDERR_LINES};

/// The findings of a run: one for each selected case.
///
/// If a selected case is blocked by a case that was not selected, the report contains the blocking case too. Otherwise a
/// selection could look clean although its cases were never tested.
///
/// `Display` renders the human-readable report, without colors.
#[derive(Debug)]
pub struct Report {
    /// The name of the start script, or the path of a ZIP that cannot be booted.
    extension: String,
    description: Option<String>,
    duration: Duration,
    selection: Selection,
    findings: BTreeMap<CaseId, Finding>,
    /// The cases that blocked a selected case.
    blockers: BTreeSet<CaseId>,
    /// The last lines that the extension printed to standard error in boots with a failure.
    stderr: Vec<String>,
    on_finding: OnFinding,
}

/// A callback for findings.
#[derive(Clone)]
pub(crate) struct OnFinding(Arc<FindingCallback>);

type FindingCallback = dyn Fn(&'static Case, &Finding) + Send + Sync;

/// The format of a report.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Format {
    /// Human-readable text, grouped and aligned, with ANSI colors. Print it through a crate such as `anstream`, which removes the
    /// colors where they are not supported.
    Human,
    /// One JSON object: `{"cases": [{"id", "outcome", "detail", "source", "mark"}], "stderr": ["line"]}`.
    Json,
    /// JUnit XML, which CI systems read.
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
            blockers: BTreeSet::new(),
            stderr: Vec::new(),
            on_finding: OnFinding::default(),
        }
    }

    /// Sets the callback for findings.
    pub(crate) fn on_finding(mut self, on_finding: OnFinding) -> Self {
        self.on_finding = on_finding;
        self
    }

    /// Returns the name of the start script, or the path of a ZIP that cannot be booted.
    #[must_use]
    pub fn extension(&self) -> &str {
        &self.extension
    }

    /// Iterates over the cases and their findings, in the order of the IDs.
    pub fn findings(&self) -> impl Iterator<Item = (&'static Case, &Finding)> {
        CASES.iter().filter_map(|case| {
            let finding = self.findings.get(&case.id)?;
            self.is_shown(case.id).then_some((case, finding))
        })
    }

    /// Returns whether the report contains the finding of this case.
    fn is_shown(&self, id: CaseId) -> bool {
        self.selection.contains(id) || self.blockers.contains(&id)
    }

    /// Returns the number of cases with this outcome.
    #[must_use]
    pub fn count(&self, outcome: Outcome) -> usize {
        let findings = self.findings();
        findings
            .filter(|(_, finding)| finding.outcome == outcome)
            .count()
    }

    /// Returns the last lines that the extension printed to standard error in boots with a failure.
    #[must_use]
    pub fn stderr(&self) -> &[String] {
        &self.stderr
    }

    /// Renders the report as text.
    ///
    /// # Errors
    ///
    /// Returns an error if the report cannot be serialized in this format.
    pub fn render(&self, format: Format) -> Result<String, Error> {
        match format {
            Format::Human => Ok(human::render(self, human::Styles::ansi())),
            Format::Json => json::render(self),
            Format::Junit => junit::render(self),
        }
    }
}

/// The interface for the checks, which record the findings.
impl Report {
    pub(crate) fn set_extension(&mut self, extension: String, description: Option<String>) {
        self.extension = extension;
        self.description = description;
    }

    /// Must be called after the last finding. Drops the callback, so that the report does not keep alive what that owns.
    pub(crate) fn finish(&mut self, duration: Duration) {
        self.duration = duration;
        self.on_finding = OnFinding::default();
    }

    /// Returns whether the case is selected and has no finding yet.
    pub(crate) fn is_pending(&self, id: CaseId) -> bool {
        self.selection.contains(id) && !self.findings.contains_key(&id)
    }

    /// Returns whether one of the matching cases is [pending](Self::is_pending).
    pub(crate) fn any_pending(&self, mut matches: impl FnMut(&Case) -> bool) -> bool {
        CASES
            .iter()
            .any(|case| matches(case) && self.is_pending(case.id))
    }

    /// Records a finding. Only the first finding of a case counts.
    pub(crate) fn record(&mut self, id: CaseId, finding: impl Into<Finding>) {
        if let Entry::Vacant(vacant) = self.findings.entry(id) {
            vacant.insert(finding.into());
            if self.is_shown(id) {
                self.report(id);
            }
        }
    }

    /// Reports the finding of this case to the callback, if there is one.
    fn report(&self, id: CaseId) {
        if let Some(finding) = self.findings.get(&id) {
            (self.on_finding.0)(id.case(), finding);
        }
    }

    pub(crate) fn is_warned(&self, id: CaseId) -> bool {
        let finding = self.findings.get(&id);
        finding.is_some_and(|finding| finding.outcome == Outcome::Warn)
    }

    pub(crate) fn is_failed(&self, id: CaseId) -> bool {
        self.findings.get(&id).is_some_and(Finding::is_fail)
    }

    /// Returns the first of these cases that failed.
    pub(crate) fn first_failed(&self, ids: &[CaseId]) -> Option<CaseId> {
        ids.iter().copied().find(|id| self.is_failed(*id))
    }

    /// Skips the matching cases that have no finding yet.
    pub(crate) fn skip(&mut self, mut matches: impl FnMut(&Case) -> bool, why: &str) {
        for case in CASES.iter().filter(|case| matches(case)) {
            self.record(case.id, Finding::skip(why));
        }
    }

    /// Skips the cases that this case blocks.
    pub(crate) fn block_dependents(&mut self, blocker: CaseId) {
        self.block_matching(blocker, |case| blocker.blocks(case.id));
    }

    /// For each failed case of the group, skips the cases of the group that it blocks.
    pub(crate) fn block_within_group(&mut self, group: Group) {
        for blocker in CaseId::ALL.iter().copied() {
            if blocker.group() == group && self.is_failed(blocker) {
                self.block_matching(blocker, |case| {
                    case.id.group() == group && blocker.blocks(case.id)
                });
            }
        }
    }

    /// For each failed case of the group, skips all cases that it blocks.
    pub(crate) fn block_dependents_of_group(&mut self, group: Group) {
        for blocker in CaseId::ALL.iter().copied() {
            if blocker.group() == group && self.is_failed(blocker) {
                self.block_dependents(blocker);
            }
        }
    }

    /// Skips the remaining cases of the shared process, because this case made it exit or blocks it.
    pub(crate) fn block_shared_process(&mut self, blocker: CaseId) {
        self.block_matching(blocker, |case| case.fixture == Fixture::SharedProcess);
    }

    /// Skips the remaining cases that need their own boot, because this case shows that there is none.
    pub(crate) fn block_own_boots(&mut self, blocker: CaseId) {
        self.block_matching(blocker, |case| case.fixture == Fixture::OwnBoot);
    }

    /// Skips this case, because of what another case has found.
    pub(crate) fn block(&mut self, blocker: CaseId, blocked: CaseId) {
        self.block_matching(blocker, |case| case.id == blocked);
    }

    /// Skips the matching cases that have no finding yet, because of this case.
    pub(crate) fn block_matching(&mut self, blocker: CaseId, matches: impl Fn(&Case) -> bool) {
        if self.any_pending(&matches) {
            let was_shown = self.is_shown(blocker);
            self.blockers.insert(blocker);
            if !was_shown {
                self.report(blocker);
            }
        }
        self.skip(matches, &format!("blocked by {blocker}"));
    }

    /// Keeps what the extension printed to standard error in a boot with a failure.
    pub(crate) fn keep_stderr(&mut self, recorder: &CallRecorder) {
        self.stderr.extend_from_slice(&recorder.recorded().stderr);
        let surplus = self.stderr.len().saturating_sub(MAX_STDERR_LINES);
        self.stderr.drain(..surplus);
    }
}

impl OnFinding {
    pub(crate) fn new(call: impl Fn(&'static Case, &Finding) + Send + Sync + 'static) -> Self {
        Self(Arc::new(call))
    }
}

impl Default for OnFinding {
    fn default() -> Self {
        Self::new(|_, _| {})
    }
}

impl fmt::Debug for OnFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnFinding")
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&human::render(self, human::Styles::plain()))
    }
}
