//! What a custom runtime asks of the platform, without I/O.

use std::collections::{BTreeMap, VecDeque};

use hyper::body::Bytes;

use crate::state::Refusal;

/// A response, or the error that the function reported.
pub(crate) type Answer = Result<Bytes, Bytes>;

/// The invocations of the function, from the call of the platform to the function's answer.
#[derive(Debug, Default)]
pub(crate) struct Runtime {
    booted: bool,
    ready: bool,
    waiting: VecDeque<(String, Bytes)>,
    /// Those that the function has, until it answers, and from then on with the answer.
    running: BTreeMap<String, Option<Answer>>,
}

impl Runtime {
    /// A function is about to boot, unless there is one: an instance has one.
    pub(crate) fn boot(&mut self) -> bool {
        !std::mem::replace(&mut self.booted, true)
    }

    /// The function has asked for an event, so it is initialised.
    pub(crate) fn is_ready(&mut self) {
        self.ready = true;
    }

    /// Whether it ever asked for an event.
    pub(crate) fn ready(&self) -> Option<()> {
        self.ready.then_some(())
    }

    /// The platform has an event.
    pub(crate) fn invoke(&mut self, id: &str, payload: Bytes) {
        self.waiting.push_back((id.to_owned(), payload));
    }

    /// The event for the function, which has it from then on.
    pub(crate) fn next(&mut self) -> Option<(String, Bytes)> {
        let (id, payload) = self.waiting.pop_front()?;
        self.running.insert(id.clone(), None);
        Some((id, payload))
    }

    /// The function has answered.
    pub(crate) fn answer(&mut self, id: &str, answer: Answer) -> Result<(), Refusal> {
        match self.running.get_mut(id) {
            Some(open @ None) => {
                *open = Some(answer);
                Ok(())
            }
            Some(Some(_)) => {
                let message = format!("invocation {id} was answered already");
                Err(Refusal::new("InvocationAnswered", message))
            }
            None => {
                let message = format!("there is no invocation {id}, or no longer");
                Err(Refusal::new("InvocationNotFound", message))
            }
        }
    }

    /// What the function has answered, once it has.
    pub(crate) fn take_answer(&mut self, id: &str) -> Option<Answer> {
        self.running.get(id)?.as_ref()?;
        self.running.remove(id)?
    }

    /// Nobody waits for the answer any more.
    pub(crate) fn forget(&mut self, id: &str) {
        self.waiting.retain(|(waiting, _)| waiting != id);
        self.running.remove(id);
    }
}

#[cfg(test)]
mod tests {
    use super::Runtime;

    #[test]
    fn in_order_and_each_answered_once() {
        let mut runtime = Runtime::default();
        assert!(runtime.ready().is_none());
        runtime.is_ready();
        assert!(runtime.ready().is_some() && runtime.next().is_none());
        for id in ["a", "b", "c"] {
            runtime.invoke(id, id.into());
        }
        assert_eq!(runtime.next(), Some(("a".to_owned(), "a".into())));
        assert_eq!(runtime.next(), Some(("b".to_owned(), "b".into())));
        let refused = |result: Result<(), crate::state::Refusal>| result.unwrap_err().error_type;
        // It has not been given `c` yet.
        assert_eq!(
            refused(runtime.answer("c", Ok("".into()))),
            "InvocationNotFound"
        );
        assert_eq!(runtime.take_answer("b"), None);
        runtime.answer("b", Err("oh".into())).unwrap();
        assert_eq!(
            refused(runtime.answer("b", Ok("".into()))),
            "InvocationAnswered"
        );
        assert_eq!(runtime.take_answer("b"), Some(Err("oh".into())));
        assert_eq!(
            refused(runtime.answer("b", Ok("".into()))),
            "InvocationNotFound"
        );

        runtime.forget("a");
        runtime.forget("c");
        assert_eq!(
            refused(runtime.answer("a", Ok("".into()))),
            "InvocationNotFound"
        );
        assert!(runtime.next().is_none());
    }
}
