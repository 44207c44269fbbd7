//! Builds the extensions again when a file is saved or the user asks for it, and then boots another instance.

use std::collections::BTreeSet;
use std::future::pending;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::task::JoinHandle;

use super::super::event::DevEvent;
use super::super::saved_files::Changes;
use super::super::watch_set::WatchSet;
use super::DevLoop;
use crate::boot::BootSet;
use crate::invocation::millis;
use crate::journal::Entry;

/// A build that runs in the background.
pub(super) struct PendingBuild {
    start: Instant,
    /// Returns when the build has finished, too.
    task: JoinHandle<(anyhow::Result<BootSet>, Instant)>,
    cause: BuildCause,
}

/// A build that has finished.
pub(super) struct FinishedBuild {
    start: Instant,
    duration: Duration,
    outcome: anyhow::Result<BootSet>,
    cause: BuildCause,
}

#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum BuildCause {
    /// A file was saved; the extensions are booted again if a program has changed.
    Save,
    /// A key was pressed; the extensions are booted again even if no program has changed.
    Key,
}

impl DevLoop {
    pub(super) fn handle_changes(&mut self, written: BTreeSet<PathBuf>) {
        // After a failure, saving a file again without a change is a request to try again.
        let any = self.instance.is_none() || self.last_build_failed;
        let paths = match self.saved_files.changes(written, any) {
            Changes::None => return,
            Changes::Saved(paths) => paths,
            Changes::Repeated(paths) => {
                let paths = relative(&paths).join(", ");
                self.output.warn(&format!(
                    "not building again: each build changes {paths}; to build, save a file or press r"
                ));
                return;
            }
        };
        let paths = relative(&paths);
        self.output.emit(DevEvent::Changed { paths });
        // Watch for deleted files too: if their absence fails the build, restoring them must cause another build.
        self.watch_files();
        self.start_build(BuildCause::Save);
    }

    pub(super) fn start_build(&mut self, cause: BuildCause) {
        if self.pending_build.is_none() {
            self.saved_files.build_started();
            let rebuild = Arc::clone(&self.rebuild);
            let start = Instant::now();
            let task = tokio::task::spawn_blocking(move || (rebuild(), Instant::now()));
            self.pending_build = Some(PendingBuild { start, task, cause });
        }
    }

    pub(super) async fn handle_build(&mut self, build: FinishedBuild) -> anyhow::Result<()> {
        self.saved_files.build_finished();
        self.last_build_failed = build.outcome.is_err();
        if let Some(journal) = self.output.journal() {
            let outcome = match &build.outcome {
                Ok(boot_set) if boot_set.is_same_as(&self.boot_set) => "unchanged",
                Ok(_) => "new",
                Err(_) => "failed",
            };
            let d = millis(build.duration);
            journal.add(build.start, Entry::Build { d, outcome });
        }
        let boot_set = match build.outcome {
            Ok(boot_set) => boot_set,
            Err(error) => {
                let consequence = match self.instance {
                    None => "",
                    Some(_) => "; the current instance keeps running",
                };
                let message = format!("{error:#}{consequence}");
                self.output.emit(DevEvent::Failed { message });
                return Ok(());
            }
        };
        let is_same = boot_set.is_same_as(&self.boot_set) && build.cause == BuildCause::Save;
        if is_same && self.instance.is_some() {
            self.output.emit(DevEvent::Unchanged);
            return Ok(());
        }
        // Shut the old instance down first: the new one needs its ports, and replacing the boot set deletes the files
        // that the old one was unpacked into.
        self.shut_down_instance().await?;
        self.boot_set = boot_set;
        self.watch_files();
        self.boot().await
    }

    pub(super) fn watch_files(&mut self) {
        let Some(file_watcher) = &mut self.file_watcher else {
            return;
        };
        let function = self.config.function.as_ref();
        let function = function.map(|function| function.path.as_path());
        let watch_set = WatchSet::new(&self.boot_set, function);
        if let Err(error) = file_watcher.watch(watch_set) {
            // For instance, other processes may use up the limit of watches. Everything else works without watching.
            let warning = format!("saving a file does not cause a rebuild: {error:#}");
            self.output.warn(&warning);
            self.file_watcher = None;
            return;
        }
        self.saved_files.add(file_watcher.files());
    }
}

/// Returns the paths as a user writes them in the current directory.
fn relative(paths: &BTreeSet<PathBuf>) -> Vec<String> {
    let here = std::env::current_dir().unwrap_or_default();
    let relative = |path: &PathBuf| {
        let relative: &Path = path.strip_prefix(&here).unwrap_or(path);
        relative.display().to_string()
    };
    paths.iter().map(relative).collect()
}

/// Waits until the build has finished; forever if there is none.
pub(super) async fn finished(pending_build: &mut Option<PendingBuild>) -> FinishedBuild {
    let Some(PendingBuild { start, task, cause }) = pending_build else {
        return pending().await;
    };
    let (outcome, end) = match task.await.context("the build was aborted") {
        Ok(finished) => finished,
        Err(error) => (Err(error), Instant::now()),
    };
    let build = FinishedBuild {
        start: *start,
        duration: end.duration_since(*start),
        outcome,
        cause: *cause,
    };
    *pending_build = None;
    build
}
