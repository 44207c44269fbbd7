//! The journal: what happened in a run of `dev` or `check`, as the page shows it and a recording stores it.

mod entry;
mod text;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime};

use serde::Serialize;
use tokio::sync::watch;

pub(crate) use self::entry::{CaseReport, Entry, ExtensionSpan, FunctionSpan};
pub(crate) use self::text::{Body, MAX_LINE, cut, excerpt};
use crate::invocation::millis;

/// The memory for entries. If they need more, the oldest ones are dropped, but not the first, which says what was run.
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

struct Stored {
    entries: Ring,
    details: Ring,
    last_id: u64,
}

/// JSON texts with increasing IDs.
struct Ring {
    texts: VecDeque<(u64, Arc<str>)>,
    bytes: usize,
    max_bytes: usize,
    /// How many of the first texts are never dropped.
    kept: usize,
}

/// Some consecutive entries. If older ones have been dropped, they can follow the first entry of the journal.
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
        Self::with_limits(ENTRY_BYTES, DETAIL_BYTES)
    }

    fn with_limits(entry_bytes: usize, detail_bytes: usize) -> Self {
        Self {
            start: Instant::now(),
            epoch: SystemTime::now(),
            session: uuid::Uuid::new_v4().to_string(),
            stored: Mutex::new(Stored {
                entries: Ring::new(entry_bytes, 1),
                details: Ring::new(detail_bytes, 0),
                last_id: 0,
            }),
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
        stored.entries.push(id, text.into());
        if let Some(detail) = detail {
            stored.details.push(id, detail.into());
        }
        drop(stored);
        // Another thread may have added the next entry already.
        self.last.send_modify(|last| *last = id.max(*last));
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
        // The first entry is never dropped.
        let oldest = texts.get(1).map_or(stored.last_id + 1, |(id, _)| *id);
        Chunk {
            last_id: match entries.len() {
                0 => id,
                count => texts[first + count - 1].0,
            },
            entries,
            dropped: oldest.saturating_sub(id.max(1) + 1),
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

    fn stored(&self) -> MutexGuard<'_, Stored> {
        self.stored.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    fn new(max_bytes: usize, kept: usize) -> Self {
        Self {
            texts: VecDeque::new(),
            bytes: 0,
            max_bytes,
            kept,
        }
    }

    /// Adds a text, and drops old ones. The new one is stored even if it is larger than the limit.
    fn push(&mut self, id: u64, text: Arc<str>) {
        self.bytes += text.len();
        self.texts.push_back((id, text));
        while self.bytes > self.max_bytes && self.texts.len() > self.kept + 1 {
            if let Some((_, text)) = self.texts.remove(self.kept) {
                self.bytes -= text.len();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use serde_json::{Value, json};

    use super::{Entry, Journal};

    fn add(journal: &Journal, message: &str) -> u64 {
        let entry = Entry::Warning { message };
        journal.add_with_detail(Instant::now(), entry, &json!({"text": message}))
    }

    fn messages(journal: &Journal, id: u64, max_bytes: usize) -> (Vec<String>, u64, u64) {
        let chunk = journal.read_after(id, max_bytes);
        let message = |entry: &std::sync::Arc<str>| {
            let entry: Value = serde_json::from_str(entry).unwrap();
            entry["message"].as_str().unwrap_or_default().to_owned()
        };
        let messages = chunk.entries.iter().map(message).collect();
        (messages, chunk.last_id, chunk.dropped)
    }

    #[test]
    fn entries_are_json_objects_with_id_and_time() {
        let journal = Journal::new();
        journal.start_session("dev", &["extensionA.sh".to_owned()], "synthetic", &[]);
        let at = journal.start + Duration::from_micros(1_234_567);
        assert_eq!(journal.add(at, Entry::Frozen), 2);
        // What happened before the start happened at the start.
        let before = journal.start.checked_sub(Duration::from_secs(1)).unwrap();
        journal.add(before, Entry::Boot { instance: 1 });
        let entries: Vec<Value> = journal
            .read_after(0, usize::MAX)
            .entries
            .iter()
            .map(|entry| serde_json::from_str(entry).unwrap())
            .collect();
        assert_eq!(entries[0]["session"], journal.session());
        assert_eq!(entries[0]["scripts"], json!(["extensionA.sh"]));
        assert_eq!(
            entries[1..],
            [
                json!({"id": 2, "t": 1234.567, "kind": "frozen"}),
                json!({"id": 3, "t": 0.0, "kind": "boot", "instance": 1}),
            ]
        );
        assert_ne!(Journal::new().session(), journal.session());
    }

    #[test]
    fn entries_are_read_in_chunks() {
        let journal = Journal::new();
        assert_eq!(messages(&journal, 0, usize::MAX), (vec![], 0, 0));
        for message in ["a", "b", "c"] {
            add(&journal, message);
        }
        let length = journal.read_after(0, 0).entries[0].len();
        let text = |messages: &[&str]| messages.iter().map(ToString::to_string).collect();
        // One entry is returned even if it does not fit.
        assert_eq!(messages(&journal, 0, 0), (text(&["a"]), 1, 0));
        // The length of `t` can differ.
        assert_eq!(messages(&journal, 1, length + 10), (text(&["b"]), 2, 0));
        assert_eq!(messages(&journal, 1, 3 * length), (text(&["b", "c"]), 3, 0));
        assert_eq!(messages(&journal, 3, usize::MAX), (vec![], 3, 0));
    }

    #[test]
    fn memory_is_bounded_and_the_first_entry_kept() {
        const LIMIT: usize = 10_000;
        let journal = Journal::with_limits(LIMIT, LIMIT);
        add(&journal, "first");
        let long = "x".repeat(100);
        for i in 2..=1000 {
            assert_eq!(add(&journal, &format!("{long} {i}")), i);
            let stored = journal.stored();
            assert!(stored.entries.bytes <= LIMIT && stored.details.bytes <= LIMIT);
        }
        let (first, _, dropped) = messages(&journal, 0, usize::MAX);
        assert_eq!(first[0], "first");
        assert!(first.len() > 10, "{}", first.len());
        assert_eq!(first.len() as u64 + dropped, 1000);
        // A reader that has read some of the dropped entries misses the others.
        assert_eq!(messages(&journal, 500, 0).2, dropped - 499);
        assert_eq!(messages(&journal, 999, 0).2, 0);

        assert_eq!(journal.detail(1), None);
        assert!(journal.detail(1000).unwrap().contains("1000"));
        assert_eq!(journal.detail(1001), None);
        // A single one that exceeds the limit is stored.
        add(&journal, &"x".repeat(2 * LIMIT));
        assert_eq!(messages(&journal, 0, usize::MAX).0.len(), 2);
        assert!(journal.detail(1001).is_some() && journal.detail(1000).is_none());
    }

    #[tokio::test]
    async fn readers_wait_for_the_next_entry() {
        let journal = std::sync::Arc::new(Journal::new());
        let waiting = std::sync::Arc::clone(&journal);
        let wait = tokio::spawn(async move { waiting.wait_after(1).await });
        add(&journal, "1");
        tokio::task::yield_now().await;
        assert!(!wait.is_finished());
        add(&journal, "2");
        wait.await.unwrap();
        // It is there already.
        journal.wait_after(1).await;
    }
}
