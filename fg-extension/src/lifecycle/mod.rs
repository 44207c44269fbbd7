//! The lifecycle of an extension: its phases and the activities in flight, signals, the shutdown, the second thread that
//! watches over it, and the generated `main`.

pub(crate) mod entry;
pub(crate) mod shutdown;
#[cfg(not(test))]
pub(crate) mod signals;
#[cfg(not(test))]
pub(crate) mod watchdog;
pub(crate) mod witness;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use witness::Moment;

// A simulation has neither signals nor threads.
#[cfg(test)]
pub(crate) use crate::simulation::{signals, watchdog};

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
    /// When the shutdown was requested, which the watchdog may see before the blocked thread of the runtime does.
    shutdown_request: Option<Moment>,
    shutdown_start: Option<Moment>,
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
                let now = Moment::now();
                state.shutdown_request.get_or_insert(now);
                state.shutdown_start = Some(now);
            }
            advances
        })
    }

    /// Enters [`Phase::Draining`] and logs the request, unless a shutdown was requested before.
    pub(crate) fn begin_shutdown(&self, request: &str) {
        if self.advance(Phase::Draining) {
            info!("received {request}; shutting down");
        }
    }

    /// Records that a shutdown was requested, before the extension starts it.
    pub(crate) fn request_shutdown(&self) {
        self.0.send_if_modified(|state| {
            state.shutdown_request.get_or_insert_with(Moment::now);
            false
        });
    }

    /// Returns when the shutdown was requested, or the current time if it was not requested.
    pub(crate) fn shutdown_request(&self) -> Moment {
        let request = self.0.borrow().shutdown_request;
        request.unwrap_or_else(Moment::now)
    }

    /// Returns when the shutdown started, or the current time if it has not started.
    pub(crate) fn shutdown_start(&self) -> Moment {
        let start = self.0.borrow().shutdown_start;
        start.unwrap_or_else(Moment::now)
    }

    /// Waits until nothing is in flight. Returns `false` if that takes longer than `limit` from `start`.
    ///
    /// Call it in [`Phase::Draining`] or later: in earlier phases, there are no notifications about finished
    /// activities.
    pub(crate) async fn drain(&self, start: Moment, limit: Duration) -> bool {
        let idle = self.wait_for(LifecycleState::is_idle);
        start.timeout(limit, idle).await.is_some()
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
            let mut drain = pin!(lifecycle.drain(Moment::now(), Duration::from_secs(1)));
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
        let (start, limit) = (Moment::now(), Duration::from_secs(1));
        assert!(!lifecycle.drain(start, limit).await);
        assert_eq!(start.elapsed(), limit);
        assert_eq!(lifecycle.invocations_in_flight(), 1);
        drop(guard);
        assert_eq!(lifecycle.invocations_in_flight(), 0);
    }
}
