//! The contents of the ZIP: the start script, the program, and included files.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use fg_conformance::artifact::MAX_FILES;
use fg_emulator::ScriptName;

use super::start_script::start_script;

/// The contents of the directory `extension` in the ZIP.
#[derive(Default)]
pub(crate) struct PackageContents {
    /// The entries by their paths in that directory, in order.
    pub(crate) entries: BTreeMap<String, PackageEntry>,
}

/// A file or directory in the ZIP.
pub(crate) enum PackageEntry {
    Directory,
    /// An executable file with this text.
    Script(String),
    /// A file with this text.
    Text(String),
    /// A copy of the file at `path`.
    File {
        path: PathBuf,
        is_executable: bool,
    },
}

impl PackageContents {
    /// Adds the start script and the program.
    ///
    /// # Errors
    ///
    /// Returns an error if an included file has the same name as the program, or as the file with its settings.
    pub(crate) fn add_program(
        &mut self,
        script: &str,
        program: &str,
        path: PathBuf,
    ) -> anyhow::Result<()> {
        if self.entries.contains_key(program) {
            bail!("cannot include {program}: the extension's program has the same name");
        }
        let settings = format!("{program}.env");
        if self.entries.contains_key(&settings) {
            bail!(
                "cannot include {settings}: the extension reads its settings from a file with this name; use --env-file, which checks them"
            );
        }
        let text = PackageEntry::Script(start_script(program));
        self.entries.insert(script.to_owned(), text);
        let is_executable = true;
        self.entries.insert(
            program.to_owned(),
            PackageEntry::File {
                path,
                is_executable,
            },
        );
        Ok(())
    }

    /// Adds the file with settings, which has the name of the program with `.env` at its end.
    pub(crate) fn add_settings(&mut self, program: &str, text: String) {
        let name = format!("{program}.env");
        self.entries.insert(name, PackageEntry::Text(text));
    }

    /// Adds a file, or a directory with everything in it, next to the program. Symbolic links are followed, wherever they
    /// lead: the ZIP contains what they lead to, under the name of the link.
    ///
    /// # Errors
    ///
    /// Returns an error if the path cannot be read, is added twice, or breaks a rule of the platform: about file names
    /// (D user guide), start scripts, or the number of files.
    pub(crate) fn include(&mut self, path: &Path) -> anyhow::Result<()> {
        let cannot = || format!("cannot include {}", path.display());
        let canonical = follow(path).with_context(cannot)?;
        // `.` and `..` have a name only in their canonical form.
        let name = path.file_name().or(canonical.file_name());
        let name = name.context("it has no name").with_context(cannot)?;
        let name = name
            .to_str()
            .context("its name is not UTF-8")
            .with_context(cannot)?;
        if ScriptName::is_valid(name) {
            bail!(
                "cannot include {}: the platform would run it as a second start script",
                path.display()
            );
        }
        self.add(name.to_owned(), path, &[]).with_context(cannot)
    }

    /// Returns the paths of the files, in order.
    pub(crate) fn files(&self) -> impl Iterator<Item = &str> {
        let files = self
            .entries
            .iter()
            .filter(|(_, entry)| !matches!(entry, PackageEntry::Directory));
        files.map(|(name, _)| name.as_str())
    }

    /// Adds a path. `parents` are the canonical paths of the directories that it is in.
    fn add(&mut self, name: String, path: &Path, parents: &[PathBuf]) -> anyhow::Result<()> {
        if name.ends_with('~') {
            bail!("FunctionGraph rejects file names that end with `~`: {name}");
        }
        if self.entries.contains_key(&name) {
            bail!("{name} is already in the ZIP");
        }
        if self.entries.len() >= MAX_FILES {
            bail!(
                "too many files: FunctionGraph accepts at most {MAX_FILES} in a ZIP; include fewer"
            );
        }
        let shown = || path.display().to_string();
        let canonical = follow(path).with_context(shown)?;
        let metadata = fs::metadata(&canonical).with_context(shown)?;
        if metadata.is_file() {
            let is_executable = metadata.permissions().mode() & 0o111 != 0;
            let path = path.to_owned();
            self.entries.insert(
                name,
                PackageEntry::File {
                    path,
                    is_executable,
                },
            );
            return Ok(());
        }
        if !metadata.is_dir() {
            bail!("{} is neither a file nor a directory", path.display());
        }
        if parents.contains(&canonical) {
            bail!(
                "{} is a symbolic link to {}, which contains the link; remove it",
                path.display(),
                canonical.display()
            );
        }
        let parents = [parents, &[canonical]].concat();
        for entry in fs::read_dir(path).with_context(shown)? {
            let entry = entry?;
            let file_name = entry.file_name();
            let file_name = file_name.to_str();
            let file_name =
                file_name.with_context(|| format!("{} is not UTF-8", entry.path().display()))?;
            self.add(format!("{name}/{file_name}"), &entry.path(), &parents)?;
        }
        self.entries.insert(name, PackageEntry::Directory);
        Ok(())
    }
}

/// Returns the path without symbolic links.
fn follow(path: &Path) -> anyhow::Result<PathBuf> {
    path.canonicalize()
        .map_err(|error| match fs::read_link(path) {
            Ok(to) => anyhow!(
                "it is a symbolic link to {}, which cannot be followed: {error}",
                to.display()
            ),
            Err(_) => error.into(),
        })
}
