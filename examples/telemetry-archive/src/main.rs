//! Appends each telemetry event to the file named by `ARCHIVE_FILE`, as one line of JSON.

use std::fs::File;
use std::io::ErrorKind::{InvalidInput, Unsupported};
use std::io::Write;
use std::sync::{Mutex, PoisonError};

use fg_extension::{Error, Setting, TelemetryEvent, extension, setting};

struct Archive {
    file: Mutex<File>,
}

#[extension(name = "extensionTelemetryArchive.sh", port = 8083)]
impl Archive {
    /// Called once, after the extension has registered. Telemetry that arrives before it returns is buffered.
    #[init]
    async fn open() -> Result<Self, Error> {
        let path = setting("ARCHIVE_FILE")?.map(Setting::into_value);
        let path = path.unwrap_or_else(|| "/tmp/telemetry.jsonl".to_owned());
        let file = File::options()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(|error| format!("cannot open ARCHIVE_FILE, {path}: {error}"))?;
        Ok(Self {
            file: Mutex::new(file),
        })
    }

    /// Called with the events of one or more batches, in order of arrival. After an error, it is called again with the
    /// same events.
    #[telemetry(port = 8084, types(platform, function, extension))]
    async fn append(&self, events: Vec<TelemetryEvent>) -> Result<(), Error> {
        // Of the exact size, since a single event may be 6 MB long.
        let bytes = events.iter().map(|event| event.json().len() + 1).sum();
        let mut lines = String::with_capacity(bytes);
        for event in &events {
            // The text that the platform posted, without line breaks, which JSON allows between tokens only.
            lines.extend(event.json().split(['\n', '\r']));
            lines.push('\n');
        }
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let length = file.metadata()?.len();
        if let Err(error) = file.write_all(lines.as_bytes()) {
            // Remove a partial write: the retry writes all lines again. This fails for a pipe.
            let _ = file.set_len(length);
            Err(error)?;
        }
        Ok(())
    }

    /// Called once, at shutdown, after the last events have been delivered.
    #[shutdown]
    async fn sync(&self) -> Result<(), Error> {
        let file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        match file.sync_all() {
            // `ARCHIVE_FILE` is a pipe or a terminal, which stores nothing.
            Err(error) if matches!(error.kind(), InvalidInput | Unsupported) => Ok(()),
            synced => Ok(synced?),
        }
    }
}
