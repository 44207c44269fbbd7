//! Writes a recording: the invocations before they are sent, and the journal in the background.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use anyhow::{Context, bail};
use serde::Serialize;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::Instant;

use super::output::Output;
use super::recording::{RecordedInvocation, RecordingHeader};
use crate::invocation::{InvocationSpec, millis};
use crate::journal::Journal;

/// How many bytes of the journal are written at a time, unless a single detail is longer.
const WRITE_BYTES: usize = 64 * 1024;
/// How many bytes of invocations can wait while a part of the journal is being written.
const MAX_WAITING_BYTES: usize = 64 * 1024 * 1024;

/// A writer of a recording.
pub(crate) struct Recorder {
    file: Arc<RecordingFile>,
    /// The time of the first invocation.
    start: Option<Instant>,
    journal: Option<JournalCopy>,
}

/// A task that writes the entries of the journal and their details.
struct JournalCopy {
    journal: Arc<Journal>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Progress>,
}

/// How far the journal has been written.
#[derive(Clone, Copy, Default)]
struct Progress {
    last_id: u64,
    /// The entries that the journal had dropped before they could be written.
    missing: u64,
}

/// The file of a recording. Several threads write whole lines to it.
struct RecordingFile {
    path: PathBuf,
    state: Mutex<FileState>,
    /// The lines of invocations that have been sent while a part of the journal was being written.
    waiting: Mutex<Vec<u8>>,
}

struct FileState {
    /// `None` once a write has failed. Another write could only add to a line that is incomplete.
    file: Option<File>,
    output: Option<Arc<Output>>,
}

impl Recorder {
    /// Checks that the file can be written, without changing it. Used before a build, after which the file is created.
    pub(crate) fn check(path: &Path) -> anyhow::Result<()> {
        let exists = path.exists();
        if exists && !path.is_file() && !path.is_dir() {
            // Opening a pipe would block, or end the input of its reader.
            return Ok(());
        }
        let mut options = File::options();
        let opened = options.create(true).append(true).open(path);
        opened.with_context(|| failure(path))?;
        if !exists {
            let _ = fs::remove_file(path);
        }
        Ok(())
    }

    /// Creates the file, or truncates it, and writes the header.
    pub(crate) fn create(path: &Path, header: &RecordingHeader) -> anyhow::Result<Self> {
        let create = || {
            let mut file = File::create(path)?;
            file.write_all(&json_line(header)?)?;
            io::Result::Ok(file)
        };
        let file = create().with_context(|| failure(path))?;
        let state = FileState {
            file: Some(file),
            output: None,
        };
        Ok(Self {
            file: Arc::new(RecordingFile {
                path: path.to_owned(),
                state: Mutex::new(state),
                waiting: Mutex::default(),
            }),
            start: None,
            journal: None,
        })
    }

    /// Starts to write the entries of the journal as they are added. If the file cannot be written from now on, a warning says
    /// so once.
    pub(crate) fn write_journal(&mut self, output: &Arc<Output>) {
        self.file.lock().output = Some(Arc::clone(output));
        let Some(journal) = output.journal() else {
            return;
        };
        let (stop, stopped) = oneshot::channel();
        let copy = copy(Arc::clone(journal), Arc::clone(&self.file), stopped);
        self.journal = Some(JournalCopy {
            journal: Arc::clone(journal),
            stop,
            task: tokio::spawn(copy),
        });
    }

    /// Writes an invocation. Must be called before the invocation is sent, so that the recording contains it even if it
    /// crashes the extension, or `dev`. If a part of the journal is being written, the invocation is written right after that,
    /// so that it does not wait.
    pub(crate) fn record(&mut self, spec: InvocationSpec) {
        let now = Instant::now();
        let start = *self.start.get_or_insert(now);
        let invocation = RecordedInvocation {
            at_ms: millis(now.duration_since(start)),
            spec,
        };
        // Strings and numbers can always be serialized.
        self.file
            .write_soon(&json_line(&invocation).unwrap_or_default());
    }

    /// Writes the rest of the journal.
    ///
    /// # Errors
    ///
    /// Returns an error if the recording is incomplete.
    pub(crate) async fn finish(self) -> anyhow::Result<()> {
        let path = self.file.path.display();
        let mut missing = 0;
        if let Some(JournalCopy {
            journal,
            stop,
            task,
        }) = self.journal
        {
            let _ = stop.send(());
            let progress = task.await.unwrap_or_default();
            let file = Arc::clone(&self.file);
            let progress = spawn_blocking(move || write_rest(&journal, &file, progress)).await;
            missing = progress.map_or(0, |progress| progress.missing);
        }
        self.file.write(&[]);
        if self.file.lock().file.is_none() {
            bail!("the recording {path} is incomplete");
        }
        if missing > 0 {
            bail!(
                "the recording {path} is incomplete: {missing} entries are missing, since the file could not be written as \
                 fast as they were added"
            );
        }
        Ok(())
    }
}

