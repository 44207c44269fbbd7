//! Captures the output of processes, line by line.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::process::Child;
use tokio::task::JoinSet;

use crate::TelemetryType;
use crate::inner::Inner;

/// The maximum output that is stored per stream. The rest is reported to the observer and counted.
const MAX_CAPTURED_BYTES: usize = 1024 * 1024;
/// The maximum length of a line. A longer line is split.
const MAX_LINE_BYTES: u64 = 256 * 1024;

/// A line that an extension or the function printed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OutputLine {
    /// The script name of the extension, or `bootstrap` for a function.
    pub script: String,
    /// The stream that the line was printed to.
    pub stream: OutputStream,
    /// The text without the line break. Invalid UTF-8 is replaced with U+FFFD. A line longer than 256 KiB is split.
    pub text: String,
}

/// A standard stream of a process.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OutputStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// The output of one process.
#[derive(Default)]
pub(crate) struct Output {
    captured: Arc<Mutex<Captured>>,
    /// A `JoinSet`, because it aborts its tasks on drop.
    readers: JoinSet<()>,
}

#[derive(Debug, Default)]
pub(crate) struct Captured {
    pub(crate) lines: Vec<OutputLine>,
    bytes: [usize; 2],
    /// How many bytes were not stored.
    pub(crate) dropped: usize,
}

impl Output {
    /// Captures both streams of the process. Each line becomes telemetry of the given type.
    ///
    /// # Errors
    ///
    /// Returns an error if the process of the platform has too many open files.
    pub(crate) fn capture(
        child: &mut Child,
        script: &str,
        kind: TelemetryType,
        inner: &Arc<Inner>,
    ) -> std::io::Result<Self> {
        let captured = Arc::default();
        let mut readers = JoinSet::new();
        let emit = |stream| {
            let (captured, inner) = (Arc::clone(&captured), Arc::clone(inner));
            let script = script.to_owned();
            move |text| {
                let line = OutputLine {
                    script: script.clone(),
                    stream,
                    text,
                };
                inner.record_output(kind, line.clone());
                lock(&captured).push(line);
            }
        };
        let notify = || {
            let inner = Arc::clone(inner);
            move || inner.notify_waiters()
        };
        if let Some(stdout) = child.stdout.take() {
            let stdout = inner.streams.track(stdout, notify())?;
            readers.spawn(read(stdout, emit(OutputStream::Stdout)));
        }
        if let Some(stderr) = child.stderr.take() {
            let stderr = inner.streams.track(stderr, notify())?;
            readers.spawn(read(stderr, emit(OutputStream::Stderr)));
        }
        Ok(Self { captured, readers })
    }

    /// Completes when both streams have ended.
    pub(crate) fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while let Some(_reader) = ready!(self.readers.poll_join_next(cx)) {}
        Poll::Ready(())
    }

    /// Waits until both streams end, for at most a second, and returns the captured output. A stream ends when the last
    /// process that has it open exits, which may be a process that was not killed.
    pub(crate) async fn finish(&mut self) -> Captured {
        let all = async { while self.readers.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(Duration::from_secs(1), all).await;
        std::mem::take(&mut *lock(&self.captured))
    }
}

async fn read(stream: impl AsyncRead + Unpin, emit: impl Fn(String)) {
    let mut reader = BufReader::new(stream);
    let mut bytes = Vec::new();
    // The length of a line is limited, so that a line without an end does not exhaust the memory.
    while let Ok(1..) = (&mut reader)
        .take(MAX_LINE_BYTES)
        .read_until(b'\n', &mut bytes)
        .await
    {
        let line = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        emit(String::from_utf8_lossy(line).into_owned());
        bytes.clear();
    }
}

impl Captured {
    fn push(&mut self, line: OutputLine) {
        let bytes = &mut self.bytes[usize::from(line.stream == OutputStream::Stderr)];
        if *bytes + line.text.len() > MAX_CAPTURED_BYTES {
            self.dropped += line.text.len() + 1;
        } else {
            *bytes += line.text.len() + 1;
            self.lines.push(line);
        }
    }
}

fn lock(captured: &Mutex<Captured>) -> MutexGuard<'_, Captured> {
    captured.lock().unwrap_or_else(PoisonError::into_inner)
}
