//! [`Checks`]: runs the selected cases against an extension, in order.

use std::time::Instant;

use fg_emulator::Faults;

use crate::cases::{
    Budget, Case, CaseId, Fixture, Group, Selection, registration, resources, settings, shutdown,
};
use crate::extension_under_test::PreparedExtension;
use crate::harness::{Harness, ProcessGroup, Start, StopMode};
use crate::report::{OnFinding, Outcome, Report};
use crate::shared_process::SharedProcess;
use crate::{Error, ExtensionUnderTest, Finding};

/// A run of conformance tests against an extension.
///
/// See the [crate documentation](crate) for an example.
pub struct Checks {
    extension: ExtensionUnderTest,
    selection: Option<Selection>,
    budget: Budget,
    on_notice: Box<dyn Fn(&str) + Send + Sync>,
    on_finding: OnFinding,
}

impl Checks {
    /// Creates checks that run all cases against this extension.
    ///
    /// The cases of the group [`Budget`](Group::Budget) are included only if a [`budget`](Self::budget) is set.
    #[must_use]
    pub fn new(extension: ExtensionUnderTest) -> Self {
        Self {
            extension,
            selection: None,
            budget: Budget::default(),
            on_notice: Box::new(|_| {}),
            on_finding: OnFinding::default(),
        }
    }

    /// Selects the cases to run. By default, all cases are run.
    #[must_use]
    pub fn select(mut self, selection: Selection) -> Self {
        self.selection = Some(selection);
        self
    }

    /// Sets limits for the group [`Budget`](Group::Budget).
    #[must_use]
    pub fn budget(mut self, budget: Budget) -> Self {
        self.budget = budget;
        self
    }

    /// Sets a callback for progress messages: one line of text when the checks have to wait for about a minute.
    #[must_use]
    pub fn on_notice(mut self, on_notice: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.on_notice = Box::new(on_notice);
        self
    }

    /// Sets a callback for findings: it is called once for each case of the report, as soon as the report contains the case.
    ///
    /// A case that was not selected is reported when it blocks a selected one. The callback runs on the task of
    /// [`run`](Self::run), so it must not block.
    ///
    /// ```
    /// # use fg_conformance::{Checks, ExtensionUnderTest};
    /// # let extension = ExtensionUnderTest::zip("night-watch.zip");
    /// let checks = Checks::new(extension);
    /// let count = checks.selection().cases().count();
    /// let checks = checks.on_finding(move |case, finding| {
    ///     println!("{} of {count} cases: {:?}", case.id, finding.outcome);
    /// });
    /// ```
    #[must_use]
    pub fn on_finding(
        mut self,
        on_finding: impl Fn(&'static Case, &Finding) + Send + Sync + 'static,
    ) -> Self {
        self.on_finding = OnFinding::new(on_finding);
        self
    }

    /// Runs the selected cases and returns the report.
    ///
    /// The port that the extension listens on must be free. To run several checks at the same time, the extension must read
    /// its port from the environment, and each run needs an [`fg_emulator::PortLease`].
    ///
    /// # Errors
    ///
    /// Returns an error if the extension cannot be tested at all, for example because a file cannot be read, the program is
    /// missing, or its port is in use.
    ///
    /// # Panics
    ///
    /// Panics on a tokio runtime without I/O and time (`enable_all`).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the processes that it started are killed, and its temporary directories are removed.
    pub async fn run(&self) -> Result<Report, Error> {
        let start = Instant::now();
        let mut report = Report::new(self.selection()).on_finding(self.on_finding.clone());
        self.run_cases(&mut report).await?;
        report.finish(start.elapsed());
        Ok(report)
    }

    /// Returns the cases that will be run.
    #[must_use]
    pub fn selection(&self) -> Selection {
        match &self.selection {
            Some(selection) => selection.clone(),
            None if self.budget.is_empty() => Selection::all().without(Group::Budget),
            None => Selection::all(),
        }
    }

    async fn run_cases(&self, report: &mut Report) -> Result<(), Error> {
        self.budget.skip_unlimited(report);
        let Some(extension) = self.extension.prepare(report).await? else {
            return Ok(());
        };
        if report.any_pending(|case| case.needs_process()) {
            self.run_live_cases(&extension, report).await?;
        }
        Ok(())
    }

    /// Runs the cases that need a process. Most of them share one boot; those that disrupt the process get their own.
    async fn run_live_cases(
        &self,
        extension: &PreparedExtension,
        report: &mut Report,
    ) -> Result<(), Error> {
        let harness = Harness::new(extension, &*self.on_notice);
        let booted = harness.boot(Faults::default()).await?;
        registration::check_first_registration(&booted, &extension.script, report);
        let Start::Registered(registered) = &booted.start else {
            report.keep_stderr(&booted.recorder);
            report.block_dependents_of_group(Group::Registration);
            return booted.stop(StopMode::Kill).await;
        };
        let group = ProcessGroup::of(registered);
        let shared = SharedProcess {
            booted: &booted,
            address: registered.address,
            group,
            budget: &self.budget,
        };
        shared.run(report).await;
        registration::check_count(&booted, report);
        shutdown::check_sigterm(booted.platform, group, report).await?;
        if report.count(Outcome::Fail) > 0 {
            report.keep_stderr(&booted.recorder);
        }
        self.run_own_boot_cases(&harness, report).await
    }

    /// Runs the cases that need their own boot.
    async fn run_own_boot_cases(
        &self,
        harness: &Harness<'_>,
        report: &mut Report,
    ) -> Result<(), Error> {
        let stop_mode = if report.is_failed(CaseId::End01) {
            report.block_dependents(CaseId::End01);
            StopMode::Kill
        } else {
            StopMode::Graceful
        };
        if !report.any_pending(|case| case.fixture == Fixture::OwnBoot) {
            return Ok(());
        }
        match registration::check_next_boot(harness, report).await? {
            None => {
                report.block_own_boots(CaseId::Reg09);
                return Ok(());
            }
            Some(booted) if report.is_pending(CaseId::End03) => {
                shutdown::check_leader(booted, report).await?;
            }
            Some(booted) => booted.stop(stop_mode).await?,
        }
        if report.is_pending(CaseId::Reg07) {
            registration::check_retry(harness, stop_mode, report).await?;
        }
        if report.is_pending(CaseId::Reg08) {
            registration::check_rejection(harness, stop_mode, report).await?;
        }
        if report.is_pending(CaseId::Res03) {
            resources::check_writes(harness, stop_mode, report).await?;
        }
        if report.is_pending(CaseId::Set01) {
            settings::check_user_data(harness, stop_mode, report).await?;
        }
        if report.is_pending(CaseId::End02) {
            shutdown::check_in_flight(harness, report).await?;
        }
        if report.is_pending(CaseId::Bud01) {
            self.budget.check_starts(harness, stop_mode, report).await?;
        }
        Ok(())
    }
}

impl std::fmt::Debug for Checks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Checks")
            .field("extension", &self.extension)
            .field("selection", &self.selection)
            .field("budget", &self.budget)
            .finish_non_exhaustive()
    }
}
