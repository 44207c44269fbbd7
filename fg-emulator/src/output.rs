//! What extensions print, line by line.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::process::Child;
use tokio::task::JoinSet;

use crate::TelemetryType;
use crate::shared::Shared;

/// Of each stream, so much output is kept; what comes then is shown to the observer only, and counted.
const KEPT_BYTES: usize = 1024 * 1024;
/// A longer line is told in pieces.
const LINE_BYTES: u64 = 256 * 1024;

/// One line that an extension, or the function, printed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OutputLine {
    /// The extension's script name; `bootstrap` for a function.
    pub script: String,
    /// Where it printed it.
    pub stream: OutputStream,
    /// Without the line break; what is not UTF-8 is replaced.
    pub text: String,
}

/// Where an extension prints.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OutputStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// What one process printed so far.
#[derive(Default)]
pub(crate) struct Output {
    kept: Arc<Mutex<Kept>>,
    /// A set, because it ends its tasks when it is dropped.
    readers: JoinSet<()>,
}

#[derive(Debug, Default)]
pub(crate) struct Kept {
    pub(crate) lines: Vec<OutputLine>,
    bytes: [usize; 2],
    /// How many bytes were not kept.
    pub(crate) dropped: usize,
}

impl Output {
    /// Captures both streams of the process; each line is told as telemetry of that kind.
    pub(crate) fn capture(
        child: &mut Child,
        script: &str,
        kind: TelemetryType,
        shared: &Arc<Shared>,
    ) -> Self {
        let kept = Arc::default();
        let mut readers = JoinSet::new();
        let tell = |stream| {
            let (script, kept, shared) = (script.to_owned(), Arc::clone(&kept), Arc::clone(shared));
            move |text| {
                let line = OutputLine {
                    script: script.clone(),
                    stream,
                    text,
                };
                shared.printed(kind, line.clone());
                lock(&kept).keep(line);
            }
        };
        if let Some(stdout) = child.stdout.take() {
            readers.spawn(read(stdout, tell(OutputStream::Stdout)));
        }
        if let Some(stderr) = child.stderr.take() {
            readers.spawn(read(stderr, tell(OutputStream::Stderr)));
        }
        Self { kept, readers }
    }

    /// All of it. The streams end with the last process that has them; one that got away is not waited for.
    pub(crate) async fn end(&mut self) -> Kept {
        let all = async { while self.readers.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(Duration::from_secs(1), all).await;
        std::mem::take(&mut *lock(&self.kept))
    }
}

async fn read(stream: impl AsyncRead + Unpin, tell: impl Fn(String)) {
    let mut reader = BufReader::new(stream);
    let mut bytes = Vec::new();
    // A line that does not end is cut: it would take all memory.
    while let Ok(1..) = (&mut reader)
        .take(LINE_BYTES)
        .read_until(b'\n', &mut bytes)
        .await
    {
        let line = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        tell(String::from_utf8_lossy(line).into_owned());
        bytes.clear();
    }
}

impl Kept {
    fn keep(&mut self, line: OutputLine) {
        let bytes = &mut self.bytes[usize::from(line.stream == OutputStream::Stderr)];
        if *bytes + line.text.len() > KEPT_BYTES {
            self.dropped += line.text.len() + 1;
        } else {
            *bytes += line.text.len() + 1;
            self.lines.push(line);
        }
    }
}

fn lock(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}
