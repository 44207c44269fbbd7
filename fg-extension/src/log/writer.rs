//! Writes log lines to stderr from a thread of its own, so that no other thread waits for the reader of stderr.

use std::io;
use std::os::fd::AsFd as _;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::write as write_some;

use crate::ExtensionName;

/// The bytes of the lines that may wait for the reader of stderr. Further lines are dropped and counted.
#[cfg(feature = "stderr-log")]
const MAX_QUEUED: usize = 64 << 10;

/// How long the exit of the process waits for the reader of stderr.
const FLUSH_TIMEOUT: Duration = Duration::from_millis(200);

/// How long the exit of the process waits for the thread to get a CPU.
const START_TIMEOUT: Duration = Duration::from_secs(1);

static WRITER: Writer = Writer::new();

struct Writer {
    state: Mutex<WriterState>,
    changed: Condvar,
}

struct WriterState {
    /// Complete lines.
    queued: String,
    dropped: u64,
    /// Whether the thread was started. It is started for the first line, since most processes never log one.
    started: bool,
    /// Whether the thread is writing lines that it took from `queued`.
    writing: bool,
}

/// Queues a line, which ends with a line break.
#[cfg(feature = "stderr-log")]
pub(crate) fn write(name: ExtensionName, line: &str) {
    let mut state = WRITER.state();
    // A line that is longer than the limit would never fit otherwise.
    if !state.queued.is_empty() && state.queued.len() + line.len() > MAX_QUEUED {
        state.dropped += 1;
        return;
    }
    WRITER.queue(state, name, line, Duration::ZERO);
}

/// Queues the last line of the process, even if the queue is full, and waits a short time until it is written.
pub(crate) fn write_last(name: ExtensionName, line: &str) {
    WRITER.queue(WRITER.state(), name, line, FLUSH_TIMEOUT);
    flush();
}

/// Waits until all lines are written, but only a short time: if nobody reads stderr, the process must exit anyway.
pub(crate) fn flush() {
    WRITER.wait_while(START_TIMEOUT, |state| {
        !state.writing && !state.queued.is_empty()
    });
    WRITER.wait_while(FLUSH_TIMEOUT, |state| {
        state.writing || !state.queued.is_empty()
    });
}

impl Writer {
    const fn new() -> Self {
        Self {
            state: Mutex::new(WriterState {
                queued: String::new(),
                dropped: 0,
                started: false,
                writing: false,
            }),
            changed: Condvar::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, WriterState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_while(&self, timeout: Duration, condition: fn(&mut WriterState) -> bool) {
        // The lock is poisoned if a thread panicked, which does not affect the lines.
        drop(
            self.changed
                .wait_timeout_while(self.state(), timeout, condition),
        );
    }

    fn queue(
        &'static self,
        mut state: MutexGuard<'_, WriterState>,
        name: ExtensionName,
        line: &str,
        patience: Duration,
    ) {
        if !state.started {
            if spawn("log", Box::new(move || self.run(name))).is_err() {
                // The process cannot have another thread, which is what the line may be about.
                if is_ready(line, patience) {
                    write_to_stderr(line);
                } else {
                    state.dropped += 1;
                }
                return;
            }
            state.started = true;
        }
        state.queued.push_str(line);
        drop(state);
        self.changed.notify_all();
    }

    /// Writes lines until the process exits.
    fn run(&self, name: ExtensionName) {
        let mut state = self.state();
        loop {
            if state.queued.is_empty() {
                state.writing = false;
                self.changed.notify_all();
                state = self
                    .changed
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            state.writing = true;
            let lines = std::mem::take(&mut state.queued);
            let dropped = std::mem::take(&mut state.dropped);
            drop(state);
            self.changed.notify_all();
            // Each line is a single write, so that lines of several processes do not mix.
            lines.split_inclusive('\n').for_each(write_to_stderr);
            if dropped > 0 {
                let s = if dropped == 1 { "" } else { "s" };
                write_to_stderr(&format!(
                    "WARN {name}: dropped {dropped} log line{s}: stderr was not read fast enough\n"
                ));
            }
            state = self.state();
        }
    }
}

/// Starts a thread that runs until the process exits, or until its function returns.
pub(crate) fn spawn(name: &str, run: Box<dyn FnOnce() + Send>) -> io::Result<()> {
    let thread = thread::Builder::new().name(name.to_owned());
    thread.spawn(run).map(drop)
}

/// Returns whether a line can be written without waiting for the reader of stderr, within this time.
fn is_ready(line: &str, patience: Duration) -> bool {
    let stderr = io::stderr();
    let timeout = PollTimeout::try_from(patience).unwrap_or(PollTimeout::ZERO);
    let mut ready = [PollFd::new(stderr.as_fd(), PollFlags::POLLOUT)];
    // A pipe that is ready has room for this many bytes (`PIPE_BUF`).
    line.len() <= 4096 && poll(&mut ready, timeout) == Ok(1)
}

fn write_to_stderr(line: &str) {
    let mut rest = line.as_bytes();
    while !rest.is_empty() {
        match write_some(io::stderr(), rest) {
            Ok(written) => rest = &rest[written..],
            // Another process has made the pipe non-blocking, and it is full.
            Err(Errno::EAGAIN) => thread::sleep(Duration::from_millis(10)),
            Err(Errno::EINTR) => {}
            // If stderr is closed, there is nowhere to report the error.
            Err(_) => return,
        }
    }
}
