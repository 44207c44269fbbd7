//! Decides which changed files have to be built: not those that the build itself writes, or whose contents are the same.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::cargo::build_script_finished_for;

/// How many builds in a row may be caused by a file that changed during the build before. A file that changes in every
/// build is written by the build; a user does not save the same file that often while the program is being built.
const MAX_REPEATS: u32 = 5;

/// The contents of the watched files, and the times of the last build.
pub(super) struct SavedFiles {
    contents: BTreeMap<PathBuf, Contents>,
    build_start: SystemTime,
    build_end: SystemTime,
    /// The files that changed during each of the last builds.
    repeated: BTreeSet<PathBuf>,
    repeats: u32,
}

/// What has to be done about changed files.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Changes {
    /// No build is needed.
    None,
    /// These files were saved, so a build is needed.
    Saved(BTreeSet<PathBuf>),
    /// These files change during every build, so another one would not be the last one.
    Repeated(BTreeSet<PathBuf>),
}

/// The contents of a path.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Contents {
    Missing,
    Directory,
    /// A file whose bytes have this hash.
    File(u64),
}

impl SavedFiles {
    /// Creates the state after a build that started at this time and has just finished.
    pub(super) fn after_build(start: SystemTime) -> Self {
        Self {
            contents: BTreeMap::new(),
            build_start: start,
            build_end: SystemTime::now(),
            repeated: BTreeSet::new(),
            repeats: 0,
        }
    }

    /// Adds files that have not been watched so far, with their current contents.
    pub(super) fn add(&mut self, files: BTreeSet<PathBuf>) {
        for file in files {
            let contents = &mut self.contents;
            contents
                .entry(file)
                .or_insert_with_key(|file| Contents::of(file));
        }
    }

    pub(super) fn build_started(&mut self) {
        self.build_start = SystemTime::now();
        // Until it has finished, it contains what is written to the files.
        self.build_end = self.build_start;
    }

    pub(super) fn build_finished(&mut self) {
        self.build_end = SystemTime::now();
    }

    /// Returns the files that changed during the first build, after the compiler may have read them.
    pub(super) fn changed_during_build(&self) -> BTreeSet<PathBuf> {
        let changed = self.contents.keys().filter(|file| {
            // cargo writes the lockfile of a new package before it compiles the package.
            !file.ends_with("Cargo.lock")
                && modified(file)
                    .is_some_and(|at| self.is_during_build(at) && !self.is_built(file, at))
        });
        changed.cloned().collect()
    }

    /// Returns what has to be done about files that were written. With `any`, files with the same contents as before count
    /// too, because the user wants the build or the boot to be repeated.
    pub(super) fn changes(&mut self, written: BTreeSet<PathBuf>, any: bool) -> Changes {
        let saved: BTreeSet<_> = written
            .into_iter()
            .filter(|file| self.needs_build(file, any))
            .collect();
        if saved.is_empty() {
            return Changes::None;
        }
        let during_build =
            |file: &PathBuf| modified(file).is_some_and(|at| self.is_during_build(at));
        if !saved.iter().all(during_build) {
            self.repeats = 0;
            self.repeated.clear();
            return Changes::Saved(saved);
        }
        let repeated: BTreeSet<_> = saved.intersection(&self.repeated).cloned().collect();
        if repeated.is_empty() {
            self.repeats = 0;
            self.repeated.clone_from(&saved);
        } else {
            self.repeated = repeated;
        }
        self.repeats += 1;
        if self.repeats > MAX_REPEATS {
            self.repeats = 0;
            return Changes::Repeated(std::mem::take(&mut self.repeated));
        }
        Changes::Saved(saved)
    }

    fn needs_build(&mut self, file: &Path, any: bool) -> bool {
        let contents = Contents::of(file);
        let previous = self.contents.insert(file.to_owned(), contents);
        let modified = modified(file);
        if modified.is_some_and(|at| self.is_built(file, at)) {
            return false;
        }
        // A file that was changed and restored during a build may have been read in between.
        any || previous.unwrap_or(Contents::Missing) != contents
            || modified.is_some_and(|at| self.is_during_build(at))
    }

