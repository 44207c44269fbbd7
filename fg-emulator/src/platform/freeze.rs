//! Freezes, thaws and restores the instance.

use std::time::{Duration, Instant, SystemTime};

use super::Platform;
use crate::process::Process;
use crate::{Event, Fault};

/// How long the fault `freeze` and a restoration freeze the instance.
const FREEZE_DURATION: Duration = Duration::from_millis(200);

impl Platform {
    /// Freezes the instance, as the platform may do between two invocations (D: idle instances use no CPU).
    ///
    /// All processes of the instance are stopped with SIGSTOP, and telemetry is buffered. The next
    /// [invocation](Self::invoke), [`thaw`](Self::thaw), or [`shutdown`](Self::shutdown) thaws the instance. The platform's
    /// own timeouts keep running, so an invocation that is in flight during a long freeze can time out.
    ///
    /// The call returns when the processes have stopped. It blocks the thread for about a millisecond, and for 100
    /// milliseconds per process at most.
    ///
    /// ```no_run
    /// # async fn test() -> Result<(), fg_emulator::Error> {
    /// use std::time::Duration;
    /// use fg_emulator::Platform;
    ///
    /// let platform = Platform::start().await?;
    /// platform.boot_bin("extensionHello.sh", "target/debug/hello").await?;
    /// platform.freeze();
    /// tokio::time::sleep(Duration::from_secs(3)).await;
    /// platform.invoke().await?.assert_ok(); // thaws the instance first
    /// assert!(platform.shutdown().await?.is_clean());
    /// # Ok(())
    /// # }
    /// ```
    pub fn freeze(&self) {
        let _lock = self.lock_freezing();
        let changes = self.inner.update(|state| state.telemetry.set_frozen(true));
        self.processes().values().for_each(Process::freeze);
        if let Some(function) = self.bootstrap() {
            function.freeze();
        }
        if changes {
            self.inner.report(&Event::Frozen);
        }
    }

    /// Returns whether the instance is frozen.
    #[must_use]
    pub fn is_frozen(&self) -> bool {
        self.inner.state().telemetry.frozen
    }

    /// Thaws the instance: resumes its processes with SIGCONT, and delivers the buffered telemetry. Does nothing if the
    /// instance is not frozen.
    pub fn thaw(&self) {
        let _lock = self.lock_freezing();
        let changes = self.inner.state().telemetry.set_frozen(false);
        if changes {
            // The observer sees the event before what the thawed instance does.
            self.inner.report(&Event::Thawed);
        }
        self.processes().values().for_each(Process::thaw);
        if let Some(function) = self.bootstrap() {
            function.thaw();
        }
        if changes {
            self.inner.notify_waiters();
        }
    }

    /// Emulates a restoration from a snapshot (D: the platform does this for Java on x86 only).
    ///
    /// The instance is frozen for 200 milliseconds and thawed. The telemetry of the next invocation contains the events
    /// `platform.restoreStart`, `platform.restoreRuntimeDone` and `platform.restoreReport`.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before it completes, the instance is thawed, and these events are not emitted.
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
        if self.is_frozen() {
            self.thaw();
        }
    }

    async fn freeze_briefly(&self) {
        self.freeze();
        let _thaw = ThawOnDrop(self);
        tokio::time::sleep(FREEZE_DURATION).await;
    }
}

/// Thaws the instance on drop, so that a future that is dropped early thaws it too.
struct ThawOnDrop<'a>(&'a Platform);

impl Drop for ThawOnDrop<'_> {
    fn drop(&mut self) {
        self.0.thaw();
    }
}
