//! The export: the page and what it shows, in one HTML file that needs neither a server nor a network.

use std::borrow::Cow;
use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, anyhow, bail};
use serde::Serialize;
use tempfile::NamedTempFile;

use super::assets;
use crate::journal::Journal;

/// How many bytes of entries an export contains. If there are more, the oldest ones are left out.
const ENTRY_BYTES: usize = 32 * 1024 * 1024;
/// How many bytes of details an export contains. If there are more, those of the oldest entries are left out.
const DETAIL_BYTES: usize = 16 * 1024 * 1024;
/// How many bytes of entries are read from the journal at a time.
const CHUNK_BYTES: usize = 1024 * 1024;

/// What a browser may load in an exported file: nothing but the file itself.
const POLICY: &str = "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
     script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; worker-src blob:\">";

/// The tags of the page that an export replaces.
const CHARSET_TAG: &str = "<meta charset=\"utf-8\">";
const STYLE_TAG: &str = "<link rel=\"stylesheet\" href=\"style.css\">";
const SCRIPT_TAG: &str = "<script src=\"app.js\"></script>";

/// How much of the journal is not in an export, because it would be too large.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub(crate) struct LeftOut {
    /// Entries that are not in the file, including those that the journal has dropped.
    pub(crate) entries: u64,
    /// Entries in the file whose details are not.
    pub(crate) details: u64,
}

/// What an export contains, as JSON texts.
struct Contents {
    entries: Vec<Arc<str>>,
    /// The details, each with the ID of its entry.
    details: Vec<(u64, Arc<str>)>,
    left_out: LeftOut,
}

/// Checks that the file can be written, without changing it. Used before a build, after which the file is written.
///
/// # Errors
///
/// Returns an error if it is a directory, if the directory that it is in does not exist, or if one of them is not writable.
pub(crate) fn check(path: &Path) -> anyhow::Result<()> {
    let check = || -> anyhow::Result<()> {
        if is_special(path) {
            // Opening a pipe would block, or end the input of its reader.
            return Ok(());
        }
        let target = target(path);
        if target.is_file() {
            // A file that is replaced need not be writable, but whoever made it read-only wants to keep it.
            File::options().append(true).open(path)?;
        }
        create_beside(&target)?;
        Ok(())
    };
    check().with_context(|| failure(path))
}

/// Writes the export to this file. A file of this name is replaced once the new one is complete.
///
/// # Errors
///
/// Returns an error if the file cannot be written.
pub(crate) fn write(path: &Path, journal: &Journal) -> anyhow::Result<LeftOut> {
    let contents = Contents::of(journal, ENTRY_BYTES, DETAIL_BYTES);
    let write = || -> anyhow::Result<()> {
        if is_special(path) {
            let mut file = File::options().write(true).open(path)?;
            contents.write_to(&mut file)?;
            return Ok(());
        }
        let target = target(path);
        let file = create_beside(&target)?;
        contents.write_to(&mut io::BufWriter::new(file.as_file()))?;
        file.persist(&target).map_err(|error| error.error)?;
        Ok(())
    };
    write().with_context(|| failure(path))?;
    Ok(contents.left_out)
}

/// Returns the export as the text of a file.
pub(crate) fn html(journal: &Journal) -> Vec<u8> {
    let mut text = Vec::new();
    // Writing to a vector cannot fail.
    let _ = Contents::of(journal, ENTRY_BYTES, DETAIL_BYTES).write_to(&mut text);
    text
}

impl LeftOut {
    /// Returns a sentence for the user, unless the export is complete.
    pub(crate) fn message(self) -> Option<String> {
        let entries = match self.entries {
            0 => None,
            1 => Some("the oldest entry".to_owned()),
            count => Some(format!("the oldest {count} entries")),
        };
        let details = match self.details {
            0 => None,
            1 => Some("the payloads and bodies of 1 entry".to_owned()),
            count => Some(format!("the payloads and bodies of {count} entries")),
        };
        let parts: Vec<_> = entries.into_iter().chain(details).collect();
        (!parts.is_empty()).then(|| {
            format!(
                "the export leaves out {}, since it would be too large",
                parts.join(" and ")
            )
        })
    }
}

