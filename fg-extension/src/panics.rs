//! Runs the author's code: catches its panics, so that the runtime can log each in one line, and notices if it blocks its
//! thread. Restarts parts of the runtime that panic.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::fs::File;
use std::future::{Future, poll_fn};
use std::io::Read as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Mutex, Once, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use fg_util::error::{excerpt, one_line};
use fg_util::throttle::Throttle;
use tokio::time::sleep;

use crate::http::request_log;
use crate::lifecycle::witness::{Moment, last_tick};

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
                report_task(&Panic { message, location });
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
        let start = PollStart::now(subject);
        let poll = catch_sync(|| future.as_mut().poll(cx));
        start.finish();
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
            Err(panic) => report_task(&panic),
        }
        sleep(RESTART_PAUSE).await;
    }
}

#[cold]
fn report_task(panic: &Panic) {
    if let Some(before) = request_log::admit() {
        error!("a task {}{before}", one_line(&excerpt(&panic.to_string())));
    }
}

/// The start of a poll of the author's code.
struct PollStart {
    /// The name of the code, or an empty string if its time is not measured.
    subject: &'static str,
    at: Moment,
    /// How long this thread had waited for a CPU by then.
    waited_for_cpu: Duration,
}

impl PollStart {
    // Called in several places, whose code is small that way.
    #[inline(never)]
    fn now(subject: &'static str) -> Self {
        Self {
            // Inside another `catch`, that one measures.
            subject: if CATCHING.get() { "" } else { subject },
            at: Moment::now_cheap(),
            waited_for_cpu: recent_cpu_wait(),
        }
    }

    /// Logs a warning if the author's code has run for so long that it must have blocked its thread.
    #[inline(never)]
    fn finish(&self) {
        if self.at.elapsed_at_most() >= LONGEST_POLL && !self.subject.is_empty() {
            self.report_if_blocked();
        }
    }

    #[cold]
    fn report_if_blocked(&self) {
        static THROTTLE: Mutex<Throttle> = Mutex::new(Throttle::one_per_second());
        let waited = cpu_wait().saturating_sub(self.waited_for_cpu);
        let elapsed = self.at.elapsed().saturating_sub(waited);
        // Without the second thread, it could have been a freeze.
        if elapsed < LONGEST_POLL || last_tick() == 0 {
            return;
        }
        let mut throttle = THROTTLE.lock().unwrap_or_else(PoisonError::into_inner);
        if throttle.admit(Instant::now()) {
            // The formatting of floating-point numbers adds 20 KB.
            let tenths = elapsed.as_millis() / 100;
            warn!(
                "{} blocked its thread for {}.{} s; use spawn_blocking",
                self.subject,
                tenths / 10,
                tenths % 10
            );
        }
    }
}

/// Returns how long this thread has waited for a CPU so far, as it was at the first call after the last tick of the
/// second thread: it is read from a file, which would take too long for each poll.
fn recent_cpu_wait() -> Duration {
    thread_local! {
        static RECENT: Cell<(u32, Duration)> = const { Cell::new((0, Duration::ZERO)) };
    }
    let (tick, recent) = RECENT.get();
    let last = last_tick();
    if tick == last {
        return recent;
    }
    let wait = cpu_wait();
    RECENT.set((last, wait));
    wait
}

/// Returns how long this thread has waited for a CPU so far, or zero if the kernel does not measure it.
fn cpu_wait() -> Duration {
    let mut buffer = [0; 64];
    if let Ok(mut file) = File::open("/proc/thread-self/schedstat") {
        // After an error, the buffer contains no number.
        let _ = file.read(&mut buffer);
    }
    // The second number, in nanoseconds.
    let (mut spaces, mut nanos) = (0, 0_u64);
    for byte in buffer {
        match byte {
            b' ' => spaces += 1,
            b'0'..=b'9' if spaces == 1 => {
                nanos = nanos.wrapping_mul(10).wrapping_add((byte - b'0').into());
            }
            _ => {}
        }
    }
    Duration::from_nanos(nanos)
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
