//! Watches the files of a [`WatchSet`], and reports which of them were saved.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context;
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::watch_set::{WatchDepth, WatchSet};

/// The quiet time after the last change before changes are reported: an editor writes a file in several steps, and may
/// save several files at once.
const DEBOUNCE: Duration = Duration::from_millis(100);

/// A watcher that runs until it is dropped.
#[derive(Default)]
pub(crate) struct FileWatcher {
    watcher: Option<RecommendedWatcher>,
    watch_set: Arc<WatchSet>,
    changes: Arc<Changes>,
}

#[derive(Default)]
struct Changes {
    /// The changed files, and the time at which the last change was noticed.
    paths: Mutex<Option<(BTreeSet<PathBuf>, Instant)>>,
    added: Notify,
}

impl FileWatcher {
    /// Replaces the watched files.
    ///
    /// # Errors
    ///
    /// Returns an error if the operating system rejects a watch, for instance because its limit is reached.
    pub(crate) fn watch(&mut self, mut watch_set: WatchSet) -> anyhow::Result<()> {
        watch_set.keep_missing(&self.watch_set);
        let watch_set = Arc::new(watch_set);
        let (changes, watched) = (Arc::clone(&self.changes), Arc::clone(&watch_set));
        let mut watcher =
            notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
                if let Ok(event) = event
                    && !matches!(event.kind, EventKind::Access(_))
                {
                    changes.add(
                        event
                            .paths
                            .into_iter()
                            .filter(|path| watched.contains(path)),
                    );
                }
            })
            .context("cannot watch files")?;
        for (directory, depth) in &watch_set.directories {
            let mode = match depth {
                WatchDepth::Directory => RecursiveMode::NonRecursive,
                WatchDepth::Tree => RecursiveMode::Recursive,
            };
            watcher
                .watch(directory, mode)
                .with_context(|| format!("cannot watch {}", directory.display()))?;
        }
        // Replace the previous watcher only now, so that it notices files that are saved while the new one starts.
        self.watcher = Some(watcher);
        self.watch_set = watch_set;
        Ok(())
    }

    /// Returns the watched files, including those that are missing.
    pub(crate) fn files(&self) -> BTreeSet<PathBuf> {
        self.watch_set.files()
    }

    /// Waits until files have changed and no further change follows, and returns their paths.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe: no change is lost.
    pub(crate) async fn changed_paths(&self) -> BTreeSet<PathBuf> {
        loop {
            let settled = self
                .changes
                .lock()
                .take_if(|(_, last)| last.elapsed() >= DEBOUNCE);
            if let Some((paths, _)) = settled {
                return paths;
            }
            let last = self.changes.lock().as_ref().map(|(_, last)| *last);
            match last {
                Some(last) => tokio::time::sleep_until(last + DEBOUNCE).await,
                None => self.changes.added.notified().await,
            }
        }
    }
}

impl Changes {
    fn add(&self, paths: impl Iterator<Item = PathBuf>) {
        let mut paths = paths.peekable();
        if paths.peek().is_none() {
            return;
        }
        let mut changes = self.lock();
        let (all, last) = changes.get_or_insert_with(|| (BTreeSet::new(), Instant::now()));
        all.extend(paths);
        *last = Instant::now();
        drop(changes);
        self.added.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Option<(BTreeSet<PathBuf>, Instant)>> {
        self.paths.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
