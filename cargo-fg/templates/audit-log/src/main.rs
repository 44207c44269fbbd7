//! Appends a line for each invocation to the file named by `AUDIT_LOG`, through a buffer that is flushed at shutdown.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::sync::{Mutex, PoisonError};

use fg_extension::{Error, Invocation, Registration, Setting, extension, setting};

struct AuditLog {
    file: Mutex<BufWriter<File>>,
}

#[extension(name = "extensionAuditLog.sh", port = 8082)]
impl AuditLog {
    /// Called once, after the extension has registered. Invocations that arrive before it returns are queued.
    #[init]
    async fn open(registration: &Registration) -> Result<Self, Error> {
        let path = setting("AUDIT_LOG")?.map(Setting::into_value);
        let path = path.unwrap_or_else(|| "/tmp/audit.log".to_owned());
        let file = File::options()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(|error| format!("cannot open AUDIT_LOG, {path}: {error}"))?;
        let log = Self {
            file: Mutex::new(BufWriter::new(file)),
        };
        let function = registration.function_name.as_deref();
        log.append(&format!("watching {}", function.unwrap_or("a function")))?;
        Ok(log)
    }

    /// Called once for each invocation of the function. Several invocations can be in flight.
    #[invoke]
    async fn on_invoke(&self, invocation: Invocation) -> Result<(), Error> {
        self.append(&format!("invocation {}", invocation.trace_id))?;
        Ok(())
    }

    /// Called once, at shutdown, after the last invocation has finished.
    #[shutdown]
    async fn flush(&self) -> Result<(), Error> {
        self.append("shutdown")?;
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.flush()?;
        file.get_ref().sync_all()?;
        Ok(())
    }

    /// Writes to the buffer, so it rarely blocks. Slow blocking work belongs in `tokio::task::spawn_blocking`.
    fn append(&self, line: &str) -> std::io::Result<()> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(file, "{line}")
    }
}
