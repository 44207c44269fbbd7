//! An extension that appends the number of each delivered telemetry event to the file `LEDGER`.
//!
//! It prints to standard output only in the behaviors that wait for a line on standard input, so that it can be tested
//! without any.

use std::fs::File;
use std::io::{BufRead, Write, stdin};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use fg_extension::{Error, Invocation, TelemetryEvent, extension};
use fg_extension_tests::compute;

struct Ledger {
    file: Mutex<File>,
    calls: AtomicUsize,
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}

/// Prints a line, and waits for one on standard input.
async fn ask(line: String) -> Result<String, Error> {
    println!("{line}");
    let read = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        stdin().lock().read_line(&mut line)?;
        Ok::<_, std::io::Error>(line.trim().to_owned())
    });
    Ok(read.await??)
}

/// Returns the number of an event, which is its first field: `{"n":17,…}`.
fn number(event: &TelemetryEvent) -> &str {
    let rest = event.json().trim_start_matches(r#"{"n":"#);
    let end = rest.find(|it: char| !it.is_ascii_digit());
    &rest[..end.unwrap_or(rest.len())]
}

#[extension(name = "extensionLedger.sh", port = 8081, timeout = "2s")]
impl Ledger {
    #[init]
    async fn open() -> Result<Self, Error> {
        if variable("INIT") == "ask" {
            ask("init".to_owned()).await?;
        }
        let file = File::options()
            .append(true)
            .create(true)
            .open(variable("LEDGER"))?;
        Ok(Self {
            file: Mutex::new(file),
            calls: AtomicUsize::new(0),
        })
    }

    #[invoke]
    async fn on_invoke(&self, invocation: Invocation) -> Result<(), Error> {
        match invocation.trace_id.as_str() {
            "hold" => drop(ask("invoked hold".to_owned()).await?),
            "log" => tracing::warn!("a line"),
            "flood" => (0..400).for_each(|i| tracing::warn!("{i} {}", "x".repeat(1000))),
            "compute" => compute(),
            "thread" => tokio::task::spawn_blocking(|| ()).await?,
            "child" => drop(std::process::Command::new("true").status()?),
            "files" => {
                let files: Result<Vec<_>, _> = (0..4).map(|_| File::open("/dev/null")).collect();
                drop(files?);
            }
            "hang" => std::future::pending().await,
            _ => {}
        }
        Ok(())
    }

    #[telemetry(port = 8082, types(platform, function, extension))]
    async fn record(&self, events: Vec<TelemetryEvent>) -> Result<(), Error> {
        let call = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        match variable("HANDLER").as_str() {
            "ask" if ask(format!("call {call}")).await? == "fail" => Err("the backend is down")?,
            "hang" => std::future::pending().await,
            "slow" => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
            _ => {}
        }
        let mut lines = String::new();
        for event in &events {
            lines += number(event);
            lines.push('\n');
        }
        // From here on, the handler does not wait, so no event is written without being delivered.
        let mut file = self.file.lock().map_err(|_| "a panic")?;
        Ok(file.write_all(lines.as_bytes())?)
    }
}
