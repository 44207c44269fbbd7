//! [`Streams`]: waits until what the processes have printed so far has been read.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tokio::io::{AsyncRead, ReadBuf};

/// The maximum size of a pipe on Linux. After this much more has been read, all that a pipe contained has been read.
const MAX_PIPE_BYTES: usize = 1024 * 1024;

/// The output streams of all processes of an instance.
#[derive(Default)]
pub(crate) struct Streams(Mutex<Vec<Weak<Progress>>>);

/// How far a stream has been read.
struct Progress {
    /// The same pipe that the reader has.
    pipe: OwnedFd,
    bytes: AtomicUsize,
    /// Whether the reader waits for more, and has emitted all lines that it has read.
    is_idle: AtomicBool,
    has_ended: AtomicBool,
}

/// A stream, whose progress is recorded.
pub(super) struct Tracked<S, F: Fn()> {
    stream: S,
    progress: Arc<Progress>,
    /// Called after each change that can complete a wait.
    notify: F,
}

/// What the streams contained at one moment.
pub(crate) struct Drain(Vec<(Arc<Progress>, usize)>);

impl Streams {
    /// Records the progress of a stream.
    pub(super) fn track<S: AsFd, F: Fn()>(
        &self,
        stream: S,
        notify: F,
    ) -> io::Result<Tracked<S, F>> {
        let progress = Arc::new(Progress {
            pipe: stream.as_fd().try_clone_to_owned()?,
            bytes: AtomicUsize::new(0),
            is_idle: AtomicBool::new(false),
            has_ended: AtomicBool::new(false),
        });
        let mut streams = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        streams.retain(|stream| stream.strong_count() > 0);
        streams.push(Arc::downgrade(&progress));
        Ok(Tracked {
            stream,
            progress,
            notify,
        })
    }

    /// Returns what the streams contain now.
    pub(crate) fn drain(&self) -> Drain {
        let streams = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let streams = streams.iter().filter_map(Weak::upgrade);
        Drain(
            streams
                .map(|stream| {
                    let bytes = stream.bytes.load(SeqCst);
                    (stream, bytes)
                })
                .collect(),
        )
    }
}

impl Drain {
    /// Returns whether all of it has been read, and its complete lines have been emitted.
    pub(crate) fn is_complete(&self) -> bool {
        self.0.iter().all(|(stream, before)| {
            stream.has_ended.load(SeqCst)
                || stream.bytes.load(SeqCst) - before >= MAX_PIPE_BYTES
                // In this order: the reader is not idle between reading and emitting.
                || (stream.is_empty() && stream.is_idle.load(SeqCst))
        })
    }
}

impl Progress {
    fn is_empty(&self) -> bool {
        let mut pipe = [PollFd::new(self.pipe.as_fd(), PollFlags::POLLIN)];
        // A pipe that cannot be examined must not block an invocation.
        !matches!(poll(&mut pipe, PollTimeout::ZERO), Ok(1..))
            || !pipe[0]
                .revents()
                .is_some_and(|events| events.contains(PollFlags::POLLIN))
    }
}

impl<S: AsyncRead + Unpin, F: Fn() + Unpin> AsyncRead for Tracked<S, F> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.progress.is_idle.store(false, SeqCst);
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        let bytes = buffer.filled().len() - before;
        self.progress.bytes.fetch_add(bytes, SeqCst);
        if read.is_pending() {
            self.progress.is_idle.store(true, SeqCst);
            (self.notify)();
        }
        read
    }
}

impl<S, F: Fn()> Drop for Tracked<S, F> {
    fn drop(&mut self) {
        self.progress.has_ended.store(true, SeqCst);
        (self.notify)();
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use tokio::io::{AsyncBufReadExt, BufReader};
    use tokio::net::unix::pipe;
    use tokio::sync::Notify;

    use super::Streams;

    #[tokio::test]
    async fn drain_is_complete_when_the_lines_have_been_emitted() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let reader = pipe::Receiver::from_owned_fd(reader.into()).unwrap();
        let streams = Streams::default();
        assert!(streams.drain().is_complete());
        let changed = Arc::new(Notify::new());
        let notify = Arc::clone(&changed);
        let tracked = streams.track(reader, move || notify.notify_one()).unwrap();
        let emitted = Arc::new(Mutex::new(Vec::new()));
        let lines = Arc::clone(&emitted);
        let read = tokio::spawn(async move {
            let mut reader = BufReader::new(tracked).lines();
            while let Ok(Some(line)) = reader.next_line().await {
                // Between reading and emitting.
                tokio::task::yield_now().await;
                lines.lock().unwrap().push(line);
            }
        });
        for text in ["one\n", "two\nthree\nunfinished"] {
            let complete = text.matches('\n').count();
            let before = emitted.lock().unwrap().len();
            writer.write_all(text.as_bytes()).unwrap();
            let drain = streams.drain();
            assert!(!drain.is_complete(), "the task has not run");
            while !drain.is_complete() {
                changed.notified().await;
            }
            assert_eq!(emitted.lock().unwrap().len(), before + complete);
        }
        drop(writer);
        read.await.unwrap();
        assert!(streams.drain().is_complete());
        assert_eq!(emitted.lock().unwrap().len(), 4);
    }
}
