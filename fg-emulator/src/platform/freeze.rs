//! An instance that gets no CPU for a while.

use std::time::{Duration, Instant, SystemTime};

use super::Platform;
use crate::Fault;
use crate::process::Process;

/// How long the fault of a freeze lasts, and a snapshot.
const FREEZE_DURATION: Duration = Duration::from_millis(200);

impl Platform {
    /// Freezes the instance, by SIGSTOP to the groups of its processes, as a platform does that gives it no CPU
    /// between two invocations (D). What there is of telemetry waits. The next invocation thaws it when it begins.
    pub fn freeze(&self) {
        self.inner.update(|state| state.telemetry.freeze(true));
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
        self.inner.update(|state| state.telemetry.freeze(false));
    }

    /// Takes a snapshot and restores the instance from it (D: for Java on x86 only): it is frozen, thawed, and the
    /// telemetry of the next invocation has the events of the restoration.
    ///
    /// # Cancel safety
    ///
    /// When this is dropped unfinished the instance is thawed, and telemetry has no such events.
    pub async fn restore(&self) {
        let (started, start) = (SystemTime::now(), Instant::now());
        self.inner.or_observer_panic(self.freeze_briefly()).await;
        let duration = start.elapsed();
        self.inner
            .update(|state| state.telemetry.restored(started, duration));
    }

    /// Injects the fault `freeze`.
    pub(super) async fn inject_freeze(&self, when: &str) {
        let description = format!("the instance was frozen {when} an invocation");
        if self.inner.inject(Fault::Freeze, &description) {
            self.freeze_briefly().await;
        }
    }

    pub(super) fn thaw_if_frozen(&self) {
        let frozen = self.inner.state().telemetry.frozen;
        if frozen {
            self.thaw();
        }
    }

    async fn freeze_briefly(&self) {
        self.freeze();
        let _thaw = ThawOnDrop(self);
        tokio::time::sleep(FREEZE_DURATION).await;
    }
}

/// Thaws when it is dropped, thus also when the future that has it is dropped unfinished.
struct ThawOnDrop<'a>(&'a Platform);

impl Drop for ThawOnDrop<'_> {
    fn drop(&mut self) {
        self.0.thaw();
    }
}
