//! The lifecycle of an extension: its phases and what is in flight, the signals that end it, the shutdown, and the
//! generated `main`.

pub(crate) mod entry;
pub(crate) mod shutdown;
pub(crate) mod signals;

use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

/// Which phase the extension is in, and what is in flight.
///
/// Everything that has to finish before the extension may shut down holds a guard from [`track`](Self::track).
pub(crate) struct Lifecycle(watch::Sender<LifecycleState>);

/// The phases, in order; there is no way back.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, PartialOrd)]
pub(crate) enum Phase {
    /// Not registered yet.
    #[default]
    Starting,
    /// Registered; `init` runs.
    Registered,
    /// Serving invocations.
    Running,
    /// A shutdown was requested; what is in flight may finish.
    Draining,
    /// The time for that is up: handlers that still run are dropped.
    Aborting,
}

/// What a guard stands for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Activity {
    Listener,
    Connection,
    Invocation,
}

/// Keeps its activity in flight until it is dropped.
#[must_use]
pub(crate) struct Tracked {
    lifecycle: Arc<Lifecycle>,
    activity: Activity,
}

#[derive(Default)]
struct LifecycleState {
    phase: Phase,
    shutdown_began: Option<Instant>,
    listeners: usize,
    connections: usize,
    invocations: usize,
}

impl Lifecycle {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(watch::Sender::new(LifecycleState::default())))
    }

    pub(crate) fn track(self: &Arc<Self>, activity: Activity) -> Tracked {
        // Only a count changes, which concerns nobody who waits.
        self.0.send_if_modified(|state| {
            *state.count(activity) += 1;
            false
        });
        Tracked {
            lifecycle: Arc::clone(self),
            activity,
        }
    }

    /// Enters `phase`, and returns whether that is news: this or a later one may have been reached already.
    pub(crate) fn advance(&self, phase: Phase) -> bool {
        self.0.send_if_modified(|state| {
            let advances = state.phase < phase;
            if advances {
                state.phase = phase;
            }
            if advances && phase == Phase::Draining {
                state.shutdown_began = Some(Instant::now());
            }
            advances
        })
    }

    /// Enters the phase [`Phase::Draining`]; the first reason is logged.
    pub(crate) fn begin_shutdown(&self, reason: &str) {
        if self.advance(Phase::Draining) {
            tracing::info!("{reason}: shutting down");
        }
    }

    /// Returns when the shutdown began, from which its time counts; now, if it has not begun.
    pub(crate) fn shutdown_began(&self) -> Instant {
        let began = self.0.borrow().shutdown_began;
        began.unwrap_or_else(Instant::now)
    }

    /// Waits until nothing is in flight, and returns whether that was before `deadline`.
    ///
    /// For a lifecycle that drains: before that, nobody is notified of what finishes.
    pub(crate) async fn drain(&self, deadline: Instant) -> bool {
        timeout_at(deadline, self.wait_for(LifecycleState::is_idle))
            .await
            .is_ok()
    }

    /// Drops the handlers that still run, as soon as their tasks are polled.
    pub(crate) async fn abort(&self) {
        self.advance(Phase::Aborting);
        tokio::task::yield_now().await;
    }

    pub(crate) fn has_reached(&self, phase: Phase) -> bool {
        self.0.borrow().phase >= phase
    }

    /// Waits until `phase`, or a later one, is reached.
    ///
    /// # Cancel safety
    ///
    /// It may be dropped and called again.
    pub(crate) async fn reached(&self, phase: Phase) {
        self.wait_for(|state| state.phase >= phase).await;
    }

    pub(crate) fn invocations_in_flight(&self) -> usize {
        self.0.borrow().invocations
    }

    async fn wait_for(&self, condition: impl FnMut(&LifecycleState) -> bool) {
        // It cannot fail: the sender is `self`'s.
        let _ = self.0.subscribe().wait_for(condition).await;
    }
}

impl Tracked {
    pub(crate) fn lifecycle(&self) -> &Arc<Lifecycle> {
        &self.lifecycle
    }
}

impl LifecycleState {
    fn is_idle(&self) -> bool {
        self.listeners + self.connections + self.invocations == 0
    }

    fn count(&mut self, activity: Activity) -> &mut usize {
        match activity {
            Activity::Listener => &mut self.listeners,
            Activity::Connection => &mut self.connections,
            Activity::Invocation => &mut self.invocations,
        }
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        self.lifecycle.0.send_if_modified(|state| {
            *state.count(self.activity) -= 1;
            // Whoever drains waits for this; nobody else is woken by a count.
            state.phase >= Phase::Draining && state.is_idle()
        });
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn phases_never_go_back() {
        let lifecycle = Lifecycle::new();
        let mut draining = pin!(lifecycle.reached(Phase::Draining));
        assert!(poll(draining.as_mut()).is_pending());
        lifecycle.advance(Phase::Running);
        assert!(poll(draining.as_mut()).is_pending());
        lifecycle.begin_shutdown("test");
        assert!(poll(draining.as_mut()).is_ready());
        lifecycle.advance(Phase::Running);
        assert!(lifecycle.has_reached(Phase::Draining));
        assert!(!lifecycle.has_reached(Phase::Aborting));
    }

    #[tokio::test(start_paused = true)]
    async fn drain_waits_for_each_guard() {
        for activity in [
            Activity::Listener,
            Activity::Connection,
            Activity::Invocation,
        ] {
            let lifecycle = Lifecycle::new();
            let guards = [lifecycle.track(activity), lifecycle.track(activity)];
            lifecycle.begin_shutdown("test");
            let deadline = Instant::now() + std::time::Duration::from_secs(1);
            let mut drain = pin!(lifecycle.drain(deadline));
            for guard in guards {
                assert!(poll(drain.as_mut()).is_pending(), "{activity:?}");
                drop(guard);
            }
            assert_eq!(poll(drain.as_mut()), Poll::Ready(true), "{activity:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn drain_has_a_deadline() {
        let lifecycle = Lifecycle::new();
        let guard = lifecycle.track(Activity::Invocation);
        lifecycle.begin_shutdown("test");
        let deadline = Instant::now() + std::time::Duration::from_secs(1);
        assert!(!lifecycle.drain(deadline).await);
        assert_eq!(Instant::now(), deadline);
        assert_eq!(lifecycle.invocations_in_flight(), 1);
        drop(guard);
        assert_eq!(lifecycle.invocations_in_flight(), 0);
    }
}
