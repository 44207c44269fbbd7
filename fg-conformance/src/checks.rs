//! [`Checks`]: which cases are tried on which extension, and in which order.

use std::time::{Duration, Instant};

use fg_emulator::{Faults, RegisteredExtension};
use tokio::time::timeout;

use crate::cases::{
    Bootable, Budget, CaseId, Group, Selection, check_without_zip, check_zip, freeze, invocation,
    registration, shutdown, telemetry,
};
use crate::extension_under_test::{Origin, PreparedExtension};
use crate::harness::{Booted, Harness, Start, StopMode, client};
use crate::report::{Outcome, Report};
use crate::{Error, ExtensionUnderTest};

/// What can be tried on one process, the riskiest last. TEL-01 stands for all of its group.
const SHARED_PROCESS_ORDER: [CaseId; 7] = [
    CaseId::Inv01,
    CaseId::Inv02,
    CaseId::Inv03,
    CaseId::Inv05,
    CaseId::Frz01,
    CaseId::Tel01,
    CaseId::Inv04,
];
/// A process is not seen to have ended at the moment at which its connections break off.
const EXIT_SEEN_WITHIN: Duration = Duration::from_millis(500);

/// The cases to try on an extension.
///
/// The [crate's documentation](crate) has an example.
pub struct Checks {
    extension: ExtensionUnderTest,
    selection: Option<Selection>,
    budget: Budget,
    on_notice: Box<dyn Fn(&str) + Send + Sync>,
}

impl Checks {
    /// Returns checks of this extension with all cases; those of the group [`Budget`](Group::Budget) only with a [`budget`](Self::budget).
    #[must_use]
    pub fn new(extension: ExtensionUnderTest) -> Self {
        Self {
            extension,
            selection: None,
            budget: Budget::default(),
            on_notice: Box::new(|_| {}),
        }
    }

    /// Selects the cases to try; all by default.
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

    /// Calls a function with a line of text when the checks have to wait for a minute, and why.
    #[must_use]
    pub fn on_notice(mut self, on_notice: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.on_notice = Box::new(on_notice);
        self
    }

    /// Runs the checks, and returns what was found.
    ///
    /// The port that the extension listens on must be free; several checks at once need an extension that takes its port
    /// from its environment, and an [`fg_emulator::PortLease`] for each.
    ///
    /// # Errors
    ///
    /// If the extension cannot be tried at all: a file cannot be read, a program is missing, its port is taken.
    ///
    /// # Panics
    ///
    /// On a tokio runtime without I/O and time (`enable_all`).
    ///
    /// # Cancel safety
    ///
    /// Dropped unfinished, it kills the processes that it started, and removes its temporary folders.
    pub async fn run(&self) -> Result<Report, Error> {
        let start = Instant::now();
        let mut report = Report::new(self.selection());
        self.try_cases(&mut report).await?;
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

    async fn try_cases(&self, report: &mut Report) -> Result<(), Error> {
        self.budget.skip(report);
        let description = self.extension.describe();
        if let Some(zip) = self.extension.origin.as_zip()
            && check_zip(zip, report)? == Bootable::No
        {
            report.set_extension(description, None);
            return Ok(());
        }
        let extension = self.extension.prepare()?;
        report.set_extension(extension.script.clone(), Some(description));
        match &self.extension.origin {
            Origin::Program { script, path } => {
                check_without_zip(script, Some(path), report)?;
            }
            Origin::Command { script, .. } => {
                check_without_zip(script, None, report)?;
            }
            Origin::Zip(_) => {}
        }
        if report.wants_any(|case| case.needs_process()) {
            self.try_live(&extension, report).await?;
        }
        Ok(())
    }

    /// Everything that needs a process: one boot for most, and one each for what spoils it.
    async fn try_live(
        &self,
        extension: &PreparedExtension,
        report: &mut Report,
    ) -> Result<(), Error> {
        let harness = Harness::new(extension, &*self.on_notice);
        let booted = harness.boot(Faults::default()).await?;
        registration::check_first(&booted, &extension.script, report);
        let Start::Registered(registered) = &booted.start else {
            report.keep_stderr(&booted.recorder);
            report.prevent_after(Group::Registration);
            return booted.stop(StopMode::Kill).await;
        };
        self.try_shared_process(&booted, registered, report).await;
        registration::check_count(&booted, report);
        shutdown::check_sigterm(booted.platform, report).await?;
        if report.count(Outcome::Fail) > 0 {
            report.keep_stderr(&booted.recorder);
        }

        let stop_mode = if report.is_failed(CaseId::End01) {
            report.prevent(CaseId::End01);
            StopMode::Kill
        } else {
            StopMode::Graceful
        };
        if report.wants(CaseId::Reg07) {
            registration::check_retry(&harness, stop_mode, report).await?;
        }
        if report.wants(CaseId::Reg08) {
            registration::check_rejection(&harness, stop_mode, report).await?;
        }
        if report.wants(CaseId::End02) {
            shutdown::check_in_flight(&harness, report).await?;
        }
        if report.wants(CaseId::Bud01) {
            self.budget
                .check_starts(&harness, stop_mode, report)
                .await?;
        }
        Ok(())
    }

    async fn try_shared_process(
        &self,
        booted: &Booted,
        registered: &RegisteredExtension,
        report: &mut Report,
    ) {
        let (platform, address) = (&booted.platform, registered.address);
        for id in SHARED_PROCESS_ORDER {
            let is_wanted = report.wants_any(|case| case.id == id || id.prevents(case.id))
                // Its memory is read after all of those invocations.
                || (id == CaseId::Inv02 && report.wants(CaseId::Bud02));
            if !is_wanted {
                continue;
            }
            match id {
                CaseId::Inv01 => {
                    // It may be registered before it listens.
                    if report.is_failed(CaseId::Reg05) {
                        client::listening(address).await;
                    }
                    invocation::check_documented(address, report).await;
                    if report.is_failed(CaseId::Inv01) {
                        report.prevent(CaseId::Inv01);
                    }
                }
                CaseId::Inv02 => {
                    invocation::check_concurrent(address, report).await;
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
                && timeout(EXIT_SEEN_WITHIN, platform.wait_for_exit())
                    .await
                    .is_ok()
            {
                report.prevent_shared_process(failed);
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
