//! Notices what is saved, of what the extensions are made of.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context;
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::inputs::Inputs;

/// An editor writes a file in several steps, and several files at once.
const QUIET: Duration = Duration::from_millis(100);

/// Dropped, it watches no more.
#[derive(Default)]
pub(crate) struct Watch {
    watcher: Option<RecommendedWatcher>,
    inputs: Arc<Inputs>,
    saved: Arc<Saved>,
}

#[derive(Default)]
struct Saved {
    /// And when the last one came.
    paths: Mutex<Option<(BTreeSet<PathBuf>, Instant)>>,
    more: Notify,
}

impl Watch {
    /// From now on, what is to be noticed is this.
    pub(crate) fn look_at(&mut self, mut inputs: Inputs) -> anyhow::Result<()> {
        inputs.keep_missing(&self.inputs);
        let inputs = Arc::new(inputs);
        let (saved, looked_at) = (Arc::clone(&self.saved), Arc::clone(&inputs));
        let mut watcher =
            notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
                if let Ok(event) = event
                    && !matches!(event.kind, EventKind::Access(_))
                {
                    saved.note(event.paths.into_iter().filter(|path| looked_at.has(path)));
                }
            })
            .context("cannot watch files")?;
        for (folder, recursive) in &inputs.folders {
            let mode = if *recursive {
                RecursiveMode::Recursive
            } else {
                RecursiveMode::NonRecursive
            };
            watcher
                .watch(folder, mode)
                .with_context(|| format!("cannot watch {}", folder.display()))?;
        }
        // Only now: the one before has noticed what was saved meanwhile.
        self.watcher = Some(watcher);
        self.inputs = inputs;
        Ok(())
    }

    /// What was saved since the last time, once it is quiet.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when this is dropped unfinished.
    pub(crate) async fn saved(&self) -> BTreeSet<PathBuf> {
        loop {
            let noticed = self
                .saved
                .lock()
                .take_if(|(_, last)| last.elapsed() >= QUIET);
            if let Some((paths, _)) = noticed {
                return paths;
            }
            let last = self.saved.lock().as_ref().map(|(_, last)| *last);
            match last {
                Some(last) => tokio::time::sleep_until(last + QUIET).await,
                None => self.saved.more.notified().await,
            }
        }
    }
}

impl Saved {
    fn note(&self, paths: impl Iterator<Item = PathBuf>) {
        let mut paths = paths.peekable();
        if paths.peek().is_none() {
            return;
        }
        let mut noted = self.lock();
        let (all, last) = noted.get_or_insert_with(|| (BTreeSet::new(), Instant::now()));
        all.extend(paths);
        *last = Instant::now();
        drop(noted);
        self.more.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Option<(BTreeSet<PathBuf>, Instant)>> {
        self.paths.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
