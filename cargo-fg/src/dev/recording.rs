//! Recordings: the invocations that a `dev` sent, which `--replay` sends again.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::fault_spec::FaultSpec;
use crate::invocation::{InvocationSpec, millis};

/// The version of the format; recordings of another version are rejected.
const VERSION: u32 = 1;

/// The first line: under which conditions the invocations were sent.
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

/// Every further line.
#[derive(Debug, Deserialize, Serialize)]
struct RecordedInvocation {
    /// The time after the first invocation, which is at 0.
    at_ms: f64,
    #[serde(flatten)]
    spec: InvocationSpec,
}

/// Writes a recording.
pub(crate) struct Recorder {
    path: PathBuf,
    file: File,
    /// When the first invocation was sent.
    start: Option<Instant>,
}

/// A recording that was read.
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

    pub(crate) fn faults(&self) -> Option<FaultSpec> {
        let (spec, seed) = self.fault.clone().zip(self.seed)?;
        Some(FaultSpec { spec, seed })
    }
}

impl Recorder {
    pub(crate) fn create(path: &Path, header: &RecordingHeader) -> anyhow::Result<Self> {
        let file =
            File::create(path).with_context(|| format!("cannot record to {}", path.display()))?;
        let mut recorder = Self {
            path: path.to_owned(),
            file,
            start: None,
        };
        recorder.write(header)?;
        Ok(recorder)
    }

    /// Writes an invocation that is about to be sent, so that the recording has it even if it crashes the extension.
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
        write().with_context(|| format!("cannot record to {}", self.path.display()))
    }
}

impl Recording {
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let path_shown = path.display();
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the recording {path_shown}"))?;
        let mut lines = text.lines();
        let header = lines.next().unwrap_or_default();
        let header: RecordingHeader = serde_json::from_str(header)
            .with_context(|| format!("{path_shown} is no recording of cargo fg dev (line 1)"))?;
        if header.recording != VERSION {
            bail!(
                "{path_shown} is a recording of version {}: this cargo fg reads version {VERSION}",
                header.recording
            );
        }
        let entries = lines.enumerate().map(|(i, line)| {
            let wrong = || format!("line {} of {path_shown} is no invocation", i + 2);
            let entry: RecordedInvocation = serde_json::from_str(line).with_context(wrong)?;
            let at = Duration::try_from_secs_f64(entry.at_ms / 1000.0).with_context(wrong)?;
            Ok((at, entry.spec))
        });
        let entries: VecDeque<_> = entries.collect::<anyhow::Result<_>>()?;
        if entries.is_empty() {
            bail!("{path_shown} has no invocations in it");
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
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("recording");
        let scripts = vec!["extensionA.sh".to_owned()];
        let faults = FaultSpec {
            spec: "freeze=0.5".to_owned(),
            seed: 7,
        };
        let header = RecordingHeader::new(scripts, Some(faults), true);
        let mut recorder = Recorder::create(&path, &header).unwrap();
        // The first invocation is at 0, however late it is.
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
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("recording");
        let header = r#"{"recording":1,"scripts":[]}"#;
        let entry = r#"{"at_ms":0,"payload":"{}"}"#;
        for (text, message) in [
            (String::new(), "is no recording of cargo fg dev (line 1)"),
            ("[package]\n".to_owned(), "(line 1)"),
            (
                r#"{"recording":2,"scripts":[]}"#.to_owned(),
                "a recording of version 2",
            ),
            (format!("{header}\n"), "has no invocations in it"),
            (format!("{header}\n{entry}\nnonsense\n"), "line 3 of "),
            (format!("{header}\n{{\"at_ms\":-1}}\n"), "line 2 of "),
        ] {
            std::fs::write(&path, &text).unwrap();
            let error = Recording::read(&path).err().unwrap();
            assert!(format!("{error:#}").contains(message), "{text}: {error:#}");
        }
        assert!(Recording::read(folder.path()).is_err());
    }
}
