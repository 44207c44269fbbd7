//! The files and directories that `dev` watches, so that saving one of them causes a rebuild.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

use crate::boot::{BootProgram, BootSet};

/// The files that the extensions are built from, and the directories to watch for them.
#[derive(Debug, Default)]
pub(crate) struct WatchSet {
    /// The directories of the files.
    pub(crate) directories: BTreeSet<(PathBuf, WatchDepth)>,
    files: BTreeSet<PathBuf>,
    /// The file name extensions for which any file in those directories counts, since files may be added.
    extensions: BTreeSet<OsString>,
}

/// How much of a directory is watched.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum WatchDepth {
    /// The files in the directory itself.
    Directory,
    /// The files in the directory and in its subdirectories.
    Tree,
}

impl WatchSet {
    /// Returns the files that the extensions and the function are built from.
    pub(crate) fn new(boot_set: &BootSet, function: Option<&Path>) -> Self {
        let mut watch_set = Self::default();
        for spec in boot_set.iter() {
            match &spec.program {
                BootProgram::Built(built) => watch_set.add_program(&built.path),
                BootProgram::Command(arguments) => {
                    arguments.iter().for_each(|it| watch_set.add_argument(it));
                }
                BootProgram::Unpacked { zip, .. } => watch_set.add_file(zip),
            }
        }
        if let Some(function) = function {
            watch_set.add_file(function);
        }
        watch_set
    }

    /// Adds the files and directories of the previous set that are missing now, since they may come back, for instance
    /// when the user switches between branches.
    pub(crate) fn keep_missing(&mut self, previous: &Self) {
        let directories = previous.directories.iter().map(|(directory, _)| directory);
        for path in previous.files.iter().chain(directories) {
            let missing = path.ancestors().take_while(|path| !path.exists());
            // If it comes back, the first event is the creation of the outermost missing directory.
            if let Some(outermost) = missing.last()
                && let Some(parent) = outermost.parent()
            {
                self.directories
                    .insert((parent.to_owned(), WatchDepth::Directory));
                self.files.extend([path.clone(), outermost.to_owned()]);
            }
        }
    }

    /// Returns whether a change of this file causes a rebuild.
    pub(crate) fn contains(&self, path: &Path) -> bool {
        let is_hidden = path
            .file_name()
            .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        let has_extension = path
            .extension()
            .is_some_and(|extension| self.extensions.contains(extension));
        self.files.contains(path) || (has_extension && !is_hidden)
    }

    /// Returns the watched files, including those that are missing.
    pub(crate) fn files(&self) -> BTreeSet<PathBuf> {
        let mut files = self.files.clone();
        for (directory, depth) in &self.directories {
            self.collect_files(directory, *depth, &mut files);
        }
        files
    }

    fn collect_files(&self, directory: &Path, depth: WatchDepth, files: &mut BTreeSet<PathBuf>) {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let path = entry.path();
            // A symbolic link may lead to a directory that contains it.
            let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if is_directory && depth == WatchDepth::Tree {
                self.collect_files(&path, depth, files);
            } else if !is_directory && self.contains(&path) {
                files.insert(path);
            }
        }
    }

    /// Adds the files that a program was built from. cargo lists them in a dep-info file next to the program: its own
    /// sources, those of its path dependencies, the files that they include, and the files that build scripts read.
    fn add_program(&mut self, program: &Path) {
        let dep_info = fs::read_to_string(program.with_extension("d")).unwrap_or_default();
        let target = program
            .ancestors()
            .find(|directory| directory.join("CACHEDIR.TAG").exists());
        let is_source = |file: &PathBuf| target.is_none_or(|target| !file.starts_with(target));
        for file in dependencies(&dep_info).into_iter().filter(is_source) {
            self.add_file(&file);
            let root = file
                .ancestors()
                .find(|directory| directory.join("Cargo.toml").exists());
            if let Some(root) = root {
                self.add_package(root);
            }
        }
        self.extensions.insert("rs".into());
    }

    fn add_package(&mut self, root: &Path) {
        self.add_file(&root.join("Cargo.toml"));
        let src = root.join("src");
        if let Ok(src) = src.canonicalize() {
            self.directories.insert((src, WatchDepth::Tree));
        }
        // The lockfile and, next to it, the manifest of the workspace.
        if let Some(lock) = root
            .ancestors()
            .map(|directory| directory.join("Cargo.lock"))
            .find(|lock| lock.exists())
        {
            self.add_file(&lock);
            self.add_file(&lock.with_extension("toml"));
        }
    }

    /// Adds an argument of a command if it is the path of a file, and all files next to it with the same file name
    /// extension.
    fn add_argument(&mut self, argument: &str) {
        let path = Path::new(argument);
        if path.is_file() {
            self.add_file(path);
            let extension = path.extension().map(OsStr::to_owned);
            self.extensions.extend(extension);
        }
    }

    fn add_file(&mut self, file: &Path) {
        if let Ok(file) = file.canonicalize()
            && let Some(directory) = file.parent()
        {
            self.directories
                .insert((directory.to_owned(), WatchDepth::Directory));
            self.files.insert(file);
        }
    }
}