impl RecordingFile {
    /// Writes whole lines, and then those that wait.
    fn write(&self, lines: &[u8]) {
        self.write_to(&mut self.lock(), lines);
        // If `write_soon` has not got the lock, it has added its line before the lock was released.
        while !lock(&self.waiting).is_empty() {
            self.write_waiting(&mut self.lock());
        }
    }

    /// Writes a line now, or after what another thread is writing. Waits only if too many lines wait.
    fn write_soon(&self, line: &[u8]) {
        let waiting_bytes = {
            let mut waiting = lock(&self.waiting);
            waiting.extend_from_slice(line);
            waiting.len()
        };
        let state = match self.state.try_lock() {
            Ok(state) => Some(state),
            Err(TryLockError::Poisoned(error)) => Some(error.into_inner()),
            Err(TryLockError::WouldBlock) if waiting_bytes > MAX_WAITING_BYTES => Some(self.lock()),
            Err(TryLockError::WouldBlock) => None,
        };
        if let Some(mut state) = state {
            self.write_waiting(&mut state);
        }
    }

    fn write_waiting(&self, state: &mut FileState) {
        let lines = std::mem::take(&mut *lock(&self.waiting));
        self.write_to(state, &lines);
    }

    /// Writes whole lines, unless a write has failed.
    fn write_to(&self, state: &mut FileState, lines: &[u8]) {
        let Some(file) = &mut state.file else {
            return;
        };
        let Err(error) = file.write_all(lines) else {
            return;
        };
        state.file = None;
        if let Some(output) = &state.output {
            let failure = failure(&self.path);
            output.warn(&format!(
                "{failure}: {error}; the rest of this run is not recorded"
            ));
        }
    }

    fn lock(&self) -> MutexGuard<'_, FileState> {
        lock(&self.state)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes the entries until `stopped`. Blocking writes run on other threads, so that a slow disk does not delay anything
/// else. The journal is the buffer, so no further memory is needed for what waits.
async fn copy(
    journal: Arc<Journal>,
    file: Arc<RecordingFile>,
    mut stopped: oneshot::Receiver<()>,
) -> Progress {
    let mut progress = Progress::default();
    loop {
        tokio::select! {
            biased;
            _ = &mut stopped => return progress,
            () = journal.wait_after(progress.last_id) => {}
        }
        let (journal, file) = (Arc::clone(&journal), Arc::clone(&file));
        let written = spawn_blocking(move || write_chunk(&journal, &file, progress));
        match written.await {
            Ok(next) => progress = next,
            // The runtime shuts down.
            Err(_) => return progress,
        }
    }
}

fn write_rest(journal: &Journal, file: &RecordingFile, mut progress: Progress) -> Progress {
    loop {
        let next = write_chunk(journal, file, progress);
        if next.last_id == progress.last_id {
            return next;
        }
        progress = next;
    }
}

/// Writes the next entries, each followed by its details.
fn write_chunk(journal: &Journal, file: &RecordingFile, progress: Progress) -> Progress {
    let chunk = journal.read_after(progress.last_id, WRITE_BYTES);
    let count = u64::try_from(chunk.entries.len()).unwrap_or(u64::MAX);
    let ids = chunk.last_id.saturating_sub(count) + 1..;
    let mut lines = String::new();
    for (entry, id) in chunk.entries.iter().zip(ids) {
        lines += &format!("{{\"entry\":{entry}}}\n");
        if let Some(detail) = journal.detail(id) {
            lines += &format!("{{\"detail\":{{\"id\":{id},\"detail\":{detail}}}}}\n");
        }
        if lines.len() >= WRITE_BYTES {
            file.write(lines.as_bytes());
            lines.clear();
        }
    }
    file.write(lines.as_bytes());
    Progress {
        last_id: chunk.last_id,
        missing: progress.missing + chunk.dropped,
    }
}

fn json_line(line: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    Ok(text)
}

fn failure(path: &Path) -> String {
    format!("cannot write the recording {}", path.display())
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;
    use std::time::Duration;

    use serde_json::{Value, json};
    use tokio::time::advance;

    use super::super::fault_spec::FaultSpec;
    use super::super::output::{Output, OutputStyle};
    use super::super::recording::{Recording, RecordingHeader};
    use super::Recorder;
    use crate::invocation::InvocationSpec;
    use crate::journal::{Entry, Journal};

    fn named(trace_id: &str) -> InvocationSpec {
        InvocationSpec {
            trace_id: Some(trace_id.to_owned()),
            ..InvocationSpec::default()
        }
    }

    fn header() -> RecordingHeader {
        RecordingHeader::new(vec!["extensionA.sh".to_owned()], None, false)
    }

    fn lines(path: &Path) -> Vec<Value> {
        let text = std::fs::read_to_string(path).unwrap();
        let parse = |line| serde_json::from_str(line).unwrap();
        text.lines().map(parse).collect()
    }

    fn output_with(journal: &Arc<Journal>) -> Arc<Output> {
        let output = Output::new(OutputStyle::Json, false);
        Arc::new(output.with_journal(Some(Arc::clone(journal))))
    }

    #[tokio::test(start_paused = true)]
    async fn invocations_round_trip() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("recording");
        let scripts = vec!["extensionA.sh".to_owned()];
        let faults = FaultSpec {
            spec: "freeze=0.5".to_owned(),
            seed: 7,
        };
        let header = RecordingHeader::new(scripts, Some(faults), true);
        let mut recorder = Recorder::create(&path, &header).unwrap();
        // The first invocation is at 0 even if it is sent late.
        for (trace_id, pause) in [("a", 1_000), ("b", 1_500)] {
            advance(Duration::from_millis(pause)).await;
            recorder.record(named(trace_id));
        }
        let Recording {
            header,
            invocations,
        } = Recording::read(&path).unwrap();
        assert_eq!(header.scripts, ["extensionA.sh"]);
        assert_eq!(header.fault.as_deref(), Some("freeze=0.5"));
        assert_eq!((header.seed, header.freeze), (Some(7), true));
        let invocations: Vec<_> = invocations
            .iter()
            .map(|(at, spec)| (at.as_millis(), spec.trace_id.as_deref()))
            .collect();
        assert_eq!(invocations, [(0, Some("a")), (1_500, Some("b"))]);
    }

