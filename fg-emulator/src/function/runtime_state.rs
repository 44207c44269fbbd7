//! The state of a custom runtime's invocations, without I/O.

use std::collections::{BTreeMap, VecDeque};

use hyper::body::Bytes;

use crate::state::Rejection;

/// The response of the function, or the error that it reported.
pub(crate) type RuntimeResponse = Result<Bytes, Bytes>;

/// The queued and running invocations of the function.
#[derive(Debug, Default)]
pub(crate) struct RuntimeState {
    claimed: bool,
    ready: bool,
    queued: VecDeque<(String, Bytes)>,
    /// The invocations that the function has received, each with its response once the function has responded.
    running: BTreeMap<String, Option<RuntimeResponse>>,
}

impl RuntimeState {
    /// Claims the instance's only function slot. Returns whether it was free.
    pub(crate) fn claim(&mut self) -> bool {
        !std::mem::replace(&mut self.claimed, true)
    }

    /// Marks the function as initialized: it has requested an event.
    pub(crate) fn mark_ready(&mut self) {
        self.ready = true;
    }

    /// Returns whether the function has ever requested an event.
    pub(crate) fn is_ready(&self) -> bool {
        self.ready
    }

    /// Queues an event for the function.
    pub(crate) fn enqueue(&mut self, id: &str, payload: Bytes) {
        self.queued.push_back((id.to_owned(), payload));
    }

    /// Returns the next event, and marks its invocation as running.
    pub(crate) fn dequeue(&mut self) -> Option<(String, Bytes)> {
        let (id, payload) = self.queued.pop_front()?;
        self.running.insert(id.clone(), None);
        Some((id, payload))
    }

    /// Stores the response of the function. Rejects a second response, and one to an unknown invocation.
    pub(crate) fn respond(&mut self, id: &str, response: RuntimeResponse) -> Result<(), Rejection> {
        match self.running.get_mut(id) {
            Some(open @ None) => {
                *open = Some(response);
                Ok(())
            }
            Some(Some(_)) => {
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
        self.running.get(id)?.as_ref()?;
        self.running.remove(id)?
    }

    /// Cancels an invocation. The function does not receive it if it is still queued; a later response is rejected.
    pub(crate) fn cancel(&mut self, id: &str) {
        self.queued.retain(|(queued, _)| queued != id);
        self.running.remove(id);
    }
}

#[cfg(test)]
mod tests {
    use super::RuntimeState;

    #[test]
    fn invocations_are_dequeued_in_order_and_completed_once() {
        let mut runtime = RuntimeState::default();
        assert!(!runtime.is_ready());
        runtime.mark_ready();
        assert!(runtime.is_ready() && runtime.dequeue().is_none());
        for id in ["a", "b", "c"] {
            runtime.enqueue(id, id.into());
        }
        assert_eq!(runtime.dequeue(), Some(("a".to_owned(), "a".into())));
        assert_eq!(runtime.dequeue(), Some(("b".to_owned(), "b".into())));
        let rejected = |result: Result<(), crate::state::Rejection>| result.unwrap_err().error_type;
        // The function has not received `c` yet.
        assert_eq!(
            rejected(runtime.respond("c", Ok("".into()))),
            "InvocationNotFound"
        );
        assert_eq!(runtime.take_response("b"), None);
        runtime.respond("b", Err("oh".into())).unwrap();
        assert_eq!(
            rejected(runtime.respond("b", Ok("".into()))),
            "InvocationAnswered"
        );
        assert_eq!(runtime.take_response("b"), Some(Err("oh".into())));
        assert_eq!(
            rejected(runtime.respond("b", Ok("".into()))),
            "InvocationNotFound"
        );

        runtime.cancel("a");
        runtime.cancel("c");
        assert_eq!(
            rejected(runtime.respond("a", Ok("".into()))),
            "InvocationNotFound"
        );
        assert!(runtime.dequeue().is_none());
    }
}
