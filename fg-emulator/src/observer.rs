//! Calls the observer of the test, and stores its panic until a thread of the test can resume it.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::Event;

/// How long [`Observer::close`] waits for running calls on other threads.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

pub(crate) type Callback = Box<dyn Fn(&Event) + Send + Sync>;

type Panic = Box<dyn Any + Send>;

/// The callback and its first panic.
///
/// The callback runs on the platform's tasks. A panic there would abort a task that others wait for, without failing the
/// test. Therefore the panic is caught and stored until [`resume_panic`](Self::resume_panic) is called.
pub(crate) struct Observer {
    callback: Callback,
    calls: Mutex<Calls>,
    returned: Condvar,
}

#[derive(Default)]
struct Calls {
    running: usize,
    closed: bool,
    panic: Option<Panic>,
}

impl Observer {
    pub(crate) fn new(callback: Callback) -> Self {
        Self {
            callback,
            calls: Mutex::default(),
            returned: Condvar::new(),
        }
    }

    /// Calls the callback, and stores its panic if it panics.
    pub(crate) fn report(&self, event: &Event) {
        {
            let mut calls = self.calls();
            // After a panic, the callback may be in an inconsistent state, and further panics would only be consequences.
            if calls.closed || calls.panic.is_some() {
                return;
            }
            calls.running += 1;
        }
        let result = catch_unwind(AssertUnwindSafe(|| (self.callback)(event)));
        let mut calls = self.calls();
        calls.running -= 1;
        if let Err(panic) = result {
            // Keep the first panic: later ones may be consequences of it.
            calls.panic.get_or_insert(panic);
        }
        drop(calls);
        self.returned.notify_all();
    }

    /// Returns whether a panic is stored.
    pub(crate) fn has_panicked(&self) -> bool {
        self.calls().panic.is_some()
    }

    /// Resumes the stored panic, if there is one.
    pub(crate) fn resume_panic(&self) {
        let panic = self.calls().panic.take();
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
    }

    /// Stops calling the callback, and waits for running calls on other threads, so that their panics can be resumed
    /// afterwards.
    pub(crate) fn close(&self) {
        let mut calls = self.calls();
        calls.closed = true;
        // With a timeout, because the caller may be the callback itself.
        let _ = self
            .returned
            .wait_timeout_while(calls, CLOSE_TIMEOUT, |calls| calls.running > 0);
    }

    fn calls(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::Observer;
    use crate::{Event, Subscription};

    fn event() -> Event {
        let body = include_bytes!("../../tests/golden/telemetry-subscription.json");
        Event::Subscribed(Subscription::parse(body).unwrap())
    }

    #[test]
    fn first_panic_is_resumed_once() {
        let count = AtomicUsize::new(0);
        let observer = Observer::new(Box::new(move |_| {
            panic!("number {}", count.fetch_add(1, Ordering::Relaxed));
        }));
        assert!(!observer.has_panicked());
        observer.resume_panic();
        observer.report(&event());
        observer.report(&event());
        assert!(observer.has_panicked());
        let resume = || catch_unwind(AssertUnwindSafe(|| observer.resume_panic()));
        let panic = resume().unwrap_err().downcast::<String>().unwrap();
        assert_eq!(*panic, "number 0");
        assert!(resume().is_ok() && !observer.has_panicked());
    }

    #[test]
    fn closed_observer_is_not_called() {
        let count = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&count);
        let observer = Observer::new(Box::new(move |_| {
            counter.fetch_add(1, Ordering::Relaxed);
        }));
        observer.report(&event());
        observer.close();
        observer.report(&event());
        assert_eq!(count.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn close_waits_for_a_call_that_panics() {
        let (started, start) = std::sync::mpsc::channel();
        let observer = Observer::new(Box::new(move |_| {
            started.send(()).unwrap();
            panic!("late");
        }));
        std::thread::scope(|scope| {
            scope.spawn(|| observer.report(&event()));
            start.recv().unwrap();
            observer.close();
            assert!(observer.has_panicked());
        });
    }
}
