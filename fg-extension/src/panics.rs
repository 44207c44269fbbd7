//! Catches panics in handlers, so that the runtime can log each in one line.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Once;
use std::task::Poll;

thread_local! {
    /// Whether this thread is inside [`catch`].
    static CATCHING: Cell<bool> = const { Cell::new(false) };
    /// The source location of the last panic inside [`catch`].
    static LOCATION: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// The message and the source location of a panic.
#[derive(Debug)]
pub(crate) struct Panic {
    message: String,
    location: Option<String>,
}

/// Installs a panic hook that prints nothing for panics inside [`catch`], and passes all others to the previous hook.
pub(crate) fn install_hook() {
    static ONCE: Once = Once::new();
    // A process that aborts on panic never returns to `catch`, so the previous hook's output is the only report.
    if cfg!(panic = "abort") {
        return;
    }
    ONCE.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if CATCHING.get() {
                LOCATION.set(info.location().map(ToString::to_string));
            } else {
                previous(info);
            }
        }));
    });
}

/// Waits for the future, and returns its output or its panic.
pub(crate) async fn catch<F: Future>(future: F) -> Result<F::Output, Panic> {
    let mut future = pin!(future);
    // `AssertUnwindSafe`: a future that panicked is not polled again, so its inconsistent state is never observed.
    poll_fn(|cx| {
        let outer = CATCHING.replace(true);
        // A panic that the author's code caught itself may have left its location here.
        LOCATION.set(None);
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx)));
        CATCHING.set(outer);
        match polled {
            Ok(poll) => poll.map(Ok),
            Err(payload) => Poll::Ready(Err(Panic {
                message: message(payload),
                location: LOCATION.take(),
            })),
        }
    })
    .await
}

fn message(payload: Box<dyn Any + Send>) -> String {
    match payload.downcast::<String>() {
        Ok(message) => *message,
        Err(payload) => payload
            .downcast_ref::<&str>()
            .unwrap_or(&"no message")
            .to_string(),
    }
}

impl fmt::Display for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.location {
            Some(location) => write!(f, "panicked at {location}: {}", self.message),
            None => write!(f, "panicked: {}", self.message),
        }
    }
}

impl std::error::Error for Panic {}
