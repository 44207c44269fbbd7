//! The journal: what happened in a run of `dev` or `check`, as the page shows it and a recording stores it.

mod entry;
mod text;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use serde::Serialize;
use tokio::sync::watch;

pub(crate) use self::entry::{CaseReport, Entry, ExtensionSpan, FunctionSpan};
pub(crate) use self::text::{Body, MAX_LINE, cut, excerpt};
use crate::invocation::millis;

/// The memory for entries. If they need more, the oldest ones are dropped.
const ENTRY_BYTES: usize = 64 * 1024 * 1024;
/// The memory for details. If they need more, the oldest ones are dropped; their entries remain.
const DETAIL_BYTES: usize = 64 * 1024 * 1024;

/// What happened since the start of a command, in the order in which it was reported. It is bounded by bytes.
pub(crate) struct Journal {
    start: Instant,
    /// The time of the start.
    epoch: SystemTime,
    session: String,
    stored: Mutex<Stored>,
    /// The ID of the last entry.
    last: watch::Sender<u64>,
}

#[derive(Default)]
struct Stored {
    entries: Ring,
    details: Ring,
    last_id: u64,
}

/// JSON texts with increasing IDs.
#[derive(Default)]
struct Ring {
    texts: VecDeque<(u64, Arc<str>)>,
    bytes: usize,
}

/// Some consecutive entries.
pub(crate) struct Chunk {
    /// JSON objects.
    pub(crate) entries: Vec<Arc<str>>,
    /// The ID of the last one, or the one that was asked for if there is none.
    pub(crate) last_id: u64,
    /// How many older entries have been dropped.
    pub(crate) dropped: u64,
}

#[derive(Serialize)]
struct Line<'a> {
    id: u64,
    /// Milliseconds since the start of the journal.
    t: f64,
    #[serde(flatten)]
    entry: Entry<'a>,
}

impl Journal {
    pub(crate) fn new() -> Self {
        Self {
            start: Instant::now(),
            epoch: SystemTime::now(),
            session: uuid::Uuid::new_v4().to_string(),
            stored: Mutex::default(),
            last: watch::Sender::new(0),
        }
    }

    /// Returns the random ID that distinguishes this journal from others.
    pub(crate) fn session(&self) -> &str {
        &self.session
    }

    /// Adds the first entry.
    pub(crate) fn start_session(
        &self,
        command: &str,
        scripts: &[String],
        function: &str,
        faults: &[(String, &str)],
    ) {
        self.add_session(command, scripts, function, faults, None);
    }

    /// Adds the first entry of a `check` of so many cases.
    pub(crate) fn start_check(&self, cases: usize) {
        self.add_session("check", &[], "synthetic", &[], Some(cases));
    }

    fn add_session(
        &self,
        command: &str,
        scripts: &[String],
        function: &str,
        faults: &[(String, &str)],
        cases: Option<usize>,
    ) {
        let directory = std::env::current_dir().unwrap_or_default();
        let epoch = self.epoch.duration_since(SystemTime::UNIX_EPOCH);
        let entry = Entry::Session {
            session: &self.session,
            command,
            epoch_ms: u64::try_from(epoch.unwrap_or_default().as_millis()).unwrap_or(u64::MAX),
            version: env!("CARGO_PKG_VERSION"),
            directory: &directory.display().to_string(),
            scripts,
            function,
            faults,
            cases,
        };
        self.add(self.start, entry);
    }

    /// Adds an entry about something that happened, or started, at `at`. Returns its ID.
    pub(crate) fn add(&self, at: Instant, entry: Entry<'_>) -> u64 {
        self.add_json(at, entry, None)
    }

    /// Adds an entry about something that has just happened.
    pub(crate) fn add_now(&self, entry: Entry<'_>) {
        self.add(Instant::now(), entry);
    }

    /// Adds an entry with further data, which is read with [`detail`](Self::detail) when it is needed.
    pub(crate) fn add_with_detail(
        &self,
        at: Instant,
        entry: Entry<'_>,
        detail: &impl Serialize,
    ) -> u64 {
        // Strings and numbers can always be serialized.
        self.add_json(at, entry, serde_json::to_string(detail).ok())
    }

    fn add_json(&self, at: Instant, entry: Entry<'_>, detail: Option<String>) -> u64 {
        let mut stored = self.stored();
        stored.last_id += 1;
        let id = stored.last_id;
        let line = Line {
            id,
            t: millis(at.saturating_duration_since(self.start)),
            entry,
        };
        let text = serde_json::to_string(&line).unwrap_or_default();
        stored.entries.push(id, text.into(), ENTRY_BYTES);
        if let Some(detail) = detail {
            stored.details.push(id, detail.into(), DETAIL_BYTES);
        }
        drop(stored);
        self.last.send_replace(id);
        id
    }

    /// Returns the entries after the one with this ID: as many as fit into `max_bytes`, but at least one if there is one.
    pub(crate) fn read_after(&self, id: u64, max_bytes: usize) -> Chunk {
        let stored = self.stored();
        let texts = &stored.entries.texts;
        let first = texts.partition_point(|(other, _)| *other <= id);
        let mut bytes = 0;
        let entries: Vec<_> = texts
            .range(first..)
            .take_while(|(_, text)| {
                let is_first = bytes == 0;
                bytes += text.len();
                is_first || bytes <= max_bytes
            })
            .map(|(_, text)| Arc::clone(text))
            .collect();
        let oldest = texts.front().map_or(stored.last_id + 1, |(id, _)| *id);
        Chunk {
            last_id: match entries.len() {
                0 => id,
                count => texts[first + count - 1].0,
            },
            entries,
            dropped: oldest.saturating_sub(id + 1),
        }
    }

    /// Returns the details of an entry as JSON, unless it has none or they have been dropped.
    pub(crate) fn detail(&self, id: u64) -> Option<Arc<str>> {
        let stored = self.stored();
        let texts = &stored.details.texts;
        let index = texts.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        Some(Arc::clone(&texts[index].1))
    }

    /// Waits until there is an entry after the one with this ID.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe.
    pub(crate) async fn wait_after(&self, id: u64) {
        let mut last = self.last.subscribe();
        // The sender is not dropped while it is borrowed.
        let _ = last.wait_for(|last| *last > id).await;
    }

    /// Returns the time since the start of the journal.
    pub(crate) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    fn stored(&self) -> MutexGuard<'_, Stored> {
        self.stored.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    fn push(&mut self, id: u64, text: Arc<str>, limit: usize) {
        self.bytes += text.len();
        self.texts.push_back((id, text));
        while self.bytes > limit && self.texts.len() > 1 {
            if let Some((_, text)) = self.texts.pop_front() {
                self.bytes -= text.len();
            }
        }
    }
}