impl Contents {
    /// Returns the newest entries and details of the journal that fit into these numbers of bytes.
    ///
    /// The first entry is always included if the journal still has it, since it says what was run.
    fn of(journal: &Journal, entry_bytes: usize, detail_bytes: usize) -> Self {
        let mut entries = Vec::new();
        let mut last_id = 0;
        loop {
            let chunk = journal.read_after(last_id, CHUNK_BYTES);
            if chunk.entries.is_empty() {
                break;
            }
            last_id = chunk.last_id;
            entries.extend(chunk.entries);
        }
        let mut bytes = 0;
        let fits = |entry: &&Arc<str>| {
            bytes += entry.len();
            bytes <= entry_bytes
        };
        let kept = entries.iter().rev().take_while(fits).count();
        let surplus = entries.len() - kept;
        // The first entry replaces one of those that do not fit.
        entries.drain(surplus.min(1)..surplus);
        let first_id = last_id + 1 - u64::try_from(kept).unwrap_or(u64::MAX).min(last_id);

        let mut left_out = LeftOut {
            entries: last_id
                - u64::try_from(entries.len())
                    .unwrap_or(u64::MAX)
                    .min(last_id),
            details: 0,
        };
        let mut details = Vec::new();
        let mut bytes = 0;
        for id in (first_id..=last_id).rev() {
            let Some(detail) = journal.detail(id) else {
                continue;
            };
            bytes += detail.len();
            if bytes <= detail_bytes {
                details.push((id, detail));
            } else {
                left_out.details += 1;
            }
        }
        details.reverse();
        Self {
            entries,
            details,
            left_out,
        }
    }

    /// Writes the page with its style, its script, and the data.
    fn write_to(&self, writer: &mut impl Write) -> io::Result<()> {
        let (before_style, rest) = split(assets::INDEX, STYLE_TAG);
        let (before_script, after_script) = split(rest, SCRIPT_TAG);
        let (before_policy, after_policy) = split(before_style, CHARSET_TAG);
        write!(
            writer,
            "{before_policy}{CHARSET_TAG}\n{POLICY}{after_policy}"
        )?;
        write!(writer, "<style>\n{}</style>", assets::STYLE)?;
        write!(writer, "{before_script}")?;
        // The script reads the data, so they precede it.
        write!(writer, "<script type=\"application/json\" id=\"data\">")?;
        self.write_data(writer)?;
        write!(writer, "</script>\n<script>\n{}</script>", assets::SCRIPT)?;
        write!(writer, "{after_script}")?;
        writer.flush()
    }

    fn write_data(&self, writer: &mut impl Write) -> io::Result<()> {
        let left_out = serde_json::to_string(&self.left_out)?;
        write!(writer, "{{\"left_out\":{left_out},\n\"entries\":[")?;
        for (i, entry) in self.entries.iter().enumerate() {
            let comma = if i == 0 { "\n" } else { ",\n" };
            write!(writer, "{comma}{}", escape(entry))?;
        }
        write!(writer, "],\n\"details\":{{")?;
        for (i, (id, detail)) in self.details.iter().enumerate() {
            let comma = if i == 0 { "\n" } else { ",\n" };
            write!(writer, "{comma}\"{id}\":{}", escape(detail))?;
        }
        write!(writer, "}}}}")
    }
}

