//! Writes a line for each invocation to the file at `JOURNAL`, in the background, so that no invocation waits for the disk.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use fg_extension::{Error, Invocation, extension, setting};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::task::{JoinHandle, spawn_blocking};

/// The maximum number of lines that wait to be written.
const QUEUE_LENGTH: usize = 1000;

struct Journal {
    /// `None` once the shutdown has begun.
    worker: Mutex<Option<Worker>>,
    /// How many lines did not fit into the queue.
    dropped: AtomicU64,
}

/// A task in the background, and the queue that it works through.
struct Worker {
    queue: Sender<String>,
    task: JoinHandle<()>,
}

#[extension(name = "extensionJournal.sh", port = 8088)]
impl Journal {
    #[init]
    async fn start() -> Result<Self, Error> {
        let path = setting("JOURNAL")?.ok_or("JOURNAL is not set; write the path of a file")?;
        let path = path.into_value();
        Ok(Self::new(Worker::start(move |line| {
            append(Path::new(&path), line)
        })))
    }

    #[invoke]
    async fn on_invoke(&self, invocation: Invocation) {
        let line = format!("invoked {}\n", invocation.trace_id);
        let worker = self.worker.lock().unwrap_or_else(PoisonError::into_inner);
        // `try_send` does not wait. It fails if the queue is full, or if the task has panicked.
        let queued = worker.as_ref().map(|it| it.queue.try_send(line));
        if !matches!(queued, Some(Ok(()))) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[shutdown]
    async fn stop(&self) -> Result<(), Error> {
        let worker = {
            let mut worker = self.worker.lock().unwrap_or_else(PoisonError::into_inner);
            worker.take()
        };
        if let Some(Worker { queue, task }) = worker {
            // The task writes what is in the queue, and then ends, since nobody can add more.
            drop(queue);
            // Fails if the task has panicked.
            task.await?;
        }
        match self.dropped.load(Ordering::Relaxed) {
            0 => Ok(()),
            dropped => Err(format!("{dropped} lines were dropped").into()),
        }
    }

    fn new(worker: Worker) -> Self {
        Self {
            worker: Mutex::new(Some(worker)),
            dropped: AtomicU64::new(0),
        }
    }
}

impl Worker {
    fn start(write: impl Fn(&str) -> io::Result<()> + Send + Sync + 'static) -> Self {
        let (queue, lines) = mpsc::channel(QUEUE_LENGTH);
        let task = tokio::spawn(write_all(lines, Arc::new(write)));
        Self { queue, task }
    }
}

/// Writes the lines until the queue is closed and empty.
async fn write_all(
    mut lines: Receiver<String>,
    write: Arc<impl Fn(&str) -> io::Result<()> + Send + Sync + 'static>,
) {
    while let Some(line) = lines.recv().await {
        let write = Arc::clone(&write);
        // On another thread, since writing blocks, and in a task of its own, so that a panic costs one line.
        match spawn_blocking(move || write(&line)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!("cannot write a line: {error}"),
            // The runtime has logged the panic.
            Err(_) => {}
        }
    }
}

fn append(path: &Path, line: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().append(true).create(true).open(path)?;
    file.write_all(line.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const URN: &str = "urn:fss:cn-north-4:0a1b:function:default:hello";

    /// Starts a journal in memory that panics when it writes an invocation with the ID `panic`.
    fn journal() -> (Journal, Arc<Mutex<String>>) {
        let written = Arc::new(Mutex::new(String::new()));
        let text = Arc::clone(&written);
        let worker = Worker::start(move |line| {
            assert_ne!(line, "invoked panic\n");
            text.lock().unwrap().push_str(line);
            Ok(())
        });
        (Journal::new(worker), written)
    }

    #[tokio::test]
    async fn shutdown_writes_what_is_in_the_queue() {
        let (journal, written) = journal();
        for id in ["1", "2"] {
            journal.on_invoke(Invocation::new(id, URN)).await;
        }
        assert_eq!(*written.lock().unwrap(), "");
        journal.stop().await.unwrap();
        assert_eq!(*written.lock().unwrap(), "invoked 1\ninvoked 2\n");
    }

    #[tokio::test]
    async fn panic_costs_one_line() {
        let (journal, written) = journal();
        for id in ["panic", "2"] {
            journal.on_invoke(Invocation::new(id, URN)).await;
        }
        journal.stop().await.unwrap();
        assert_eq!(*written.lock().unwrap(), "invoked 2\n");
    }

    #[tokio::test]
    async fn full_queue_delays_no_invocation() {
        let (journal, _) = journal();
        // The task does not run before this one waits.
        for _ in 0..QUEUE_LENGTH + 3 {
            journal.on_invoke(Invocation::new("1", URN)).await;
        }
        let error = journal.stop().await.unwrap_err();
        assert_eq!(error.to_string(), "3 lines were dropped");
    }

    #[tokio::test]
    async fn panic_of_the_task_is_an_error_of_the_shutdown() {
        let (queue, _) = mpsc::channel(QUEUE_LENGTH);
        let task = tokio::spawn(async { panic!("out of ink") });
        let journal = Journal::new(Worker { queue, task });
        journal.on_invoke(Invocation::new("1", URN)).await;
        let error = journal.stop().await.unwrap_err();
        assert!(error.to_string().contains("out of ink"), "{error}");
    }
}
