//! Recordings of the invocations that a `dev` has sent, for `--replay`.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::fault_spec::FaultSpec;
use crate::invocation::{InvocationSpec, millis};

/// The version of the format. Recordings of other versions are rejected.
const VERSION: u32 = 1;

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

/// Each other line of a recording: one invocation.
#[derive(Debug, Deserialize, Serialize)]
struct RecordedInvocation {
    /// The time since the first invocation, in milliseconds.
    at_ms: f64,
    #[serde(flatten)]
    spec: InvocationSpec,
}

/// A writer of a recording.
pub(crate) struct Recorder {
    path: PathBuf,
    file: File,
    /// The time of the first invocation.
    start: Option<Instant>,
}

/// A recording that has been read from a file.
pub(crate) struct Recording {
    pub(crate) header: RecordingHeader,
    pub(crate) entries: VecDeque<(Duration, InvocationSpec)>,
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

impl Recorder {
    /// Checks that the file can be written, without changing it. Used before a build, after which the file is created.
    pub(crate) fn check(path: &Path) -> anyhow::Result<()> {
        let exists = path.exists();
        if exists && !path.is_file() && !path.is_dir() {
            // Opening a pipe would block, or end the input of its reader.
            return Ok(());
        }
        let mut options = File::options();
        let opened = options.create(true).append(true).open(path);
        opened.with_context(|| format!("cannot write the recording {}", path.display()))?;
        if !exists {
            let _ = fs::remove_file(path);
        }
        Ok(())
    }

    /// Creates the file, or truncates it, and writes the header.
    pub(crate) fn create(path: &Path, header: &RecordingHeader) -> anyhow::Result<Self> {
        let file = File::create(path)
            .with_context(|| format!("cannot write the recording {}", path.display()))?;
        let mut recorder = Self {
            path: path.to_owned(),
            file,
            start: None,
        };
        recorder.write(header)?;
        Ok(recorder)
    }

    /// Writes an invocation. Must be called before the invocation is sent, so that the recording contains it even if it
    /// crashes the extension.
    pub(crate) fn record(&mut self, spec: InvocationSpec) -> anyhow::Result<()> {
        let now = Instant::now();
        let start = *self.start.get_or_insert(now);
        self.write(&RecordedInvocation {
            at_ms: millis(now.duration_since(start)),
            spec,
        })
    }

    fn write(&mut self, line: &impl Serialize) -> anyhow::Result<()> {
        let mut write = || {
            let mut text = serde_json::to_vec(line)?;
            text.push(b'\n');
            self.file.write_all(&text)
        };
        write().with_context(|| format!("cannot write the recording {}", self.path.display()))
    }
}

impl Recording {
    /// Reads a recording.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be read, has another version, or has an invalid line or no invocation.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let path_shown = path.display();
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the recording {path_shown}"))?;
        let mut lines = text.lines();
        let header = lines.next().unwrap_or_default();
        let header: RecordingHeader = serde_json::from_str(header).with_context(|| {
            format!("cannot replay {path_shown}: line 1 is not the header of a recording")
        })?;
        if header.recording != VERSION {
            bail!(
                "cannot replay {path_shown}: it has version {}, and this cargo fg reads version {VERSION}",
                header.recording
            );
        }
        let entries = lines.enumerate().map(|(i, line)| {
            let line_number = i + 2;
            let invalid = || {
                format!("cannot replay {path_shown}: line {line_number} is not a valid invocation")
            };
            let entry: RecordedInvocation = serde_json::from_str(line).with_context(invalid)?;
            let at = Duration::try_from_secs_f64(entry.at_ms / 1000.0).with_context(invalid)?;
            Ok((at, entry.spec))
        });
        let entries: VecDeque<_> = entries.collect::<anyhow::Result<_>>()?;
        if entries.is_empty() {
            bail!("cannot replay {path_shown}: it has no invocations");
        }
        Ok(Self { header, entries })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::advance;

    use super::{FaultSpec, Recorder, Recording, RecordingHeader};
    use crate::invocation::InvocationSpec;

    #[tokio::test(start_paused = true)]
    async fn recordings_round_trip() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("recording");
        let scripts = vec!["extensionA.sh".to_owned()];
        let faults = FaultSpec {
            spec: "freeze=0.5".to_owned(),
            seed: 7,
        };
        let header = RecordingHeader::new(scripts, Some(faults), true);
        let mut recorder = Recorder::create(&path, &header).unwrap();
        // The first invocation is at 0 even if it is sent late.
        for (trace_id, pause) in [("a", 1_000), ("b", 1_500)] {
            advance(Duration::from_millis(pause)).await;
            let trace_id = Some(trace_id.to_owned());
            recorder
                .record(InvocationSpec {
                    trace_id,
                    ..InvocationSpec::default()
                })
                .unwrap();
        }
        let Recording { header, entries } = Recording::read(&path).unwrap();
        assert_eq!(header.scripts, ["extensionA.sh"]);
        assert_eq!(header.fault.as_deref(), Some("freeze=0.5"));
        assert_eq!((header.seed, header.freeze), (Some(7), true));
        let entries: Vec<_> = entries
            .iter()
            .map(|(at, spec)| (at.as_millis(), spec.trace_id.as_deref()))
            .collect();
        assert_eq!(entries, [(0, Some("a")), (1_500, Some("b"))]);
    }

    #[test]
    fn invalid_recordings_are_rejected() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("recording");
        let header = r#"{"recording":1,"scripts":[]}"#;
        let entry = r#"{"at_ms":0,"payload":"{}"}"#;
        for (text, message) in [
            (String::new(), "line 1 is not the header of a recording"),
            ("[package]\n".to_owned(), "line 1 is not the header"),
            (
                r#"{"recording":2,"scripts":[]}"#.to_owned(),
                "it has version 2, and this cargo fg reads version 1",
            ),
            (format!("{header}\n"), "it has no invocations"),
            (
                format!("{header}\n{entry}\nnonsense\n"),
                "line 3 is not a valid invocation",
            ),
            (
                format!("{header}\n{{\"at_ms\":-1}}\n"),
                "line 2 is not a valid invocation",
            ),
        ] {
            std::fs::write(&path, &text).unwrap();
            let error = Recording::read(&path).err().unwrap();
            assert!(format!("{error:#}").contains(message), "{text}: {error:#}");
        }
        assert!(Recording::read(directory.path()).is_err());
    }
}
