//! Appends every event of telemetry to the file in `ARCHIVE_FILE`, as one line of JSON each.

use std::fs::File;
use std::io::Write;
use std::sync::{Mutex, PoisonError};

use fg_extension::{Error, TelemetryEvent, extension};

struct Archive {
    file: Mutex<File>,
}

#[extension(name = "extensionTelemetryArchive.sh", port = 8083)]
impl Archive {
    #[init]
    async fn open() -> Result<Self, Error> {
        let path = std::env::var("ARCHIVE_FILE");
        let path = path.unwrap_or_else(|_| "/tmp/telemetry.jsonl".to_owned());
        let file = File::options()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(|error| format!("cannot open ARCHIVE_FILE, {path}: {error}"))?;
        Ok(Self {
            file: Mutex::new(file),
        })
    }

    /// Called with one batch or several, in order of arrival; again with the same events after an error.
    #[telemetry(port = 8084, types(platform, function, extension))]
    async fn append(&self, events: Vec<TelemetryEvent>) -> Result<(), Error> {
        let mut lines = Vec::new();
        for event in &events {
            serde_json::to_writer(&mut lines, event)?;
            lines.push(b'\n');
        }
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let length = file.metadata()?.len();
        if let Err(error) = file.write_all(&lines) {
            // The next try writes all of it, and not the beginning twice.
            let _ = file.set_len(length);
            Err(error)?;
        }
        Ok(())
    }

    /// Called once, after the last events were appended.
    #[shutdown]
    async fn sync(&self) -> Result<(), Error> {
        let file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.sync_all()?;
        Ok(())
    }
}
