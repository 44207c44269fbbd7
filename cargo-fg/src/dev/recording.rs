//! The format of recordings: the invocations that a `dev` has sent, for `--replay`, and what happened, for the page.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::fault_spec::FaultSpec;
use crate::invocation::InvocationSpec;

/// The version of the format that is written. Version 1 has neither entries nor details.
const VERSION: u32 = 2;

/// The first line of a recording: the conditions under which the invocations were sent.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct RecordingHeader {
    recording: u32,
    /// The extensions that were booted. A replay may boot others.
    pub(crate) scripts: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) fault: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) seed: Option<u64>,
    #[serde(default)]
    pub(crate) freeze: bool,
}

/// A line of a recording: one invocation.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct RecordedInvocation {
    /// The time since the first invocation, in milliseconds.
    pub(super) at_ms: f64,
    #[serde(flatten)]
    pub(super) spec: InvocationSpec,
}

/// A line of a recording with an entry of the journal, or with the details of one. A replay skips it.
#[derive(Deserialize)]
struct JournalLine {
    entry: Option<IgnoredAny>,
    detail: Option<IgnoredAny>,
}

/// A recording that has been read from a file.
pub(crate) struct Recording {
    pub(crate) header: RecordingHeader,
    /// The invocations, each with the time since the first one.
    pub(crate) invocations: VecDeque<(Duration, InvocationSpec)>,
}

impl RecordingHeader {
    pub(crate) fn new(scripts: Vec<String>, faults: Option<FaultSpec>, freeze: bool) -> Self {
        let (fault, seed) = faults.map(|FaultSpec { spec, seed }| (spec, seed)).unzip();
        Self {
            recording: VERSION,
            scripts,
            fault,
            seed,
            freeze,
        }
    }

    /// Returns the faults of the recorded run, if it had any.
    pub(crate) fn faults(&self) -> Option<FaultSpec> {
        let (spec, seed) = self.fault.clone().zip(self.seed)?;
        Some(FaultSpec { spec, seed })
    }
}

impl Recording {
    /// Reads the invocations of a recording. A last line that was cut off, since `dev` was killed or the disk was full, is
    /// skipped.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be read, has another version, or has an invalid line or no invocation.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let path_shown = path.display();
        let cannot_read = || format!("cannot read the recording {path_shown}");
        let mut reader = BufReader::new(File::open(path).with_context(cannot_read)?);
        let mut line = Vec::new();
        reader
            .read_until(b'\n', &mut line)
            .with_context(cannot_read)?;
        let header: RecordingHeader = serde_json::from_slice(&line).with_context(|| {
            format!("cannot replay {path_shown}: line 1 is not the header of a recording")
        })?;
        let version = header.recording;
        if !(1..=VERSION).contains(&version) {
            bail!(
                "cannot replay {path_shown}: it has version {version}, and this cargo fg reads versions 1 to {VERSION}"
            );
        }
        let mut invocations = VecDeque::new();
        for line_number in 2.. {
            line.clear();
            let count = reader.read_until(b'\n', &mut line);
            if count.with_context(cannot_read)? == 0 {
                break;
            }
            match invocation(&line, version) {
                Ok(Some(invocation)) => invocations.push_back(invocation),
                Ok(None) => {}
                Err(_) if is_cut_off(&line) => break,
                Err(error) => {
                    return Err(error.context(format!(
                        "cannot replay {path_shown}: line {line_number} is not a valid invocation"
                    )));
                }
            }
        }
        if invocations.is_empty() {
            bail!("cannot replay {path_shown}: it has no invocations");
        }
        Ok(Self {
            header,
            invocations,
        })
    }
}

/// Parses a line after the first. Returns `None` for a line that a replay skips.
fn invocation(line: &[u8], version: u32) -> anyhow::Result<Option<(Duration, InvocationSpec)>> {
    if version > 1 {
        let line: JournalLine = serde_json::from_slice(line)?;
        if line.entry.is_some() || line.detail.is_some() {
            return Ok(None);
        }
    }
    let invocation: RecordedInvocation = serde_json::from_slice(line)?;
    let at = Duration::try_from_secs_f64(invocation.at_ms / 1000.0)?;
    Ok(Some((at, invocation.spec)))
}

