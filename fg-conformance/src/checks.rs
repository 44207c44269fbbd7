//! [`Checks`]: runs the selected cases against an extension, in order.

use std::time::{Duration, Instant};

use fg_emulator::{Faults, RegisteredExtension};
use tokio::time::timeout;

use crate::cases::{
    Budget, CaseId, Group, Selection, freeze, invocation, registration, shutdown, telemetry,
};
use crate::extension_under_test::PreparedExtension;
use crate::harness::{Booted, Harness, Start, StopMode, client};
use crate::report::{Outcome, Report};
use crate::{Error, ExtensionUnderTest};

/// The cases that share one process. The one that is most likely to crash it is last, and TEL-01 stands for its whole group.
const SHARED_PROCESS_ORDER: [CaseId; 7] = [
    CaseId::Inv01,
    CaseId::Inv02,
    CaseId::Inv03,
    CaseId::Inv05,
    CaseId::Frz01,
    CaseId::Tel01,
    CaseId::Inv04,
];
/// How long to wait for the exit of a process after a failure, because its connections break before its exit is observed.
const EXIT_OBSERVED_WITHIN: Duration = Duration::from_millis(500);

/// A run of conformance tests against an extension.
///
/// See the [crate documentation](crate) for an example.
pub struct Checks {
    extension: ExtensionUnderTest,
    selection: Option<Selection>,
    budget: Budget,
    on_notice: Box<dyn Fn(&str) + Send + Sync>,
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
        let mut report = Report::new(self.selection());
        self.run_cases(&mut report).await?;
        report.set_duration(start.elapsed());
        Ok(report)
    }

    fn selection(&self) -> Selection {
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
        self.run_shared_process_cases(&booted, registered, report)
            .await;
        registration::check_count(&booted, report);
        shutdown::check_sigterm(booted.platform, report).await?;
        if report.count(Outcome::Fail) > 0 {
            report.keep_stderr(&booted.recorder);
        }

        let stop_mode = if report.is_failed(CaseId::End01) {
            report.block_dependents(CaseId::End01);
            StopMode::Kill
        } else {
            StopMode::Graceful
        };
        if report.is_pending(CaseId::Reg07) {
            registration::check_retry(&harness, stop_mode, report).await?;
        }
        if report.is_pending(CaseId::Reg08) {
            registration::check_rejection(&harness, stop_mode, report).await?;
        }
        if report.is_pending(CaseId::End02) {
            shutdown::check_in_flight(&harness, report).await?;
        }
        if report.is_pending(CaseId::Bud01) {
            self.budget
                .check_starts(&harness, stop_mode, report)
                .await?;
        }
        Ok(())
    }

    async fn run_shared_process_cases(
        &self,
        booted: &Booted,
        registered: &RegisteredExtension,
        report: &mut Report,
    ) {
        let (platform, address) = (&booted.platform, registered.address);
        for id in SHARED_PROCESS_ORDER {
            let is_needed = report.any_pending(|case| case.id == id || id.blocks(case.id))
                // BUD-02 reads the memory after the concurrent invocations of INV-02.
                || (id == CaseId::Inv02 && report.is_pending(CaseId::Bud02));
            if !is_needed {
                continue;
            }
            match id {
                CaseId::Inv01 => {
                    // An extension that fails REG-05 may not be listening yet.
                    if report.is_failed(CaseId::Reg05) {
                        client::wait_until_listening(address).await;
                    }
                    if invocation::check_documented(address, &booted.recorder, report).await {
                        report.block_shared_process(CaseId::Inv01);
                        report.block_dependents(CaseId::Inv01);
                        return;
                    }
                    if report.is_failed(CaseId::Inv01) {
                        report.block_dependents(CaseId::Inv01);
                    }
                }
                CaseId::Inv02 => {
                    invocation::check_concurrent(address, &booted.recorder, report).await;
                    self.budget.check_memory(registered.pid, report);
                }
                CaseId::Inv03 => invocation::check_connections(address, report).await,
                CaseId::Inv04 => invocation::check_malformed(address, report).await,
                CaseId::Inv05 => invocation::check_unknown_fields(address, report).await,
                CaseId::Frz01 => freeze::check_freeze(platform, address, report).await,
                _ => telemetry::check_telemetry(platform, &booted.recorder, report).await,
            }
            let failed = match id {
                CaseId::Tel01 => {
                    report.first_failed(&[CaseId::Tel01, CaseId::Tel02, CaseId::Tel03])
                }
                id => report.first_failed(&[id]),
            };
            if let Some(failed) = failed
                && timeout(EXIT_OBSERVED_WITHIN, platform.wait_for_exit())
                    .await
                    .is_ok()
            {
                report.block_shared_process(failed);
                return;
            }
        }
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
