//! The state of a real function's invocations, without I/O.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use hyper::body::Bytes;
use tokio::time::Instant;

use super::RuntimeResponse;
use crate::state::Rejection;

/// The queued and running invocations of the function.
#[derive(Debug, Default)]
pub(crate) struct RuntimeState {
    claimed: bool,
    /// Whether a process may become ready: one was started, and has neither exited nor been killed.
    has_process: bool,
    /// When the process of the function was initialized; `None` while none is.
    ready: Option<Instant>,
    /// When the function last received an event or responded, or when one was queued while it had nothing to do.
    last_progress: Option<Instant>,
    queued: VecDeque<(String, Bytes)>,
    /// The invocations that the function has received.
    running: BTreeMap<String, RunningInvocation>,
}

#[derive(Debug)]
struct RunningInvocation {
    started: Instant,
    /// `None` until the function has responded.
    response: Option<RuntimeResponse>,
}

impl RuntimeState {
    /// Claims the instance's only function slot. Returns whether it was free.
    pub(crate) fn claim(&mut self) -> bool {
        !std::mem::replace(&mut self.claimed, true)
    }

    /// Records that a process is being started.
    pub(crate) fn process_started(&mut self) {
        self.has_process = true;
    }

    /// Marks the process as initialized: it has requested an event, or its port accepts connections.
    pub(crate) fn mark_ready(&mut self) {
        // A request of a process that was killed may still arrive.
        if self.has_process {
            self.ready.get_or_insert_with(Instant::now);
        }
    }

    /// Returns when the process was initialized, or `None` until it is.
    pub(crate) fn ready_at(&self) -> Option<Instant> {
        self.ready
    }

    /// Queues an event for the function.
    pub(crate) fn enqueue(&mut self, id: &str, payload: Bytes) {
        if self.queued.is_empty() && !self.is_busy() {
            self.last_progress = Some(Instant::now());
        }
        self.queued.push_back((id.to_owned(), payload));
    }

    pub(crate) fn has_queued(&self) -> bool {
        !self.queued.is_empty()
    }

    /// Returns the next event, and marks its invocation as running.
    pub(crate) fn dequeue(&mut self) -> Option<(String, Bytes)> {
        self.ready?;
        let (id, payload) = self.queued.pop_front()?;
        let started = Instant::now();
        self.last_progress = Some(started);
        let response = None;
        self.running
            .insert(id.clone(), RunningInvocation { started, response });
        Some((id, payload))
    }

    /// Stores the response of the function. Rejects a second response, and one to an unknown invocation.
    pub(crate) fn respond(&mut self, id: &str, response: RuntimeResponse) -> Result<(), Rejection> {
        match self.running.get_mut(id) {
            Some(invocation) if invocation.response.is_none() => {
                invocation.response = Some(response);
                self.last_progress = Some(Instant::now());
                Ok(())
            }
            Some(_) => {
                let message = format!("invocation {id} already has a response");
                Err(Rejection::new("InvocationAnswered", message))
            }
            None => {
                let message = format!("invocation {id} is unknown or no longer in flight");
                Err(Rejection::new("InvocationNotFound", message))
            }
        }
    }

    /// Removes the invocation and returns its response, once the function has responded.
    pub(crate) fn take_response(&mut self, id: &str) -> Option<RuntimeResponse> {
        self.running.get(id)?.response.as_ref()?;
        self.running.remove(id)?.response
    }

    /// Cancels an invocation. The function does not receive it if it is still queued; a later response is rejected.
    pub(crate) fn cancel(&mut self, id: &str) {
        self.queued.retain(|(queued, _)| queued != id);
        self.running.remove(id);
    }

    /// Returns when the invocation times out.
    ///
    /// The time of an invocation starts when the function receives the event. A queued event times out only if the
    /// function makes no progress at all. `None` while the process is initialized, which has a time-out of its own, or
    /// while the function is busy with other invocations.
    pub(crate) fn deadline(&self, id: &str, timeout: Duration) -> Option<Instant> {
        if let Some(invocation) = self.running.get(id) {
            return Some(invocation.started + timeout);
        }
        let ready = self.ready?;
        (!self.is_busy()).then(|| self.last_progress.map_or(ready, |at| at.max(ready)) + timeout)
    }

