//! Recordings: the invocations of a session, to be sent again.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::order::Order;
use crate::report::millis;

/// Of the format; another one is not read.
const VERSION: u32 = 1;

/// The first line: under which conditions the invocations were sent.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Header {
    recording: u32,
    /// Of the extensions that were there. Others may be asked the same.
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
struct Entry {
    /// From the first invocation.
    at_ms: f64,
    #[serde(flatten)]
    order: Order,
}

/// Writes a recording.
pub(crate) struct Recorder {
    path: PathBuf,
    file: File,
    /// Of the first invocation.
    start: Option<Instant>,
}

/// What is left of a recording.
pub(crate) struct Recording {
    pub(crate) header: Header,
    pub(crate) entries: VecDeque<(Duration, Order)>,
}

impl Header {
    pub(crate) fn new(scripts: Vec<String>, faults: Option<(String, u64)>, freeze: bool) -> Self {
        let (fault, seed) = faults.unzip();
        Self {
            recording: VERSION,
            scripts,
            fault,
            seed,
            freeze,
        }
    }

    /// As they are written, and the seed.
    pub(crate) fn faults(&self) -> Option<(String, u64)> {
        self.fault.clone().zip(self.seed)
    }
}

impl Recorder {
    pub(crate) fn create(path: &Path, header: &Header) -> anyhow::Result<Self> {
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

    /// Notes an invocation that is about to be sent, so that one that breaks everything is there, too.
    pub(crate) fn note(&mut self, order: Order) -> anyhow::Result<()> {
        let start = *self.start.get_or_insert_with(Instant::now);
        self.write(&Entry {
            at_ms: millis(start.elapsed()),
            order,
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
        let header: Header = serde_json::from_str(header)
            .with_context(|| format!("{path_shown} is no recording of cargo fg dev (line 1)"))?;
        if header.recording != VERSION {
            bail!(
                "{path_shown} is a recording of version {}: this cargo fg reads version {VERSION}",
                header.recording
            );
        }
        let entries = lines.enumerate().map(|(i, line)| {
            let wrong = || format!("line {} of {path_shown} is no invocation", i + 2);
            let entry: Entry = serde_json::from_str(line).with_context(wrong)?;
            let at = Duration::try_from_secs_f64(entry.at_ms / 1000.0).with_context(wrong)?;
            Ok((at, entry.order))
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
    use super::{Header, Recorder, Recording};
    use crate::order::Order;

    #[test]
    fn reads_what_it_writes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("recording");
        let scripts = vec!["extensionA.sh".to_owned()];
        let header = Header::new(scripts, Some(("freeze=0.5".to_owned(), 7)), true);
        let mut recorder = Recorder::create(&path, &header).unwrap();
        for trace_id in ["a", "b"] {
            let trace_id = Some(trace_id.to_owned());
            recorder
                .note(Order {
                    trace_id,
                    ..Order::default()
                })
                .unwrap();
        }
        let Recording { header, entries } = Recording::read(&path).unwrap();
        assert_eq!(header.scripts, ["extensionA.sh"]);
        assert_eq!(header.fault.as_deref(), Some("freeze=0.5"));
        assert_eq!((header.seed, header.freeze), (Some(7), true));
        let trace_ids: Vec<_> = entries
            .iter()
            .map(|(_, order)| order.trace_id.as_deref())
            .collect();
        assert_eq!(trace_ids, [Some("a"), Some("b")]);
        assert!(entries[0].0.is_zero() && entries[0].0 <= entries[1].0);
    }

    #[test]
    fn what_is_no_recording_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("recording");
        let header = r#"{"recording":1,"scripts":[]}"#;
        let entry = r#"{"at_ms":0,"payload":"{}"}"#;
        for (text, told) in [
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
            assert!(format!("{error:#}").contains(told), "{text}: {error:#}");
        }
        assert!(Recording::read(folder.path()).is_err());
    }
}