/// Returns whether the line is the beginning of a JSON object without its end, and the last line of the file.
fn is_cut_off(line: &[u8]) -> bool {
    let is_unfinished =
        |line: &str| serde_json::from_str::<IgnoredAny>(line).is_err_and(|error| error.is_eof());
    // It may have been cut within a character.
    !line.ends_with(b"\n") && is_unfinished(&String::from_utf8_lossy(line))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Recording;

    fn read(text: &[u8]) -> anyhow::Result<Recording> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("recording");
        std::fs::write(&path, text).unwrap();
        Recording::read(&path)
    }

    #[test]
    fn both_versions_are_replayed() {
        let version_1 = r#"{"recording":1,"scripts":["extensionA.sh"],"freeze":false}
{"at_ms":0,"payload":"{}","outcome":"ok","duration":"0s"}
{"at_ms":12.5,"trace_id":"b","payload":"x","outcome":"error","duration":"2ms"}
"#;
        let version_2 = r#"{"recording":2,"scripts":["extensionA.sh"],"freeze":false}
{"entry":{"id":1,"t":0,"kind":"session","at_ms":-1}}
{"at_ms":0,"payload":"{}","outcome":"ok","duration":"0s"}
{"entry":{"id":2,"t":0.1,"kind":"invoke","payload":"entry"}}
{"detail":{"id":2,"detail":{"payload":"{}"}}}
{"at_ms":12.5,"trace_id":"b","payload":"x","outcome":"error","duration":"2ms"}
"#;
        for text in [version_1, version_2] {
            let recording = read(text.as_bytes()).unwrap();
            assert_eq!(recording.header.scripts, ["extensionA.sh"]);
            let [(first, _), (second, spec)] = &*Vec::from(recording.invocations) else {
                panic!("{text}");
            };
            assert_eq!(*first, Duration::ZERO);
            assert_eq!(*second, Duration::from_micros(12_500));
            assert_eq!(spec.trace_id.as_deref(), Some("b"));
        }
    }

    #[test]
    fn invalid_recordings_are_rejected() {
        let header = r#"{"recording":1,"scripts":[]}"#;
        let header_2 = r#"{"recording":2,"scripts":[]}"#;
        let invocation = r#"{"at_ms":0,"payload":"{}"}"#;
        let entry = r#"{"entry":{"id":1}}"#;
        for (text, message) in [
            (String::new(), "line 1 is not the header of a recording"),
            ("[package]\n".to_owned(), "line 1 is not the header"),
            (
                r#"{"recording":3,"scripts":[]}"#.to_owned(),
                "it has version 3, and this cargo fg reads versions 1 to 2",
            ),
            (
                r#"{"recording":0,"scripts":[]}"#.to_owned(),
                "it has version 0",
            ),
            (format!("{header}\n"), "it has no invocations"),
            (format!("{header_2}\n{entry}\n"), "it has no invocations"),
            (
                format!("{header}\n{invocation}\nnonsense\n"),
                "line 3 is not a valid invocation",
            ),
            (
                format!("{header_2}\n{entry}\n{invocation}\nnonsense"),
                "line 4 is not a valid invocation",
            ),
            (
                format!("{header}\n{invocation}\n{entry}\n"),
                "line 3 is not a valid invocation",
            ),
            (
                format!("{header_2}\n{invocation}\n{{\"at_ms\"\n{invocation}\n"),
                "line 3 is not a valid invocation",
            ),
            (
                format!("{header}\n{{\"at_ms\":-1}}\n"),
                "line 2 is not a valid invocation",
            ),
        ] {
            let error = read(text.as_bytes()).err().unwrap();
            assert!(format!("{error:#}").contains(message), "{text}: {error:#}");
        }
        assert!(Recording::read(&std::env::temp_dir()).is_err());
    }

    #[test]
    fn line_that_was_cut_off_is_skipped() {
        let whole = concat!(
            "{\"recording\":2,\"scripts\":[]}\n",
            "{\"at_ms\":0,\"payload\":\"{}\"}\n",
        );
        for cut in [
            "{",
            "{\"entry\":{\"id\":7,\"text\":\"caf\u{e9}",
            "{\"detail\"",
            "{\"at_ms\":5,\"payload\":",
        ] {
            for surplus in 0..=1 {
                let text = [whole, cut].concat();
                // With `surplus`, the last byte is missing, too: in one of the cases, it is a half of a character.
                let text = &text.as_bytes()[..text.len() - surplus];
                let recording = read(text).unwrap();
                assert_eq!(recording.invocations.len(), 1, "{cut}");
            }
        }
    }
}