    /// Records that the process has exited or is about to be killed: the running invocations fail, queued ones wait for
    /// the next process.
    pub(crate) fn process_exited(&mut self, response: &RuntimeResponse) {
        self.has_process = false;
        self.ready = None;
        for invocation in self.running.values_mut() {
            invocation.response.get_or_insert_with(|| response.clone());
        }
    }

    /// Fails the queued invocations, because no process could be started for them.
    pub(crate) fn fail_queued(&mut self, response: &RuntimeResponse) {
        let started = Instant::now();
        for (id, _) in self.queued.drain(..) {
            let response = Some(response.clone());
            self.running
                .insert(id, RunningInvocation { started, response });
        }
    }

    fn is_busy(&self) -> bool {
        let mut running = self.running.values();
        running.any(|invocation| invocation.response.is_none())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::{Instant, advance};

    use super::{RuntimeResponse, RuntimeState};

    fn ok(body: &'static str) -> RuntimeResponse {
        RuntimeResponse::ok(body.into())
    }

    fn rejected(result: Result<(), crate::state::Rejection>) -> &'static str {
        result.unwrap_err().error_type
    }

    #[test]
    fn invocations_are_dequeued_in_order_and_completed_once() {
        let mut runtime = RuntimeState::default();
        runtime.process_started();
        assert_eq!(runtime.ready_at(), None);
        runtime.mark_ready();
        assert!(runtime.ready_at().is_some() && runtime.dequeue().is_none());
        for id in ["a", "b", "c"] {
            runtime.enqueue(id, id.into());
        }
        assert_eq!(runtime.dequeue(), Some(("a".to_owned(), "a".into())));
        assert_eq!(runtime.dequeue(), Some(("b".to_owned(), "b".into())));
        // The function has not received `c` yet.
        assert_eq!(rejected(runtime.respond("c", ok(""))), "InvocationNotFound");
        assert_eq!(runtime.take_response("b"), None);
        runtime.respond("b", ok("oh")).unwrap();
        assert_eq!(rejected(runtime.respond("b", ok(""))), "InvocationAnswered");
        assert_eq!(runtime.take_response("b"), Some(ok("oh")));
        assert_eq!(rejected(runtime.respond("b", ok(""))), "InvocationNotFound");

        runtime.cancel("a");
        runtime.cancel("c");
        assert_eq!(rejected(runtime.respond("a", ok(""))), "InvocationNotFound");
        assert!(runtime.dequeue().is_none());
    }

    #[test]
    fn queued_invocations_wait_for_the_next_process() {
        let mut runtime = RuntimeState::default();
        runtime.process_started();
        runtime.mark_ready();
        runtime.enqueue("a", "a".into());
        runtime.enqueue("b", "b".into());
        assert!(runtime.dequeue().is_some());
        runtime.process_exited(&ok("exited"));
        assert_eq!(runtime.take_response("a"), Some(ok("exited")));
        // The process that has exited must not receive another event.
        runtime.mark_ready();
        assert!(runtime.has_queued() && runtime.dequeue().is_none());
        runtime.process_started();
        runtime.mark_ready();
        assert_eq!(runtime.dequeue(), Some(("b".to_owned(), "b".into())));

        runtime.enqueue("c", "c".into());
        runtime.fail_queued(&ok("cannot start"));
        assert_eq!(runtime.take_response("c"), Some(ok("cannot start")));
        assert!(!runtime.has_queued());
    }

    #[tokio::test(start_paused = true)]
    async fn time_of_an_invocation_starts_when_the_function_receives_it() {
        const TIMEOUT: Duration = Duration::from_secs(3);
        let mut runtime = RuntimeState::default();
        runtime.process_started();
        runtime.enqueue("a", "a".into());
        assert_eq!(runtime.deadline("a", TIMEOUT), None, "initializing");
        advance(TIMEOUT * 2).await;
        runtime.mark_ready();
        let now = Instant::now();
        assert_eq!(runtime.deadline("a", TIMEOUT), Some(now + TIMEOUT));

        runtime.enqueue("b", "b".into());
        advance(TIMEOUT / 3).await;
        let received = Instant::now();
        runtime.dequeue().unwrap();
        assert_eq!(runtime.deadline("a", TIMEOUT), Some(received + TIMEOUT));
        assert_eq!(runtime.deadline("b", TIMEOUT), None, "busy with `a`");
        advance(TIMEOUT / 3).await;
        runtime.respond("a", ok("")).unwrap();
        let now = Instant::now();
        assert_eq!(runtime.deadline("b", TIMEOUT), Some(now + TIMEOUT));
    }
}