/// Escapes JSON for a `<script>` element. Outside of strings, JSON has none of these characters.
///
/// Without `<`, the text can contain neither the end of the element nor the start of a comment. The line separators are
/// valid in JSON, but not in every program that might read the file.
fn escape(json: &str) -> Cow<'_, str> {
    const SPECIAL: [char; 3] = ['<', '\u{2028}', '\u{2029}'];
    if !json.contains(SPECIAL) {
        return Cow::Borrowed(json);
    }
    let mut escaped = String::with_capacity(json.len() + json.len() / 8);
    for part in json.split_inclusive(SPECIAL) {
        match part.chars().next_back() {
            Some(last) if SPECIAL.contains(&last) => {
                escaped.push_str(&part[..part.len() - last.len_utf8()]);
                escaped.push_str(&format!("\\u{:04x}", u32::from(last)));
            }
            _ => escaped.push_str(part),
        }
    }
    Cow::Owned(escaped)
}

/// Splits a text around a tag. A test checks that the page contains the tags.
fn split<'a>(text: &'a str, tag: &str) -> (&'a str, &'a str) {
    text.split_once(tag).unwrap_or((text, ""))
}

fn failure(path: &Path) -> String {
    format!("cannot write the export {}", path.display())
}

/// Returns whether the file exists and is neither a file nor a directory, such as a pipe, which cannot be replaced.
fn is_special(path: &Path) -> bool {
    path.exists() && !path.is_file() && !path.is_dir()
}

