//! The lifecycle of an extension: its phases and the activities in flight, signals, the shutdown, and the generated
//! `main`.

pub(crate) mod entry;
pub(crate) mod shutdown;
pub(crate) mod signals;

use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

/// The current phase of the extension, and the number of activities in flight.
///
/// Every activity that a shutdown waits for holds a guard from [`track`](Self::track).
pub(crate) struct Lifecycle(watch::Sender<LifecycleState>);

/// The phases of the lifecycle, in order. A lifecycle never returns to an earlier phase.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, PartialOrd)]
pub(crate) enum Phase {
    /// The extension is not registered yet.
    #[default]
    Starting,
    /// The extension is registered, and `init` is running.
    Registered,
    /// The extension serves invocations.
    Running,
    /// A shutdown was requested. Activities in flight may finish.
    Draining,
    /// The time for draining is up. Handlers in flight are dropped.
    Aborting,
}

/// The kind of activity that a guard tracks.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Activity {
    Listener,
    Connection,
    Invocation,
}

/// A guard that counts as an activity in flight until it is dropped.
#[must_use]
pub(crate) struct Tracked {
    lifecycle: Arc<Lifecycle>,
    activity: Activity,
}

#[derive(Default)]
struct LifecycleState {
    phase: Phase,
    shutdown_start: Option<Instant>,
    listeners: usize,
    connections: usize,
    invocations: usize,
}

impl Lifecycle {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(watch::Sender::new(LifecycleState::default())))
    }

    pub(crate) fn track(self: &Arc<Self>, activity: Activity) -> Tracked {
        // No task waits for a count to increase, so there is no need to notify.
        self.0.send_if_modified(|state| {
            *state.count(activity) += 1;
            false
        });
        Tracked {
            lifecycle: Arc::clone(self),
            activity,
        }
    }

    /// Enters `phase`. Returns `false` if this phase, or a later one, was already reached.
    pub(crate) fn advance(&self, phase: Phase) -> bool {
        self.0.send_if_modified(|state| {
            let advances = state.phase < phase;
            if advances {
                state.phase = phase;
            }
            if advances && phase == Phase::Draining {
                state.shutdown_start = Some(Instant::now());
            }
            advances
        })
    }

    /// Enters [`Phase::Draining`] and logs the request, unless a shutdown was requested before.
    pub(crate) fn begin_shutdown(&self, request: &str) {
        if self.advance(Phase::Draining) {
            tracing::info!("received {request}; shutting down");
        }
    }

    /// Returns the time at which the shutdown started, or the current time if it has not started.
    pub(crate) fn shutdown_start(&self) -> Instant {
        let start = self.0.borrow().shutdown_start;
        start.unwrap_or_else(Instant::now)
    }

    /// Waits until nothing is in flight. Returns `false` if `deadline` passes first.
    ///
    /// Call it in [`Phase::Draining`] or later: in earlier phases, there are no notifications about finished
    /// activities.
    pub(crate) async fn drain(&self, deadline: Instant) -> bool {
        timeout_at(deadline, self.wait_for(LifecycleState::is_idle))
            .await
            .is_ok()
    }

    /// Enters [`Phase::Aborting`], and yields so that the tasks of handlers in flight can drop them.
    pub(crate) async fn abort(&self) {
        self.advance(Phase::Aborting);
        tokio::task::yield_now().await;
    }

    pub(crate) fn has_reached(&self, phase: Phase) -> bool {
        self.0.borrow().phase >= phase
    }

    /// Waits until `phase` or a later one is reached.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe.
    pub(crate) async fn reached(&self, phase: Phase) {
        self.wait_for(|state| state.phase >= phase).await;
    }

    pub(crate) fn invocations_in_flight(&self) -> usize {
        self.0.borrow().invocations
    }

    async fn wait_for(&self, condition: impl FnMut(&LifecycleState) -> bool) {
        // It cannot fail, since `self` owns the sender.
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
            // Only `drain` waits for counts, so there is no need to notify before that.
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
    fn phase_never_goes_back() {
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
    async fn drain_stops_waiting_at_the_deadline() {
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