/// Returns the dependencies in a make rule, such as `program: one two`. A space in a name is escaped with a backslash.
fn dependencies(rule: &str) -> Vec<PathBuf> {
    let Some((_, names)) = rule.lines().next().and_then(|line| line.split_once(": ")) else {
        return Vec::new();
    };
    let mut files = vec![String::new()];
    let mut chars = names.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, files.last_mut()) {
            ('\\', Some(file)) if chars.peek() == Some(&' ') => {
                chars.next();
                file.push(' ');
            }
            (' ', _) => files.push(String::new()),
            (c, Some(file)) => file.push(c),
            _ => {}
        }
    }
    files.retain(|file| !file.is_empty());
    files.into_iter().map(PathBuf::from).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::{WatchDepth, WatchSet, dependencies};

    #[test]
    fn make_rule_is_split_at_unescaped_spaces() {
        let files = dependencies("/t/debug/a: /b/src/main.rs /c\\ d/e.txt\n\n/f:\n");
        assert_eq!(files, ["/b/src/main.rs", "/c d/e.txt"].map(PathBuf::from));
        assert!(dependencies("").is_empty());
    }

    #[test]
    fn sources_of_a_program_are_watched() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        for file in [
            "Cargo.toml",
            "Cargo.lock",
            "a/Cargo.toml",
            "a/src/main.rs",
            "a/assets/text.txt",
            "a/assets/other.txt",
            "target/CACHEDIR.TAG",
            "target/debug/a",
            "target/debug/build/generated.rs",
        ] {
            let path = root.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let sources = [
            "a/src/main.rs",
            "a/assets/text.txt",
            "target/debug/build/generated.rs",
        ]
        .map(|file| root.join(file).display().to_string());
        let rule = format!("x: {}\n", sources.join(" "));
        fs::write(root.join("target/debug/a.d"), rule).unwrap();

        let mut watch_set = WatchSet::default();
        watch_set.add_program(&root.join("target/debug/a"));
        for (file, expected) in [
            ("a/src/main.rs", true),
            ("a/src/new/mod.rs", true),
            ("a/assets/text.txt", true),
            ("a/assets/other.txt", false),
            ("a/Cargo.toml", true),
            ("Cargo.toml", true),
            ("Cargo.lock", true),
            ("a/src/.main.rs.swp", false),
            ("a/src/.#main.rs", false),
            ("a/src/main.rs~", false),
            ("target/debug/a", false),
        ] {
            assert_eq!(watch_set.contains(&root.join(file)), expected, "{file}");
        }
        let directories: Vec<_> = watch_set.directories.iter().cloned().collect();
        let expected = [
            ("", WatchDepth::Directory),
            ("a", WatchDepth::Directory),
            ("a/assets", WatchDepth::Directory),
            ("a/src", WatchDepth::Directory),
            ("a/src", WatchDepth::Tree),
        ];
        // The empty name stands for the root itself: a trailing slash does not change a path.
        assert_eq!(
            directories,
            expected.map(|(name, depth)| (root.join(name), depth))
        );
    }

    #[test]
    fn missing_files_are_still_watched() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        let file = root.join("a/b/watch.py");
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::write(&file, "").unwrap();
        let mut previous = WatchSet::default();
        previous.add_argument(file.to_str().unwrap());

        fs::remove_dir_all(root.join("a")).unwrap();
        // Still after another file has been saved.
        for _ in 0..2 {
            let mut watch_set = WatchSet::default();
            watch_set.add_argument(file.to_str().unwrap());
            watch_set.keep_missing(&previous);
            previous = watch_set;
        }
        assert!(previous.contains(&root.join("a")) && previous.contains(&file));
        assert!(
            previous
                .directories
                .contains(&(root.clone(), WatchDepth::Directory))
        );

        fs::create_dir_all(root.join("a/b")).unwrap();
        let mut watch_set = WatchSet::default();
        watch_set.keep_missing(&previous);
        assert!(watch_set.contains(&file) && !watch_set.contains(&root.join("a")));
        assert!(
            watch_set
                .directories
                .contains(&(root.join("a/b"), WatchDepth::Directory))
        );
    }

    #[test]
    fn files_of_a_command_are_watched() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        let script = root.join("watch.py");
        fs::write(&script, "").unwrap();
        let mut watch_set = WatchSet::default();
        for argument in ["python3", "-u", script.to_str().unwrap(), "nonsense.sh"] {
            watch_set.add_argument(argument);
        }
        for (file, expected) in [
            ("watch.py", true),
            ("beside.py", true),
            ("events.log", false),
            ("nonsense.sh", false),
        ] {
            assert_eq!(watch_set.contains(&root.join(file)), expected, "{file}");
        }
    }
}