/// Returns the file to replace: the one that a symbolic link names.
fn target(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// Creates a temporary file in the directory of this file, with the permissions of a new file.
fn create_beside(path: &Path) -> anyhow::Result<NamedTempFile> {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let directory = parent.unwrap_or(Path::new("."));
    if path.file_name().is_none() || path.is_dir() {
        bail!("it is a directory; name a file in it, such as run.html");
    }
    if !directory.exists() {
        bail!("the directory {} does not exist", directory.display());
    }
    let mut builder = tempfile::Builder::new();
    // The user's umask applies.
    builder
        .prefix(".cargo-fg-export-")
        .permissions(Permissions::from_mode(0o666));
    builder.tempfile_in(directory).map_err(|error| {
        // The path of the temporary file would distract from the reason.
        let message = error.to_string();
        let (reason, _) = message.split_once(" at path ").unwrap_or((&message, ""));
        anyhow!("{reason}")
    })
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use serde_json::{Value, json};

    use super::{CHARSET_TAG, SCRIPT_TAG, STYLE_TAG};
    use super::{Contents, LeftOut, assets, check, html, write};
    use crate::journal::{Entry, Journal};

    const HOSTILE: &str = "</script><script>alert(1)</script><!-- <script> ]]> \u{2028}\u{2029} \u{0} \r\n \u{fffd} \"'&";

    fn journal_with(text: &str, detail: Option<&str>, count: usize) -> Journal {
        let journal = Journal::new();
        journal.start_session("dev", &["extensionA.sh".to_owned()], "synthetic", &[]);
        for _ in 0..count {
            let entry = Entry::Warning { message: text };
            match detail {
                Some(detail) => {
                    let detail = json!({ "body": detail });
                    journal.add_with_detail(Instant::now(), entry, &detail)
                }
                None => journal.add(Instant::now(), entry),
            };
        }
        journal
    }

    /// Returns the data of an export, as a browser finds them.
    fn data(html: &str) -> Value {
        let start = "<script type=\"application/json\" id=\"data\">";
        let (_, rest) = html.split_once(start).unwrap();
        let (data, _) = rest.split_once("</script").unwrap();
        assert!(!data.contains(['<', '\u{2028}', '\u{2029}', '\r', '\0']));
        serde_json::from_str(data).unwrap()
    }

    #[test]
    fn page_contains_what_an_export_replaces() {
        for tag in [CHARSET_TAG, STYLE_TAG, SCRIPT_TAG] {
            assert_eq!(assets::INDEX.matches(tag).count(), 1, "{tag}");
        }
        let style = assets::INDEX.find(STYLE_TAG);
        assert!(style > assets::INDEX.find(CHARSET_TAG));
        assert!(style < assets::INDEX.find(SCRIPT_TAG));
        let script = assets::SCRIPT.to_ascii_lowercase();
        assert!(!script.contains("</script") && !script.contains("<!--"));
        assert!(!script.contains("<script"));
        assert!(!assets::STYLE.to_ascii_lowercase().contains("</style"));
    }

    #[test]
    fn export_refers_to_no_other_file() {
        let html = html(&journal_with("text", None, 1));
        let html = String::from_utf8(html).unwrap();
        assert!(!html.contains(STYLE_TAG) && !html.contains(SCRIPT_TAG));
        assert!(html.contains("default-src 'none'"));
        // A policy applies to what follows it.
        assert!(html.find("Content-Security-Policy") < html.find("<style>"));
        assert!(html.find("id=\"data\"") < html.find("\"use strict\""));
    }

    #[test]
    fn hostile_text_stays_text() {
        let html = html(&journal_with(HOSTILE, Some(HOSTILE), 1));
        let html = String::from_utf8(html).unwrap();
        assert!(!html.contains("alert(1)</script>"));
        let data = data(&html);
        assert_eq!(data["entries"][0]["kind"], "session");
        assert_eq!(data["entries"][1]["message"], HOSTILE);
        assert_eq!(data["details"]["2"]["body"], HOSTILE);
        assert_eq!(data["left_out"], json!({ "entries": 0, "details": 0 }));
    }

    #[test]
    fn export_is_bounded() {
        let journal = journal_with("0123456789", Some("0123456789"), 100);
        // The times in entries are not equally long.
        let newest = journal.read_after(91, usize::MAX).entries;
        let newest: usize = newest.iter().map(|entry| entry.len()).sum();
        let detail = journal.detail(101).unwrap().len();
        let contents = Contents::of(&journal, newest, 4 * detail);
        let mut text = Vec::new();
        contents.write_to(&mut text).unwrap();
        let data = data(&String::from_utf8(text).unwrap());
        let ids = data["entries"].as_array().unwrap().iter();
        let ids: Vec<_> = ids.map(|entry| entry["id"].as_u64().unwrap()).collect();
        // What was run, and the newest entries.
        assert_eq!(ids[0], 1);
        assert_eq!(ids[1..], (92..=101).collect::<Vec<_>>());
        let body = json!({ "body": "0123456789" });
        let details = json!({ "98": body, "99": body, "100": body, "101": body });
        assert_eq!(data["details"], details);
        let left_out = LeftOut {
            entries: 90,
            details: 6,
        };
        assert_eq!(contents.left_out, left_out);
        assert_eq!(
            left_out.message().as_deref(),
            Some(
                "the export leaves out the oldest 90 entries and the payloads and bodies of 6 entries, since it would be \
                 too large"
            )
        );
        assert_eq!(LeftOut::default().message(), None);
    }

    #[test]
    fn file_is_replaced_when_it_is_complete() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("run.html");
        let link = directory.path().join("link.html");
        std::fs::write(&file, "old").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        check(&link).unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "old");
        let left_out = write(&link, &journal_with("text", None, 1)).unwrap();
        assert_eq!(left_out, LeftOut::default());
        assert!(link.is_symlink());
        let html = std::fs::read_to_string(&file).unwrap();
        assert!(html.ends_with("</html>\n"), "{html}");
        // No temporary file is left over.
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 2);
    }

    #[test]
    fn invalid_paths_are_errors() {
        let directory = tempfile::tempdir().unwrap();
        let missing = directory.path().join("missing/run.html");
        let file = directory.path().join("file");
        std::fs::write(&file, "").unwrap();
        for (path, reason) in [
            (directory.path().to_owned(), "it is a directory"),
            ("..".into(), "it is a directory"),
            (missing, "missing does not exist"),
            (file.join("run.html"), "Not a directory"),
            ("".into(), "it is a directory"),
        ] {
            for error in [
                check(&path).unwrap_err(),
                write(&path, &Journal::new()).unwrap_err(),
            ] {
                let error = format!("{error:#}");
                assert!(error.starts_with("cannot write the export"), "{error}");
                assert!(error.contains(reason), "{path:?}: {error}");
            }
        }
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