    fn is_during_build(&self, modified: SystemTime) -> bool {
        (self.build_start..=self.build_end).contains(&modified)
    }

    /// Returns whether the last build contains what was written to the file at this time, whoever wrote it: the compiler
    /// reads the sources of a package after its build script has finished.
    fn is_built(&self, file: &Path, modified: SystemTime) -> bool {
        let finished = build_script_finished_for(file);
        self.is_during_build(modified) && finished.is_some_and(|finished| modified <= finished)
    }
}

impl Contents {
    fn of(path: &Path) -> Self {
        if path.is_dir() {
            return Self::Directory;
        }
        let Ok(bytes) = fs::read(path) else {
            return Self::Missing;
        };
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        Self::File(hasher.finish())
    }
}

/// Returns when a file was last written, and `None` for a directory or if there is no file.
fn modified(path: &Path) -> Option<SystemTime> {
    let metadata = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
    metadata.modified().ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs::{self, File};
    use std::path::{Path, PathBuf};
    use std::time::{Duration, SystemTime};

    use super::{Changes, MAX_REPEATS, SavedFiles};

    /// A build that ran from 10 to 20, and the contents of one file, written at 0.
    fn after_build(file: &Path) -> SavedFiles {
        write(file, "one", 0);
        let mut saved_files = SavedFiles::after_build(at(10));
        saved_files.build_end = at(20);
        saved_files.add(set(file));
        saved_files
    }

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 + seconds)
    }

    fn write(file: &Path, text: &str, seconds: u64) {
        fs::write(file, text).unwrap();
        let file = File::options().append(true).open(file).unwrap();
        file.set_modified(at(seconds)).unwrap();
    }

    fn set(file: &Path) -> BTreeSet<PathBuf> {
        [file.to_owned()].into()
    }

    #[test]
    fn only_new_contents_are_built() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("main.rs");
        let mut saved_files = after_build(&file);
        let saved = Changes::Saved(set(&file));
        write(&file, "one", 30);
        assert_eq!(saved_files.changes(set(&file), false), Changes::None);
        assert_eq!(saved_files.changes(set(&file), true), saved);
        write(&file, "two", 31);
        assert_eq!(saved_files.changes(set(&file), false), saved);
        assert_eq!(saved_files.changes(set(&file), false), Changes::None);
        fs::remove_file(&file).unwrap();
        assert_eq!(saved_files.changes(set(&file), false), saved);
        // For instance, a temporary file of an editor.
        assert_eq!(saved_files.changes(set(&file), false), Changes::None);
    }

    #[test]
    fn change_during_a_build_is_built_even_if_it_was_undone() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("main.rs");
        let mut saved_files = after_build(&file);
        assert!(saved_files.changed_during_build().is_empty());
        write(&file, "one", 15);
        assert_eq!(saved_files.changed_during_build(), set(&file));
        let saved = Changes::Saved(set(&file));
        assert_eq!(saved_files.changes(set(&file), false), saved);
    }

    #[test]
    fn file_that_changes_during_every_build_is_reported() {
        let directory = tempfile::tempdir().unwrap();
        let [file, other] = ["main.rs", "other.rs"].map(|name| directory.path().join(name));
        let mut saved_files = after_build(&file);
        write(&file, "two", 15);
        for _ in 0..MAX_REPEATS {
            let saved = Changes::Saved(set(&file));
            assert_eq!(saved_files.changes(set(&file), false), saved);
        }
        let repeated = Changes::Repeated(set(&file));
        assert_eq!(saved_files.changes(set(&file), false), repeated);

        // A file that is saved after the build causes one.
        for _ in 0..MAX_REPEATS {
            saved_files.changes(set(&file), false);
        }
        write(&other, "x", 30);
        let both: BTreeSet<_> = [file.clone(), other].into();
        let saved = Changes::Saved(both.clone());
        assert_eq!(saved_files.changes(both, false), saved);
        let saved = Changes::Saved(set(&file));
        assert_eq!(saved_files.changes(set(&file), false), saved);
    }
}
