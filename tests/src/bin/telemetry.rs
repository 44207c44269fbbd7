//! An extension that subscribes to all telemetry and prints it.
//!
//! The variables `INIT`, `HANDLER` and `SHUTDOWN` select the behavior of `#[init]`, the telemetry handler and
//! `#[shutdown]`. With the value `ask`, each call reads its behavior from a line on standard input.

use std::io::{BufRead, stdin};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fg_extension::{Error, Invocation, TelemetryCounters, TelemetryEvent, extension};

struct Telemetry {
    calls: AtomicUsize,
    /// Set by the first call of `on_telemetry`.
    counters: OnceLock<TelemetryCounters>,
}

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("dropped a bomb");
    }
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}

/// Reads the next line on standard input.
fn read_line() -> std::io::Result<String> {
    let mut line = String::new();
    stdin().lock().read_line(&mut line)?;
    Ok(line.trim().to_owned())
}

#[extension(name = "extensionTelemetry.sh", port = 8081)]
impl Telemetry {
    #[init]
    async fn new() -> Self {
        if variable("INIT") == "ask" {
            println!("init");
            let behavior = tokio::task::spawn_blocking(read_line).await;
            assert!(
                matches!(behavior, Ok(Ok(line)) if line != "panic"),
                "panicked in init"
            );
        }
        Self {
            calls: AtomicUsize::new(0),
            counters: OnceLock::new(),
        }
    }

    #[invoke]
    async fn on_invoke(&self, _: Invocation) {
        println!("{:?}", self.counters());
    }

    #[telemetry(port = 8082, types(platform, function, extension))]
    async fn on_telemetry(
        &self,
        events: Vec<TelemetryEvent>,
        counters: &TelemetryCounters,
    ) -> Result<(), Error> {
        self.counters.get_or_init(|| counters.clone());
        let call = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        if variable("HANDLER") == "count" {
            println!("call {call}: {} events", events.len());
            return Ok(());
        }
        println!("call {call}: {}", serde_json::to_string(&events)?);
        let handler = variable("HANDLER");
        let behavior = match handler.as_str() {
            "ask" => tokio::task::spawn_blocking(read_line).await??,
            "ask, then fail on 2" if call == 1 => tokio::task::spawn_blocking(read_line).await??,
            _ => handler,
        };
        match behavior.as_str() {
            "fail" => Err("the backend\nis down")?,
            // Like an error that contains the data that could not be sent.
            "quote" => Err(format!("cannot send {events:?}"))?,
            "ask, then fail on 2" if events.iter().any(|event| event.json() == "2") => {
                Err("cannot handle 2")?;
            }
            "panic" => panic!("the backend is down"),
            "hang" => std::future::pending().await,
            "hang in drop" => {
                let _bomb = Bomb;
                std::future::pending().await
            }
            "block" => std::thread::sleep(Duration::from_millis(100)),
            "block for long" => std::thread::sleep(Duration::from_secs(1)),
            _ => {}
        }
        println!("done {call}");
        Ok(())
    }

    #[shutdown]
    async fn close(&self) -> Result<(), Error> {
        println!("shutdown, {:?}", self.counters());
        if variable("SHUTDOWN") == "fail" {
            Err("the disk is full")?;
        }
        Ok(())
    }

    fn counters(&self) -> TelemetryCounters {
        self.counters.get().cloned().unwrap_or_default()
    }
}
