//! An instance that gets no CPU for a while.

use std::time::{Duration, Instant, SystemTime};

use crate::process::Process;
use crate::{Fault, Platform};

/// How long the fault of a freeze lasts, and a snapshot.
const FREEZE: Duration = Duration::from_millis(200);

impl Platform {
    /// Freezes the instance, by SIGSTOP to the groups of its processes, as a platform does that gives it no CPU
    /// between two invocations (D). What there is of telemetry waits. The next invocation thaws it when it begins.
    pub fn freeze(&self) {
        self.shared.change(|state| state.telemetry.freeze(true));
        self.processes().values().for_each(Process::freeze);
        if let Some(function) = self.bootstrap() {
            function.freeze();
        }
    }

    /// Thaws it, by SIGCONT.
    pub fn thaw(&self) {
        self.processes().values().for_each(Process::thaw);
        if let Some(function) = self.bootstrap() {
            function.thaw();
        }
        self.shared.change(|state| state.telemetry.freeze(false));
    }

    /// Takes a snapshot and restores the instance from it (D: for Java on x86 only): it is frozen, thawed, and the
    /// telemetry of the next invocation tells of the restoration.
    ///
    /// # Cancel safety
    ///
    /// When this is dropped unfinished the instance is thawed, and telemetry tells of nothing.
    pub async fn restore(&self) {
        let (started, start) = (SystemTime::now(), Instant::now());
        self.freeze_for_a_while().await;
        let took = start.elapsed();
        self.shared
            .change(|state| state.telemetry.restored(started, took));
    }

    /// The fault.
    pub(crate) async fn may_freeze(&self, when: &str) {
        let what = format!("the instance was frozen {when} an invocation");
        if self.shared.strikes(Fault::Freeze, &what) {
            self.freeze_for_a_while().await;
        }
    }

    pub(crate) fn thaw_if_frozen(&self) {
        let frozen = self.shared.state().telemetry.frozen;
        if frozen {
            self.thaw();
        }
    }

    async fn freeze_for_a_while(&self) {
        self.freeze();
        let _thaw = Thaw(self);
        tokio::time::sleep(FREEZE).await;
    }
}

/// Thaws when it is dropped, thus also when the future that has it is dropped unfinished.
struct Thaw<'a>(&'a Platform);

impl Drop for Thaw<'_> {
    fn drop(&mut self) {
        self.0.thaw();
    }
}
