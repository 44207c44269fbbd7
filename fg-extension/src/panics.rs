//! Runs the author's code: catches its panics, so that the runtime can log each in one line, and notices if it blocks its
//! thread. Restarts parts of the runtime that panic.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Mutex, Once, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use fg_util::error::one_line;
use fg_util::throttle::Throttle;
use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use tokio::time::sleep;

use crate::lifecycle::witness::Moment;

/// The longest time for which the author's code may keep its thread without a warning.
const LONGEST_POLL: Duration = Duration::from_millis(100);

/// How long a part of the runtime that panicked waits before it continues.
pub(crate) const RESTART_PAUSE: Duration = Duration::from_millis(250);

thread_local! {
    /// Whether this thread is inside [`catch`].
    static CATCHING: Cell<bool> = const { Cell::new(false) };
    /// The source location of the last panic inside [`catch`].
    static LOCATION: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// The message and the source location of a panic.
#[derive(Debug)]
pub(crate) struct Panic {
    pub(crate) message: String,
    location: Option<String>,
}

/// Installs a panic hook that prints nothing for panics inside [`catch`], and logs those of other tasks in one line. All
/// others are passed to the previous hook.
pub(crate) fn install_hook() {
    static ONCE: Once = Once::new();
    // A process that aborts on panic never returns to `catch`, so the previous hook's output is the only report.
    if cfg!(panic = "abort") {
        return;
    }
    ONCE.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let location = info.location().map(ToString::to_string);
            if CATCHING.get() {
                LOCATION.set(location);
            } else if tokio::task::try_id().is_some() {
                let message = message(info.payload());
                let panic = Panic { message, location };
                tracing::error!("a task {}", one_line(&panic.to_string()));
            } else {
                previous(info);
            }
        }));
    });
}

/// Waits for a future of the author's code, and returns its output or its panic. Logs a warning if the future blocks its
/// thread, with `subject` as the name of the code.
pub(crate) async fn catch<F: Future>(subject: &'static str, future: F) -> Result<F::Output, Panic> {
    let mut future = pin!(future);
    poll_fn(|cx| {
        // Inside another `catch`, that one measures.
        let start = (!subject.is_empty() && !CATCHING.get()).then(PollStart::now);
        let poll = catch_sync(|| future.as_mut().poll(cx));
        if let Some(start) = start
            && start.at.elapsed_at_most() >= LONGEST_POLL
        {
            start.report_if_blocked(subject);
        }
        match poll {
            Ok(poll) => poll.map(Ok),
            Err(panic) => Poll::Ready(Err(panic)),
        }
    })
    .await
}

/// Calls the function, and returns its output or its panic.
///
/// A function that panicked must not be called again with the same state, which may be inconsistent.
pub(crate) fn catch_sync<R>(function: impl FnOnce() -> R) -> Result<R, Panic> {
    let outer = CATCHING.replace(true);
    // A panic that the author's code caught itself may have left its location here.
    LOCATION.set(None);
    let output = catch_unwind(AssertUnwindSafe(function));
    CATCHING.set(outer);
    output.map_err(|payload| Panic {
        message: message(&*payload),
        location: LOCATION.take(),
    })
}

/// Runs a part of the runtime that must not stop. If it panics, logs that in one line, and starts it again.
pub(crate) async fn supervise<F: Future>(mut run: impl FnMut() -> F) -> F::Output {
    loop {
        match catch("", run()).await {
            Ok(output) => return output,
            Err(panic) => tracing::error!("a task {}", one_line(&panic.to_string())),
        }
        sleep(RESTART_PAUSE).await;
    }
}

/// The start of a poll of the author's code.
struct PollStart {
    at: Moment,
    usage: nix::Result<Usage>,
}

impl PollStart {
    fn now() -> Self {
        Self {
            at: Moment::now_cheap(),
            usage: getrusage(UsageWho::RUSAGE_THREAD),
        }
    }

    /// Logs a warning if the author's code has run for so long that it must have blocked its thread.
    #[cold]
    fn report_if_blocked(&self, subject: &str) {
        static THROTTLE: Mutex<Throttle> = Mutex::new(Throttle::one_per_second());
        let elapsed = self.at.elapsed();
        if elapsed < LONGEST_POLL || self.is_starved() {
            return;
        }
        let mut throttle = THROTTLE.lock().unwrap_or_else(PoisonError::into_inner);
        if throttle.admit(Instant::now()) {
            // The formatting of floating-point numbers adds 20 KB.
            let tenths = elapsed.as_millis() / 100;
            tracing::warn!(
                "{subject} blocked its thread for {}.{} s; use spawn_blocking",
                tenths / 10,
                tenths % 10
            );
        }
    }

    /// Returns whether the poll took long because the thread got no CPU: it has not used much of it, and has not waited
    /// for anything else since.
    fn is_starved(&self) -> bool {
        let (Ok(before), Ok(now)) = (self.usage, getrusage(UsageWho::RUSAGE_THREAD)) else {
            return false;
        };
        let cpu_time =
            |usage: &Usage| (usage.user_time() + usage.system_time()).num_microseconds() / 1000;
        let waits = now.voluntary_context_switches() - before.voluntary_context_switches();
        waits == 0 && (cpu_time(&now) - cpu_time(&before)) < LONGEST_POLL.as_millis() as i64
    }
}

fn message(payload: &(dyn Any + Send)) -> String {
    match payload.downcast_ref::<String>() {
        Some(message) => message.clone(),
        None => payload
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
