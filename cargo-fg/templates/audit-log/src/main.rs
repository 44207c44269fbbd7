//! Appends each invocation to the file in `AUDIT_LOG`, buffered: state, and an orderly end.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::sync::{Mutex, PoisonError};

use fg_extension::{Error, Invocation, Registration, extension};

struct AuditLog {
    file: Mutex<BufWriter<File>>,
}

#[extension(name = "extensionAuditLog.sh", port = 8082)]
impl AuditLog {
    /// Called once, after the registration; invocations that come meanwhile wait.
    #[init]
    async fn open(registration: &Registration) -> Result<Self, Error> {
        let path = std::env::var("AUDIT_LOG").unwrap_or_else(|_| "/tmp/audit.log".to_owned());
        let file = File::options()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(|error| format!("cannot open AUDIT_LOG, {path}: {error}"))?;
        let log = Self {
            file: Mutex::new(BufWriter::new(file)),
        };
        let function = registration.function_name.as_deref();
        log.append(&format!("beside {}", function.unwrap_or("a function")))?;
        Ok(log)
    }

    /// Called for every invocation of the function; several may be in flight.
    #[invoke]
    async fn on_invoke(&self, invocation: Invocation) -> Result<(), Error> {
        self.append(&format!("invocation {}", invocation.trace_id))?;
        Ok(())
    }

    /// Called once, after the last invocation has ended.
    #[shutdown]
    async fn flush(&self) -> Result<(), Error> {
        self.append("end")?;
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.flush()?;
        file.get_ref().sync_all()?;
        Ok(())
    }

    /// Into memory, mostly: what would block the thread belongs into `tokio::task::spawn_blocking`.
    fn append(&self, line: &str) -> std::io::Result<()> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(file, "{line}")
    }
}
