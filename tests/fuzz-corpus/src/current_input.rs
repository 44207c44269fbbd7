//! The input that a target is running on, in a file, so that it is there even if the process aborts.

use std::fmt::Display;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

/// The file with the current input. It is removed when this is dropped, unless the target panics.
pub(crate) struct CurrentInput {
    name: String,
    path: PathBuf,
    file: File,
    /// Where the input comes from.
    origin: String,
}

/// Returns the path of the file.
pub(crate) fn path(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("fg-fuzz-{name}-{}", std::process::id()))
}

impl CurrentInput {
    pub(crate) fn new(name: &str) -> Self {
        let path = path(name);
        let file = File::create(&path)
            .unwrap_or_else(|error| panic!("cannot create {}: {error}", path.display()));
        Self {
            name: name.to_owned(),
            path,
            file,
            origin: String::new(),
        }
    }

    pub(crate) fn set(&mut self, input: &[u8], origin: &dyn Display) {
        self.origin = origin.to_string();
        let written = self.file.set_len(0);
        written
            .and_then(|()| self.file.write_all_at(input, 0))
            .expect("the current input can be stored");
    }
}

impl Drop for CurrentInput {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = fs::remove_file(&self.path);
            return;
        }
        let (name, path) = (&self.name, self.path.display());
        eprintln!(
            "The fuzz target `{name}` failed on {}. The input is in {path}. To replay it, run this test with \
             FG_FUZZ_INPUT={path}, or `cargo +nightly fuzz run {name} {path}`.",
            self.origin
        );
    }
}
