//! Decides which changed files have to be built: not those whose contents are the same, or that every build writes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// How many builds in a row may be caused by a file that changed during the build before. A file that changes in every
/// build is written by the build; a user does not save the same file that often while the program is being built.
const MAX_REPEATS: u32 = 5;

/// How many builds in a row may be caused by files that changed during the build before, even if they are different files
/// each time. It is higher, since a user may save that many files during builds.
const MAX_CHAINED_BUILDS: u32 = 20;

/// The contents of the watched files, and the times of the last build.
///
/// A file that changes during a build may have been saved by the user or written by the build, before or after the compiler
/// read it. So it causes another build, and the way in which it changes in that one shows whether the build writes it.
pub(super) struct SavedFiles {
    contents: BTreeMap<PathBuf, Contents>,
    build_start: SystemTime,
    build_end: SystemTime,
    /// The files that changed during each of the last builds.
    repeated: BTreeSet<PathBuf>,
    repeats: u32,
    /// How many builds in a row were caused by changes during the build before.
    chained_builds: u32,
    /// The files that builds write.
    written: BTreeMap<PathBuf, WrittenContents>,
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

/// What a build writes to a file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum WrittenContents {
    /// The same contents as the build before, so only other contents can come from the user.
    Same,
    /// Other contents than the build before. What a user writes at the same time does not last.
    Different,
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
            chained_builds: 0,
            written: BTreeMap::new(),
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

    /// Returns the files that changed during the first build, which may have read them before.
    pub(super) fn changed_during_build(&self) -> BTreeSet<PathBuf> {
        let changed = self.contents.keys().filter(|file| {
            // cargo writes the lockfile of a new package before it compiles the package.
            !file.ends_with("Cargo.lock") && self.is_during_build(file)
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
        if !saved.iter().all(|file| self.is_during_build(file)) {
            self.forget_repeats();
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
        self.chained_builds += 1;
        if self.repeats > MAX_REPEATS || self.chained_builds > MAX_CHAINED_BUILDS {
            let repeated = std::mem::take(&mut self.repeated);
            self.forget_repeats();
            let different = |file: &PathBuf| (file.clone(), WrittenContents::Different);
            self.written.extend(repeated.iter().map(different));
            return Changes::Repeated(repeated);
        }
        Changes::Saved(saved)
    }

    fn forget_repeats(&mut self) {
        self.repeats = 0;
        self.chained_builds = 0;
        self.repeated.clear();
    }

    fn needs_build(&mut self, file: &Path, any: bool) -> bool {
        let contents = Contents::of(file);
        let previous = self.contents.insert(file.to_owned(), contents);
        let is_same = previous.unwrap_or(Contents::Missing) == contents;
        if !self.is_during_build(file) {
            if !is_same {
                // The user edits it.
                self.written.remove(file);
            }
            return any || !is_same;
        }
        if is_same && self.repeated.contains(file) {
            // The last build was caused by these contents, and this build has written the same.
            self.written.insert(file.to_owned(), WrittenContents::Same);
        }
        match self.written.get(file) {
            // A file that was changed and restored during a build may have been read in between.
            None => true,
            Some(WrittenContents::Same) => !is_same,
            Some(WrittenContents::Different) => false,
        }
    }

    /// Returns whether the file was last written during the last build.
    fn is_during_build(&self, file: &Path) -> bool {
        modified(file).is_some_and(|at| (self.build_start..=self.build_end).contains(&at))
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

/// Returns when a file was last written, and `None` for a directory or a missing file.
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

    use super::{Changes, MAX_CHAINED_BUILDS, MAX_REPEATS, SavedFiles};

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
        for build in 0..MAX_REPEATS {
            write(&file, &build.to_string(), 15);
            let saved = Changes::Saved(set(&file));
            assert_eq!(saved_files.changes(set(&file), false), saved);
        }
        let repeated = Changes::Repeated(set(&file));
        write(&file, "last", 15);
        assert_eq!(saved_files.changes(set(&file), false), repeated);

        // It is known from then on, but other files are not.
        let mut build = |written: BTreeSet<PathBuf>| saved_files.changes(written, false);
        write(&file, "three", 16);
        assert_eq!(build(set(&file)), Changes::None);
        write(&other, "x", 17);
        let both: BTreeSet<_> = [file.clone(), other.clone()].into();
        assert_eq!(build(both), Changes::Saved(set(&other)));

        // A file that is saved after the build causes one, and is the user's again.
        write(&file, "four", 30);
        assert_eq!(build(set(&file)), Changes::Saved(set(&file)));
        write(&file, "five", 18);
        assert_eq!(build(set(&file)), Changes::Saved(set(&file)));
    }

    #[test]
    fn file_that_every_build_writes_with_the_same_contents_causes_one_build() {
        let directory = tempfile::tempdir().unwrap();
        let [file, main] = ["generated.rs", "main.rs"].map(|name| directory.path().join(name));
        let mut saved_files = after_build(&file);
        let mut build = |file: &Path, text: &str, seconds: u64| {
            write(file, text, seconds);
            saved_files.changes(set(file), false)
        };
        assert_eq!(build(&file, "one", 15), Changes::Saved(set(&file)));
        assert_eq!(build(&file, "one", 16), Changes::None);
        assert_eq!(build(&main, "main", 30), Changes::Saved(set(&main)));
        assert_eq!(build(&file, "one", 17), Changes::None);
        // Other contents come from the user, or from a changed input of the build script.
        assert_eq!(build(&file, "two", 18), Changes::Saved(set(&file)));
        assert_eq!(build(&file, "two", 19), Changes::None);
    }

    #[test]
    fn different_files_that_change_during_every_build_are_reported() {
        let directory = tempfile::tempdir().unwrap();
        let mut saved_files = after_build(&directory.path().join("main.rs"));
        let mut build = |index: u32| {
            let file = directory.path().join(format!("{index}.rs"));
            write(&file, "", 15);
            (saved_files.changes(set(&file), false), set(&file))
        };
        for index in 0..MAX_CHAINED_BUILDS {
            let (changes, files) = build(index);
            assert_eq!(changes, Changes::Saved(files));
        }
        let (changes, files) = build(MAX_CHAINED_BUILDS);
        assert_eq!(changes, Changes::Repeated(files));
    }
}