    #[tokio::test]
    async fn journal_is_recorded_with_its_details() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("recording");
        let journal = Arc::new(Journal::new());
        journal.start_session("dev", &[], "synthetic", &[]);
        let mut recorder = Recorder::create(&path, &header()).unwrap();
        recorder.write_journal(&output_with(&journal));
        let long = "x".repeat(100_000);
        for i in 0..100 {
            recorder.record(named(&i.to_string()));
            let entry = Entry::Warning {
                message: "a\nline\u{2028}",
            };
            let detail = json!({ "text": long });
            journal.add_with_detail(std::time::Instant::now(), entry, &detail);
            tokio::task::yield_now().await;
        }
        journal.add_now(Entry::Thawed);
        recorder.finish().await.unwrap();

        let lines = lines(&path);
        let entries = lines.iter().filter_map(|line| line.get("entry"));
        let ids: Vec<_> = entries.map(|entry| entry["id"].as_u64().unwrap()).collect();
        assert_eq!(ids, (1..=102).collect::<Vec<_>>());
        let details = lines.iter().filter_map(|line| line.get("detail"));
        let ids: Vec<_> = details
            .map(|detail| {
                assert_eq!(detail["detail"]["text"], *long);
                detail["id"].as_u64().unwrap()
            })
            .collect();
        assert_eq!(ids, (2..=101).collect::<Vec<_>>());
        assert_eq!(Recording::read(&path).unwrap().invocations.len(), 100);
    }

    #[tokio::test]
    async fn invocation_does_not_wait_for_a_slow_disk() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("recording");
        let mut recorder = Recorder::create(&path, &header()).unwrap();
        let file = Arc::clone(&recorder.file);
        // Another thread is writing.
        let state = file.lock();
        recorder.record(named("a"));
        recorder.record(named("b"));
        assert_eq!(lines(&path).len(), 1);
        drop(state);
        recorder.record(named("c"));
        let trace_ids = |path| -> Vec<_> {
            let lines = lines(path).into_iter().skip(1);
            lines.map(|line| line["trace_id"].clone()).collect()
        };
        assert_eq!(trace_ids(&path), ["a", "b", "c"]);
        let state = file.lock();
        recorder.record(named("d"));
        drop(state);
        recorder.finish().await.unwrap();
        assert_eq!(trace_ids(&path), ["a", "b", "c", "d"]);
    }

    #[tokio::test]
    async fn full_disk_makes_the_recording_incomplete() {
        let mut recorder = match std::fs::exists("/dev/full") {
            Ok(true) => Recorder::create(Path::new("/dev/null"), &header()).unwrap(),
            _ => return,
        };
        let full = std::fs::File::options().write(true).open("/dev/full");
        recorder.file.lock().file = Some(full.unwrap());
        let journal = Arc::new(Journal::new());
        journal.start_session("dev", &[], "synthetic", &[]);
        recorder.write_journal(&output_with(&journal));
        // Neither of them waits or fails.
        recorder.record(named("a"));
        recorder.record(named("b"));
        let error = recorder.finish().await.unwrap_err().to_string();
        assert_eq!(error, "the recording /dev/null is incomplete");
    }

    #[test]
    fn full_disk_is_an_error_from_the_start() {
        if let Ok(true) = std::fs::exists("/dev/full") {
            let error = Recorder::create(Path::new("/dev/full"), &header()).err();
            let error = format!("{:#}", error.unwrap());
            assert!(error.starts_with("cannot write the recording /dev/full: No space"));
        }
    }
}
