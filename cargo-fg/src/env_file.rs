//! Files with settings, one `NAME=VALUE` per line.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use fg_util::env_file::parse;

/// A file with settings, as it was read.
pub(crate) struct EnvFile {
    pub(crate) path: PathBuf,
    pub(crate) settings: Vec<(String, String)>,
}

impl EnvFile {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be read, or about all of its lines that are invalid, each with its number. It does
    /// not contain values.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        let text = fs::read(path).with_context(|| format!("cannot read {shown}"))?;
        let text = String::from_utf8(text).ok();
        let text = text.with_context(|| format!("cannot read {shown}: it is not UTF-8"))?;
        // Editors on Windows write a byte order mark.
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        match parse(text) {
            Ok(settings) => Ok(Self {
                path: path.to_owned(),
                settings: settings
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), value.to_owned()))
                    .collect(),
            }),
            Err(problems) => bail!("cannot read {shown}: {}", problems.join("; ")),
        }
    }
}
