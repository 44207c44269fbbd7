//! What the extensions are made of, in the file system.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

use super::subjects::Subjects;
use crate::subject::Kind;

#[derive(Debug, Default)]
pub(crate) struct Inputs {
    /// Where they are; true stands for all that is beneath.
    pub(crate) folders: BTreeSet<(PathBuf, bool)>,
    files: BTreeSet<PathBuf>,
    /// In those folders all files with these, since new ones may come.
    extensions: BTreeSet<OsString>,
}

impl Inputs {
    pub(crate) fn of(subjects: &Subjects, function: Option<&Path>) -> Self {
        let mut inputs = Self::default();
        for prepared in subjects.iter() {
            match &prepared.kind {
                Kind::Built(built) => inputs.add_program(&built.path),
                Kind::Command(words) => words.iter().for_each(|word| inputs.add_word(word)),
                Kind::Package { zip, .. } => inputs.add_file(zip),
            }
        }
        if let Some(function) = function {
            inputs.add_file(function);
        }
        inputs
    }

    /// What was looked at before and is not there at the moment, as between two branches, may come back.
    pub(crate) fn keep_missing(&mut self, before: &Self) {
        let folders = before.folders.iter().map(|(folder, _)| folder);
        for path in before.files.iter().chain(folders) {
            let missing = path.ancestors().take_while(|path| !path.exists());
            // Nothing of it is noticed before the outermost folder is there.
            if let Some(outermost) = missing.last()
                && let Some(parent) = outermost.parent()
            {
                self.folders.insert((parent.to_owned(), false));
                self.files.extend([path.clone(), outermost.to_owned()]);
            }
        }
    }

    pub(crate) fn has(&self, path: &Path) -> bool {
        let is_hidden = path
            .file_name()
            .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        let has_extension = path
            .extension()
            .is_some_and(|extension| self.extensions.contains(extension));
        self.files.contains(path) || (has_extension && !is_hidden)
    }

    /// cargo writes beside a program what it was made of: its own sources, those of its path dependencies, what
    /// they include, and what their build scripts read.
    fn add_program(&mut self, program: &Path) {
        let made_of = fs::read_to_string(program.with_extension("d")).unwrap_or_default();
        let target = program
            .ancestors()
            .find(|folder| folder.join("CACHEDIR.TAG").exists());
        let ours = |file: &PathBuf| target.is_none_or(|target| !file.starts_with(target));
        for file in dependencies(&made_of).into_iter().filter(ours) {
            self.add_file(&file);
            let root = file
                .ancestors()
                .find(|folder| folder.join("Cargo.toml").exists());
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
            self.folders.insert((src, true));
        }
        // The workspace's.
        if let Some(lock) = root
            .ancestors()
            .map(|folder| folder.join("Cargo.lock"))
            .find(|lock| lock.exists())
        {
            self.add_file(&lock);
            self.add_file(&lock.with_extension("toml"));
        }
    }

    /// A word of a command, if it names a file: it, and those beside it that are in the same language.
    fn add_word(&mut self, word: &str) {
        let path = Path::new(word);
        if path.is_file() {
            self.add_file(path);
            let extension = path.extension().map(OsStr::to_owned);
            self.extensions.extend(extension);
        }
    }

    fn add_file(&mut self, file: &Path) {
        if let Ok(file) = file.canonicalize()
            && let Some(folder) = file.parent()
        {
            self.folders.insert((folder.to_owned(), false));
            self.files.insert(file);
        }
    }
}

/// Of a rule for make: `program: one two`, in which a space within a name has a backslash before it.
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

    use super::{Inputs, dependencies};

    #[test]
    fn rules() {
        let files = dependencies("/t/debug/a: /b/src/main.rs /c\\ d/e.txt\n\n/f:\n");
        assert_eq!(files, ["/b/src/main.rs", "/c d/e.txt"].map(PathBuf::from));
        assert!(dependencies("").is_empty());
    }

    #[test]
    fn programs() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
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
        let made_of = [
            "a/src/main.rs",
            "a/assets/text.txt",
            "target/debug/build/generated.rs",
        ]
        .map(|file| root.join(file).display().to_string());
        let rule = format!("x: {}\n", made_of.join(" "));
        fs::write(root.join("target/debug/a.d"), rule).unwrap();

        let mut inputs = Inputs::default();
        inputs.add_program(&root.join("target/debug/a"));
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
            assert_eq!(inputs.has(&root.join(file)), expected, "{file}");
        }
        let folders: Vec<_> = inputs.folders.iter().cloned().collect();
        let expected = [
            ("", false),
            ("a", false),
            ("a/assets", false),
            ("a/src", false),
            ("a/src", true),
        ];
        // A trailing slash makes no difference to a path.
        assert_eq!(folders, expected.map(|(name, all)| (root.join(name), all)));
    }

    #[test]
    fn what_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let file = root.join("a/b/watch.py");
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::write(&file, "").unwrap();
        let mut before = Inputs::default();
        before.add_word(file.to_str().unwrap());

        fs::remove_dir_all(root.join("a")).unwrap();
        // As often as something else is saved meanwhile.
        for _ in 0..2 {
            let mut inputs = Inputs::default();
            inputs.add_word(file.to_str().unwrap());
            inputs.keep_missing(&before);
            before = inputs;
        }
        assert!(before.has(&root.join("a")) && before.has(&file));
        assert!(before.folders.contains(&(root.clone(), false)));

        fs::create_dir_all(root.join("a/b")).unwrap();
        let mut inputs = Inputs::default();
        inputs.keep_missing(&before);
        assert!(inputs.has(&file) && !inputs.has(&root.join("a")));
        assert!(inputs.folders.contains(&(root.join("a/b"), false)));
    }

    #[test]
    fn commands() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let script = root.join("watch.py");
        fs::write(&script, "").unwrap();
        let mut inputs = Inputs::default();
        for word in ["python3", "-u", script.to_str().unwrap(), "nonsense.sh"] {
            inputs.add_word(word);
        }
        for (file, expected) in [
            ("watch.py", true),
            ("beside.py", true),
            ("events.log", false),
            ("nonsense.sh", false),
        ] {
            assert_eq!(inputs.has(&root.join(file)), expected, "{file}");
        }
    }
}
